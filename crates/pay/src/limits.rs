//! The limits of this crate, each with the reason for its number.

/// The longest value of a payment header, in bytes of base64. A stock payment takes about 1.5 KB and HTTP servers
/// cut headers between 8 and 64 KiB, so a longer one can only be an attack.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;

/// How long a settlement may take after the run, in seconds. An authorization must outlive the run by this much.
pub const SETTLE_SECONDS_MAX: u64 = 6;

/// The longest idempotency id of a pay-out, in bytes. A call id or a digest with a prefix stays below 100.
pub const PAY_OUT_ID_BYTES_MAX: usize = 128;

/// The most that one faucet request mints, in atomic units: a hundred play dollars.
pub const FAUCET_AMOUNT_MAX: u128 = 100_000_000;

/// The gas of one call to the devnet's token. Its dearest function takes about 100,000.
pub const DEVNET_GAS_MAX: u64 = 1_000_000;

/// The longest line of the devnet's journal, in bytes. The largest operation takes about 700.
pub const JOURNAL_LINE_BYTES_MAX: usize = 4096;

/// The largest wallet file, in bytes. Ours take about 200.
pub const WALLET_FILE_BYTES_MAX: u64 = 4096;

/// How much of a text from others is quoted in a message, in characters.
pub const QUOTED_CHARS_MAX: usize = 80;
