//! Fields of payments as they travel: numbers as digits, bytes as hex.

use alloy_primitives::{Address, B256, U256, hex};
use glassbox_core::Atomic;

use crate::eip712;
use crate::facilitator::Rejection;
use crate::x402::{ErrorCode, clip};

pub(super) fn malformed(message: String) -> Rejection {
    Rejection::new(ErrorCode::InvalidPayload, message)
}

/// Reads an address in any letter case. The checksum is not insisted upon, because not every client writes it.
pub(super) fn address(name: &str, text: &str) -> Result<Address, Rejection> {
    let bytes = hex_bytes(text).and_then(|bytes| <[u8; 20]>::try_from(bytes).ok());
    bytes.map(Address::from).ok_or_else(|| malformed(format!("`{name}` is not an address: `{}`", clip(text))))
}

pub(super) fn bytes32(name: &str, text: &str) -> Result<B256, Rejection> {
    let bytes = hex_bytes(text).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes
        .map(B256::from)
        .ok_or_else(|| malformed(format!("`{name}` is not 32 bytes of hex: `{}`", clip(text))))
}

/// Reads a number as the stock clients write it: digits without a leading zero, of at most 256 bits.
pub(super) fn number(name: &str, text: &str) -> Result<U256, Rejection> {
    let refused =
        || malformed(format!("`{name}` is not a plain number of at most 256 bits: `{}`", clip(text)));
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    // 2^256 has 78 digits.
    if text.is_empty() || !plain || text.len() > 78 {
        return Err(refused());
    }
    U256::from_str_radix(text, 10).map_err(|_| refused())
}

/// Reads an amount, which may be zero.
pub(super) fn amount(name: &str, text: &str) -> Result<Atomic, Rejection> {
    text.parse().map_err(|error| malformed(format!("`{name}`: {error}")))
}

/// Reads an amount that is more than nothing.
pub(super) fn positive_amount(name: &str, text: &str) -> Result<Atomic, Rejection> {
    crate::x402::positive_amount(text).map_err(|reason| malformed(format!("`{name}`: {reason}")))
}

/// Reads a signature and checks that `signer` made it of `digest`; refuses with `code`.
pub(super) fn signed_by(
    signer: Address,
    digest: B256,
    signature: &str,
    code: ErrorCode,
) -> Result<[u8; 65], Rejection> {
    let refused = |reason: String| Rejection::new(code.clone(), reason);
    let bytes = hex_bytes(signature)
        .ok_or_else(|| refused("the signature is not `0x` and at most 65 bytes of hex".to_owned()))?;
    let recovered = eip712::recover(digest, &bytes).map_err(|error| refused(error.to_string()))?;
    if recovered != signer {
        return Err(refused(format!("the signature over our offer is not that of {signer}")));
    }
    Ok(bytes.try_into().expect("recovery took it, so it has 65 bytes"))
}

pub(super) fn hex_bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?;
    // 65 bytes are the longest that anything here takes.
    if digits.len() > 130 { None } else { hex::decode(digits).ok() }
}
