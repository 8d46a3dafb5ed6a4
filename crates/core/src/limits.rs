//! Every limit there is, each with the reason for its number.
//!
//! A limit that stands elsewhere cannot be found when it is hit, so none does.

/// The longest label or version in a name, in bytes. WIT ids in use stay below 40.
pub const NAME_BYTES_MAX: usize = 128;

/// The largest amount anywhere, in whole units of the currency. Far above any price, and small enough that
/// its pico count times 10,000 basis points still fits a `u128`.
pub const AMOUNT_MAX: u128 = 1_000_000_000_000;

/// The largest component, in bytes. An honest Python component is 18.4 MB; see `docs/guides/languages.md`.
pub const COMPONENT_BYTES_MAX: usize = 24 * 1024 * 1024;

/// The most processor time that compiling one component may take, over all threads, in seconds. The largest honest
/// components, Python's, take up to 25.
pub const COMPILE_CPU_SECONDS_MAX: u64 = 90;

/// The longest that compiling one component may take on the wall clock, in milliseconds: guests go first, so it may
/// get little of the machine. Short of [`REQUEST_SECONDS_MAX`], so that a publisher still learns of it.
pub const COMPILE_WALL_MS_MAX: u64 = 120_000;

/// The most memory that compiling one component may take, in bytes. 1.5 MB of QuickJS take 80 MB, so the largest
/// component takes about 1.3 GB, and more cores take more at a time.
pub const COMPILE_MEMORY_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// The largest compiled component, in bytes. Compiled code is three to four times the size of the component.
pub const ARTIFACT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The largest manifest, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 64 * 1024;

/// The largest single WIT or test file, in bytes.
pub const TEXT_FILE_BYTES_MAX: usize = 1024 * 1024;

/// The most files of one layer of a release: WIT, tests, source, or those that it ships. With their folders they must fit
/// a guest's tree, [`TREE_NODES_MAX`].
pub const FILES_MAX: usize = 1024;

/// The largest source archive of a release, in bytes over all its files.
pub const SOURCE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The largest set of files that a release ships for its component to read, in bytes, and so the largest of them. More
/// than dictionaries and tables need, and little enough to be given to every call from memory.
pub const RELEASE_FILES_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most bytes of files of releases that a registry keeps in memory, ready for the next call: 32 of the largest sets.
pub const RELEASE_FILES_HELD_BYTES_MAX: usize = 512 * 1024 * 1024;

/// The most test cases of one release: all of them run at publish.
pub const TEST_CASES_MAX: usize = 2_000;

/// The largest body of a call, in bytes of JSON.
pub const CALL_BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The most bytes of standard input and files that `glassbox run` reads: in base64 they must fit the body of a call.
pub const RUN_INPUT_BYTES_MAX: usize = CALL_BODY_BYTES_MAX / 4 * 3;

/// The deepest nesting of a value or a type. Each level costs host stack while it is converted.
pub const VALUE_DEPTH_MAX: usize = 64;

/// The deepest nesting of a type that can be called by value. A level may be three levels of the JSON that receipts
/// are kept in, and JSON readers stop at 128.
pub const TYPE_DEPTH_MAX: usize = 32;

/// The most functions of one world.
pub const FUNCTIONS_MAX: usize = 1_000;

/// The most parts of the types of all functions of one world, each named type counted where it is used.
pub const WORLD_TYPE_NODES_MAX: usize = 100_000;

/// The most interfaces in the WIT files of one release, its dependencies included. Those that use one another take the
/// parser's stack for each, and 1,000 are too many. All of WASI has some 30.
pub const WIT_INTERFACES_MAX: usize = 256;

/// The deepest nesting of types in WIT, each name for another type counted as a level. Comparing a component with a
/// world takes the third power of it.
pub const WIT_TYPE_DEPTH_MAX: usize = 64;

/// The most bytes of the WIT files of one release together.
pub const WIT_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The most fuel that the test cases of one release may burn together. About half a minute of work.
pub const PUBLISH_FUEL_MAX: u64 = 750_000_000_000;

/// How long a call waits to start, in milliseconds, before its caller is told to come back. Longer, and
/// its payment could expire in the line.
pub const QUEUE_WAIT_MS_MAX: u64 = 10_000;

/// The most guests that have started and not ended. Each reserves 128 GiB of address space, of which there are 128 TiB.
pub const GUESTS_ACTIVE_MAX: usize = 64;

/// How deep dependencies may import one another, the release that is called included. Each level takes a stack while it
/// waits for the next.
pub const CALL_DEPTH_MAX: usize = 8;

/// The most components that one call may come to, the one that is called included: one for each way from it to a
/// dependency.
pub const CALL_INSTANCES_MAX: usize = 32;

/// The most memories over all components of a call: address space for as many is reserved for each active call.
pub const CALL_MEMORIES_MAX: usize = 32;

/// The most tables over all components of a call.
pub const CALL_TABLES_MAX: usize = 64;

/// The most core instances over all components of a call.
pub const CALL_CORE_INSTANCES_MAX: usize = 1_024;

/// The most entries of a call tree: each is a function of a dependency by the way that it was reached, and stands in the
/// receipt.
pub const CALL_TREE_NODES_MAX: usize = 256;

/// The most packages that one release names as dependencies.
pub const DEPENDENCIES_MAX: usize = 64;

/// The most memory that active guests may grow to together, in bytes: 64 of the default size.
pub const GUESTS_MEMORY_BYTES_MAX: usize = 4 * 1024 * 1024 * 1024;

/// The most guests that wait to start. More would wait for longer than [`QUEUE_WAIT_MS_MAX`] anyway.
pub const GUESTS_WAITING_MAX: usize = 1_024;

/// The most guests of one payer that wait to start.
pub const GUESTS_WAITING_PER_PAYER_MAX: usize = 256;

/// The most calls without a payment that run or wait at once. Fewer than there are places, so that those who pay are not
/// kept out by those who do not.
pub const FREE_CALLS_IN_FLIGHT_MAX: usize = 64;

/// How long a payment rail may take to answer, in milliseconds. After that its answer is unknown.
pub const RAIL_WAIT_MS_MAX: u64 = 30_000;

/// The most nodes of one value, so that a small JSON text cannot become a gigabyte of host memory.
pub const VALUE_NODES_MAX: usize = 2_000_000;

/// The fuel of a call whose manifest and caller name none. About 40 milliseconds of work.
pub const FUEL_DEFAULT: u64 = 1_000_000_000;

/// The most fuel one call may ask for. About ten seconds of work.
pub const FUEL_MAX: u64 = 250_000_000_000;

/// The memory of one call, over all linear memories of its component, in bytes.
pub const MEMORY_BYTES_DEFAULT: usize = 64 * 1024 * 1024;

/// The most memory that a manifest may ask for, and that a call and its dependencies may hold together, in bytes.
pub const MEMORY_BYTES_MAX: usize = 512 * 1024 * 1024;

/// The most table elements of one call, over all tables.
pub const TABLE_ELEMENTS_MAX: usize = 1_000_000;

/// The most data that may cross from guest to host in one call, in bytes: this is the output limit.
pub const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The longest that one call may take on the wall clock, in milliseconds. Fuel bills; this only guards.
pub const CALL_WALL_MS_MAX: u64 = 30_000;

/// The guest's stack, in bytes. Large, because where a stack ends is not deterministic over engines.
pub const STACK_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The largest signed statement, in bytes of base64. A release of a thousand files stays far below.
pub const STATEMENT_BYTES_MAX: usize = 256 * 1024;

/// How old a checkpoint gets before it is signed anew, in seconds: a little less than the minute that clients may count
/// on, because it is looked at only every few seconds.
pub const CHECKPOINT_REFRESH_SECONDS: u64 = 50;

/// The largest signed checkpoint, in bytes: twenty of the largest signatures that C2SP knows, or several hundred of
/// today's.
pub const CHECKPOINT_BYTES_MAX: usize = 64 * 1024;

/// The most signatures that one envelope may carry: each costs a verification.
pub const SIGNATURES_MAX: usize = 16;

/// The most keys of each kind in the policy of a namespace: more than could sign one envelope would never count.
pub const POLICY_KEYS_MAX: usize = SIGNATURES_MAX;

/// The longest delay of a change of a policy, in hours: 90 days. Longer, and a lost key would be a lost name.
pub const POLICY_DELAY_HOURS_MAX: u32 = 90 * 24;

/// The shortest delay of a change by recovery keys, in hours: a day, so that the controllers can see and cancel it.
pub const RECOVERY_HOURS_MIN: u32 = 24;

/// The most reviewers that a release names: more is no longer read.
pub const REVIEWERS_MAX: usize = 32;

/// The longest name of an author or a reviewer, in bytes: a name with an address.
pub const AUTHOR_BYTES_MAX: usize = 200;

/// The largest file by which a domain vouches for namespaces, in bytes: some hundred names.
pub const DOMAIN_FILE_BYTES_MAX: usize = 64 * 1024;

/// How long a domain may take to answer, in milliseconds: a stranger has the registry ask it.
pub const DOMAIN_WAIT_MS_MAX: u64 = 10_000;

/// How long a domain is not asked again, in milliseconds: anybody may have it asked.
pub const DOMAIN_PAUSE_MS: i64 = 60_000;

/// After how long a domain is asked again by itself, in milliseconds: a day.
pub const DOMAIN_SWEEP_MS: i64 = 24 * 3_600_000;

/// How many domains one sweep asks.
pub const DOMAIN_BATCH: usize = 20;

/// How long after a change of terms a payment is taken that was asked for before, in milliseconds: as long as what is
/// offered can be paid.
pub const QUOTE_KEPT_MS: i64 = CALL_WALL_MS_MAX as i64 + OFFER_MARGIN_SECONDS as i64 * 1_000;

/// How often the terms of a release may change: each is an entry of the log, and whoever checks that none was dearer reads
/// them all.
pub const TERMS_CHANGES_MAX: usize = 32;

/// How many acts over names are taken in a minute, by everybody but the operator: each is an entry of the log for ever,
/// costs nobody anything, and people do few.
pub const ACTS_PER_MINUTE_MAX: u32 = 120;

/// The longest reason of an act, in bytes: a few sentences, which every reader of the log gets.
pub const REASON_BYTES_MAX: usize = 2_000;

/// The most prices of one manifest.
pub const PRICES_MAX: usize = 64;

/// The longest id of a payee, in bytes: longer than any address or account that there is.
pub const PAYEE_ID_BYTES_MAX: usize = 256;

/// The longest text of a notice to the operator, in bytes: enough to say what is wrong and where it can be seen.
pub const NOTICE_BYTES_MAX: usize = 4_000;

/// The longest contact of whoever gives a notice, in bytes: an address of electronic mail.
pub const NOTICE_CONTACT_BYTES_MAX: usize = 254;

/// The most notices about one release that wait at once. Anybody may give one, and the tenth says what the first said.
pub const NOTICES_PER_RELEASE_MAX: usize = 10;

/// The most notices that wait at once: what people can decide, and some megabytes at most.
pub const NOTICES_OPEN_MAX: usize = 1_000;

/// The most payees of one manifest.
pub const PAYEES_MAX: usize = 64;

/// The longest id of a price, plan, offer, grant or edition, and the longest name of an event, in bytes.
pub const ID_BYTES_MAX: usize = 64;

/// The most seats or copies of one licence. More are bought by another.
pub const LICENSE_UNITS_MAX: u64 = 1_000_000;

/// The longest name of whom a licence is for, in bytes.
pub const LICENSEE_BYTES_MAX: usize = 200;

/// The most steps of a price's tiers: nobody can read more.
pub const TIER_STEPS_MAX: usize = 32;

/// The most of one event that a run may report: what a component emits one by one costs it fuel, and a count does not.
pub const EVENTS_PER_CALL_MAX: u64 = 1_000_000_000;

/// The most different events that a run may report: as many as there can be prices.
pub const EVENT_NAMES_MAX: usize = PRICES_MAX;

/// The highest fee that an operator may take, in basis points of the charge.
pub const OPERATOR_FEE_BPS_MAX: u32 = 1_500;

/// The most that a release may share with its unpriced dependencies, in basis points of the net.
pub const POOL_BPS_MAX: u32 = 5_000;

/// How many times the fuel that a call of a dependency burns in its own tests counts in that pool. Honest calls differ from
/// tests by some factor; who burns more than this does not earn by it.
pub const FUEL_BASELINE_FACTOR: u64 = 4;

/// The most of that pool that one dependency gets, in basis points: what it burns above stays with the release, so that
/// nobody earns by wasting fuel.
pub const POOL_SHARE_BPS_MAX: u32 = 5_000;

/// The most that a release may owe to the works that it derives from, in basis points of the net.
pub const ROYALTIES_BPS_MAX: u32 = 3_000;

/// The least of the net that a release keeps for its own payees, in basis points: nobody maintains for nothing.
pub const OWN_BPS_MIN: u32 = 2_000;

/// How many forks up a royalty is passed on. At a tenth each, the ninth would see a billionth.
pub const ROYALTY_DEPTH_MAX: u32 = 8;

/// The most ways from a release up to works that it derives from: each is a division of every charge, and without a bound
/// eight generations of a few works, each derived from all of the one before, have millions.
pub const ROYALTY_WAYS_MAX: usize = 32;

/// The largest log entry, in bytes. C2SP tlog-tiles stores entries with a 16-bit length.
pub const LOG_ENTRY_BYTES_MAX: usize = 65_535;

/// The most calls that run or wait at once. Beyond it a caller is turned away before anything is held, because a
/// longer queue would only outlast the callers' patience.
pub const CALLS_IN_FLIGHT_MAX: usize = 256;

/// The most calls of one payer that run or wait at once.
pub const CALLS_PER_PAYER_MAX: usize = 32;

/// The most uncharged failures of one payer within [`FREE_WORK_WINDOW_MS`]. Failures are free, which would
/// otherwise make them free compute.
pub const FREE_FAILURES_PER_PAYER_MAX: u32 = 30;

/// The window in which uncharged failures are counted, in milliseconds.
pub const FREE_WORK_WINDOW_MS: i64 = 60_000;

/// How long an offered payment stays valid beyond the longest run, in seconds: time to sign, to send, to retry and to
/// settle on a slow chain.
pub const OFFER_MARGIN_SECONDS: u64 = 120;

/// How long a caller waits for a call that another request is already running, in milliseconds, before it is told
/// to come back.
pub const DECISION_WAIT_MS_MAX: u64 = CALL_WALL_MS_MAX + 10_000;

/// How many undecided calls or refunds one sweep of the reconciler takes up.
pub const RECONCILE_BATCH: usize = 256;

/// The most releases whose interface and terms are kept in memory.
pub const LIVE_RELEASES_MAX: usize = 1_024;

/// The most search results of one answer.
pub const SEARCH_RESULTS_MAX: usize = 50;

/// The longest nonce that a caller may send, in bytes.
pub const NONCE_BYTES_MAX: usize = 128;

/// The largest body of a publish, in bytes of JSON: a component, its files and its source in base64, and room for the
/// texts.
pub const PUBLISH_BODY_BYTES_MAX: usize =
    (COMPONENT_BYTES_MAX + RELEASE_FILES_BYTES_MAX + SOURCE_BYTES_MAX) / 3 * 4 + 4 * 1024 * 1024;

/// How long one HTTP request may take, in seconds. A publish compiles and runs every test.
pub const REQUEST_SECONDS_MAX: u64 = 180;

/// The longest value of a payment header, in bytes of base64. A stock payment takes about 1.5 KB and HTTP servers
/// cut headers between 8 and 64 KiB, so a longer one can only be an attack.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;

/// How long a settlement may take after the run, in seconds. An authorization must outlive the run by this much.
pub const SETTLE_SECONDS_MAX: u64 = 6;

/// The shortest id that a client may give its payment, in bytes: shorter ones meet by chance. The extension says so.
pub const PAYMENT_ID_BYTES_MIN: usize = 16;

/// The longest id that a client may give its payment, in bytes. The extension says so.
pub const PAYMENT_ID_BYTES_MAX: usize = 128;

/// How old a sign-in may be, in seconds. That of the stock package.
pub const SIGN_IN_SECONDS_MAX: i64 = 300;

/// The longest idempotency id of a pay-out, in bytes. A call id or a digest with a prefix stays below 100.
pub const PAY_OUT_ID_BYTES_MAX: usize = 128;

/// The most bytes of a question to a facilitator, and of its answer: a payment, the offer, and room.
pub const FACILITATOR_BODY_BYTES_MAX: usize = 256 * 1024;

/// The most payments about which another facilitator has not answered clearly. Each takes some 200 bytes.
pub const UNSURE_PAYMENTS_MAX: usize = 100_000;

/// How many blocks back a payment is looked for that a facilitator may have settled: some hours on any network.
pub const ECHO_BLOCKS_MAX: u64 = 10_000;

/// The most that one faucet request mints, in atomic units: a hundred play dollars.
pub const FAUCET_AMOUNT_MAX: u128 = 100_000_000;

/// The gas of one call on the devnet: the most that the rules of its machine give one transaction (EIP-7825). A payment
/// takes about 100,000, a claim of [`CLAIMS_MAX`] vouchers some 5,000,000.
pub const DEVNET_GAS_MAX: u64 = 16_777_216;

/// The most bytes of one call's data on the devnet. A voucher in a claim takes about 500.
pub const DEVNET_CALL_BYTES_MAX: usize = 96 * 1024;

/// The most transactions that wait in the devnet's mempool; there are some in drills alone.
pub const DEVNET_MEMPOOL_MAX: usize = 1024;

/// The most blocks that the devnet can undo, or make without a transaction, at once.
pub const DEVNET_UNDO_BLOCKS_MAX: usize = 256;

/// The most bytes of a transaction that somebody else has signed for the devnet. It costs them nothing and is kept; an
/// approval or a withdrawal takes about 400.
pub const DEVNET_RAW_BYTES_MAX: usize = 8 * 1024;

/// The most bytes of a node's answer. The largest hold the events of [`RPC_LOG_BLOCKS_MAX`] blocks.
pub const RPC_ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most bytes of one call's data that a node is sent; nodes take 128 KiB for a whole transaction. A line of the
/// journal holds it as hex.
pub const RPC_CALL_BYTES_MAX: usize = 90 * 1024;

/// The most calls of which is remembered what they took when they were tried: far more than get into a block.
pub const RPC_TRIED_MAX: usize = 4_096;

/// The most transactions of ours that wait for a block. Nodes keep 64 of one account for certain.
pub const RPC_PENDING_MAX: u64 = 64;

/// How many blocks one question for events covers. Some nodes answer no more than this.
pub const RPC_LOG_BLOCKS_MAX: u64 = 1_000;

/// How many blocks make a transaction final, unless the operator says otherwise: the reorganisations that are seen on
/// public networks are shorter.
pub const RPC_FINALITY: u64 = 12;

/// The most gas of one call over JSON-RPC, unless the operator says otherwise; what one transaction may take (EIP-7825).
pub const RPC_GAS_MAX: u64 = 16_777_216;

/// The most that a unit of gas may cost in wei, unless the operator says otherwise: 500 gwei, far above an ordinary day
/// on any network.
pub const RPC_FEE_MAX: u128 = 500_000_000_000;

/// The most bytes of one request of JSON-RPC.
pub const JSON_RPC_BYTES_MAX: usize = 256 * 1024;

/// The most requests of one batch of JSON-RPC. Each may take the devnet for as long as its gas lasts, some 50 ms.
pub const JSON_RPC_BATCH_MAX: usize = 32;

/// The most requests of JSON-RPC that the devnet answers at once. They take turns with payments, so a crowd is sent away.
pub const JSON_RPC_IN_FLIGHT_MAX: usize = 32;

/// The most transactions in a minute that others send to the devnet by JSON-RPC. They cost nothing, and every one is kept:
/// at the size of [`DEVNET_RAW_BYTES_MAX`] these are 5 MB.
pub const JSON_RPC_SENT_PER_MINUTE_MAX: usize = 300;

/// The most blocks that one request for events searches.
pub const JSON_RPC_LOG_BLOCKS_MAX: u64 = 10_000;

/// The most events of one answer.
pub const JSON_RPC_LOGS_MAX: usize = 1_000;

/// The most contracts, or values of a topic, that one request for events names.
pub const JSON_RPC_TOPICS_MAX: usize = 64;

/// The most blocks of one history of fees, all of which are zero.
pub const JSON_RPC_FEE_BLOCKS_MAX: u64 = 1_024;

/// The longest line of the devnet's journal, in bytes. The largest operation is a call, whose data are written as hex.
pub const JOURNAL_LINE_BYTES_MAX: usize = 2 * DEVNET_CALL_BYTES_MAX + 4096;

/// The largest wallet file, in bytes. Keystores take about 500.
pub const WALLET_FILE_BYTES_MAX: u64 = 4096;

/// The most memory that opening a keystore may take, in bytes: four times what geth's and ours take. The file names its
/// own cost, so a forged one could ask for all there is.
pub const KEYSTORE_MEMORY_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// The most work that opening a keystore by scrypt may take, as the product of its three parameters: eight times what
/// geth's and ours take, some seconds.
pub const KEYSTORE_SCRYPT_WORK_MAX: u64 = 1 << 24;

/// The most iterations that opening a keystore by PBKDF2 may take: some seconds. Files in use have a million at most.
pub const KEYSTORE_PBKDF2_ITERATIONS_MAX: u32 = 10_000_000;

/// The largest policy of a wallet, in bytes: room for hundreds of hosts and addresses.
pub const POLICY_FILE_BYTES_MAX: u64 = 64 * 1024;

/// The longest line of a day's spending journal, in bytes. A long host and the longest names stay below 1,000.
pub const SPENDING_LINE_BYTES_MAX: usize = 4096;

/// The largest spending journal of one day, in bytes. Each payment reads it whole, so who pays a hundred thousand times
/// a day should pay by a channel.
pub const SPENDING_DAY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How long a payment waits for another that is being written down, in milliseconds. Each takes some of them, so whoever
/// has the journal for longer hangs.
pub const SPENDING_WAIT_MS_MAX: u64 = 10_000;

/// For how many calls like the first a buyer fills a payment channel, within its policy: enough to be worth the
/// transaction, and not so much that it is missed.
pub const CHANNEL_DEPOSIT_CALLS: u128 = 100;

/// The longest that an offer may ask a payment to stay valid, in seconds. Honest offers ask for minutes; a payment that
/// was thought lost should not turn up tomorrow.
pub const OFFER_SECONDS_MAX: u64 = 3_600;

/// The longest password, in bytes: a file given as one by mistake is no password.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// How much of a text from others is quoted in a message, in characters.
pub const QUOTED_CHARS_MAX: usize = 80;

/// The most releases that are uploaded and checked at once. Each may hold a large body and a compiler.
pub const PUBLISHES_IN_FLIGHT_MAX: usize = 4;

/// How long a publisher waits for its turn, in milliseconds, before it is told to come back.
pub const PUBLISH_WAIT_MS_MAX: u64 = 60_000;

/// How long a posted reply waits for its refund to be paid, in milliseconds, before it leaves without.
pub const REFUND_WAIT_MS_MAX: u64 = 1_000;

/// The longest statement of a release, in bytes of JSON: its log entry must stay below [`LOG_ENTRY_BYTES_MAX`].
pub const STATEMENT_PUBLISHED_BYTES_MAX: usize = 32 * 1024;

/// The most observations of one run. Each is a call of the host that is paid and stored.
pub const TRANSCRIPT_ENTRIES_MAX: usize = 10_000;

/// The largest observation, in bytes: one response from the network, or one request for random bytes.
pub const TRANSCRIPT_ENTRY_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The most bytes of the observations of one run together. A receipt refers to them, so somebody must keep them.
pub const TRANSCRIPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The most resources of the host that one guest may hold at a time: streams, pollables, files. A process has 1,024
/// descriptors by custom.
pub const HOST_RESOURCES_MAX: usize = 10_000;

/// The most bytes that one read or one request for random bytes gives a guest. A read gives less where more was asked;
/// random bytes are refused, because WASI allows no fewer than asked.
pub const HOST_READ_BYTES_MAX: usize = 1024 * 1024;

/// The most files and directories that a guest may have in its tree at a time.
pub const TREE_NODES_MAX: usize = 10_000;

/// The deepest directory of a guest's tree.
pub const TREE_DEPTH_MAX: usize = 64;

/// The longest name in a guest's tree, in bytes: that of common file systems.
pub const TREE_NAME_BYTES_MAX: usize = 255;

/// The longest URL of an HTTP request, in bytes. Servers in use stop at 8 KiB.
pub const HTTP_URL_BYTES_MAX: usize = 8 * 1024;

/// The longest name of an HTTP method, in bytes. The longest registered one has 17.
pub const HTTP_METHOD_BYTES_MAX: usize = 32;

/// The most header fields of one HTTP message. Servers in use stop at 100.
pub const HTTP_FIELDS_MAX: usize = 128;

/// The most bytes of the header fields of one HTTP message together. Servers in use stop between 8 and 64 KiB.
pub const HTTP_FIELDS_BYTES_MAX: usize = 64 * 1024;

/// The largest body of an HTTP request or response, in bytes: a request and its response together must fit one
/// observation, [`TRANSCRIPT_ENTRY_BYTES_MAX`].
pub const HTTP_BODY_BYTES_MAX: usize = 896 * 1024;

/// The most HTTP requests of one run. Each may take a connection, and somebody else's server pays for it.
pub const HTTP_REQUESTS_MAX: usize = 64;

/// How long one HTTP request may take from the name to the last byte, in milliseconds. Below [`CALL_WALL_MS_MAX`], so
/// that a guest learns of a slow server before its own time is up.
pub const HTTP_REQUEST_MS_MAX: u64 = 10_000;

/// The most rules for HTTP requests of one manifest, caller or operator: each is asked for each request.
pub const HTTP_RULES_MAX: usize = 64;

/// The most bytes of HTTP header fields that one guest may hold at a time, copies among them: room for many messages of
/// the largest size.
pub const HTTP_FIELDS_HELD_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The most HTTP messages that one guest may begin to make, sent or not. Each holds a URL.
pub const HTTP_MESSAGES_MAX: usize = 1_024;

/// The largest receipt that goes into a header of a service's response, in bytes of base64. Clients in use cut the headers
/// of a response at 8 KiB and more.
pub const RECEIPT_HEADER_BYTES_MAX: usize = 7 * 1024;

/// How long a reply is kept after it was handed over, in milliseconds: a day, in which a program can be restarted and
/// ask again.
pub const REPLY_KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

/// How long it is believed what a channel's contract said, in milliseconds. A third of the shortest delay of a
/// withdrawal, so that one is noticed while vouchers can still be claimed.
pub const CHANNEL_KNOWN_MS: i64 = 5 * 60 * 1_000;

/// How long a channel rests before its vouchers are claimed, in milliseconds.
pub const CHANNEL_IDLE_MS: i64 = 60 * 60 * 1_000;

/// How long a payer has to wait for its deposit when the operator does not answer, in seconds: a day, so that an operator
/// who is away for a night loses nothing.
pub const CHANNEL_WITHDRAW_SECONDS: u64 = 24 * 60 * 60;

/// The longest text of a bearer token, in bytes. Servers in use cut a line of headers at 8 KiB, and a block takes 300
/// bytes and its names.
pub const TOKEN_BYTES_MAX: usize = 6 * 1024;

/// The most blocks of a bearer token, the issuer's included. Each costs a verification, and may be a budget that a call
/// reserves in.
pub const TOKEN_BLOCKS_MAX: usize = 16;

/// The longest name in a bearer token, in bytes: an account, an audience, or the full name of a function.
pub const TOKEN_NAME_BYTES_MAX: usize = 3 * NAME_BYTES_MAX + 1;

/// Credit that is bought at once, in atomic units: ten thousand dollars.
pub const CREDIT_AMOUNT_MAX: u128 = 10_000_000_000;

/// From how much on the vouchers of a channel are claimed, in atomic units: a dollar, of which a claim on a cheap chain
/// takes less than a hundredth.
pub const CLAIM_AMOUNT_DEFAULT: crate::Atomic = crate::Atomic(1_000_000);

/// The most vouchers that are claimed in one transaction: each costs some 75,000 gas.
pub const CLAIMS_MAX: usize = 100;

/// The longest `PAYMENT-REQUIRED` header, in bytes: the clients in use take 16 KiB of headers in all. What does not fit of
/// the extensions is left out.
pub const PAYMENT_REQUIRED_BYTES_MAX: usize = 12 * 1024;

/// The most payees that are paid in one transaction: each takes some 60,000 gas.
pub const PAY_OUTS_MAX: usize = 200;

/// The most of a run that one sweep pays one by one, where they cannot be paid together: each waits for a block, and
/// everything else for the sweep.
pub const PAY_OUTS_ALONE_MAX: usize = 8;

/// Transfers of one page of a statement.
pub const STATEMENT_ROWS_MAX: usize = 1_000;

/// Transfers that an audit reads at a time.
pub const AUDIT_PAGE: usize = 10_000;

/// Verified tokens that are remembered: each has a few kilobytes.
pub const TOKENS_REMEMBERED_MAX: usize = 1_024;

/// The most receipts of one batch: more would make each proof longer, and fewer the log.
pub const RECEIPT_BATCH_MAX: usize = 128;

/// How long a receipt waits for others before they are batched, in milliseconds: a busy executor adds one small entry to
/// the log in that time, and a payer waits no longer for its proof.
pub const RECEIPT_BATCH_MS: i64 = 10_000;

/// The most batches that one sweep logs, so that a crowd of receipts does not keep the others of its tasks waiting.
pub const RECEIPT_BATCHES_PER_SWEEP: usize = 64;

/// Entries of a log at most: more than any log will have, and far from where the tree's arithmetic would overflow.
pub const LOG_ENTRIES_MAX: u64 = 1 << 48;

/// The most hashes of a consistency proof that is sent to a witness. Fixed by C2SP tlog-witness.
pub const WITNESS_HASHES_MAX: usize = 63;

/// The longest request to a witness, in bytes: 63 hashes, and a checkpoint with many signatures.
pub const WITNESS_BODY_BYTES_MAX: usize = 32 * 1024;

/// The longest that a witness may take to answer, in milliseconds: what it does is one small write.
pub const WITNESS_WAIT_MS_MAX: u64 = 3_000;

/// The longest that a publisher waits for witnesses, in milliseconds. A release is published without them, too.
pub const WITNESSING_WAIT_MS_MAX: u64 = 4_000;

/// Logs that a witness watches at most, and witnesses that a log asks.
pub const WITNESSES_MAX: usize = 32;

/// Lines of a kind in a log policy at most. C2SP tlog-policy asks for 32 at least.
pub const LOG_POLICY_LINES_MAX: usize = 256;

/// The longest log policy, in bytes.
pub const LOG_POLICY_BYTES_MAX: u64 = 256 * 1024;

/// The longest proof file, in bytes: an entry in base64, and a checkpoint with many signatures.
pub const TLOG_PROOF_BYTES_MAX: usize = 128 * 1024;

/// By how much the clocks of a log, its witnesses and its readers may differ, in seconds.
pub const CLOCK_DIFFERENCE_SECONDS_MAX: u64 = 600;

/// How old a checkpoint may be where nobody says otherwise, in seconds: a day, so that mirrors that are brought up to date
/// daily are believed.
pub const LOG_AGE_SECONDS_DEFAULT: u64 = 24 * 3_600;

/// The longest file of a log, in bytes: an entry bundle of 256 entries.
pub const LOG_FILE_BYTES_MAX: usize = 256 * (LOG_ENTRY_BYTES_MAX + 2);

/// The longest name of a registry before the slash of a release: a host and its port.
pub const REGISTRY_NAME_BYTES_MAX: usize = 260;

/// The most bytes of the lists of packages in the components of a release, uncompressed. A large Rust program names 800
/// packages in 100 KB.
pub const SBOM_BYTES_MAX: usize = 1024 * 1024;

/// The most packages that the components of a release may name: four times what large programs have.
pub const SBOM_PACKAGES_MAX: usize = 4_096;

/// The longest name or version of a part of a component, in bytes. Compilers put their repository into theirs.
pub const SBOM_TEXT_BYTES_MAX: usize = 256;

/// The most tools that the components of a release may name. Those in use note five at most.
pub const SBOM_TOOLS_MAX: usize = 64;

/// The most releases in the answer to who is made of a package.
pub const SBOM_RELEASES_MAX: usize = 1_000;

/// The longest attestation, in bytes of JSON. Provenance that names hundreds of materials fits.
pub const ATTESTATION_BYTES_MAX: usize = 64 * 1024;

/// The longest URI of a builder or verifier, in bytes: pages show it.
pub const ATTESTATION_URI_BYTES_MAX: usize = 512;

/// The most attestations of one kind about one release. More would say the same again, and anybody may send one.
pub const ATTESTATIONS_MAX: usize = 256;

/// The most attestations of one kind about one release by one signer: room to correct oneself.
pub const ATTESTATIONS_PER_SIGNER_MAX: usize = 4;

/// How long a release that asks for more than the one before it is held, in milliseconds: three days, over a weekend, for
/// somebody to notice a key that was stolen.
pub const HOLD_MS: i64 = 72 * 60 * 60 * 1_000;

/// The most packages that one key releases anew within [`HOLD_CADENCE_MS`] before what follows is held. Who keeps many
/// packages releases some at once; a worm releases all: one in 2026 took 32 in three hours.
pub const HOLD_CADENCE_PACKAGES_MAX: usize = 8;

/// The window in which releases of one key are counted, in milliseconds.
pub const HOLD_CADENCE_MS: i64 = 60 * 60 * 1_000;

/// The longest advisory, in bytes of JSON: its log entry must stay below [`LOG_ENTRY_BYTES_MAX`].
pub const ADVISORY_BYTES_MAX: usize = 32 * 1024;

/// The longest id of an advisory, in bytes. Those of all databases in use stay below 40.
pub const ADVISORY_ID_BYTES_MAX: usize = 64;

/// The longest summary of an advisory, in bytes: it is shown in a line.
pub const ADVISORY_SUMMARY_BYTES_MAX: usize = 256;

/// The most ranges, events and versions of one advisory together: each is compared with each release that it may be about.
pub const ADVISORY_EVENTS_MAX: usize = 1_000;

/// The most advisories of one page of the feed.
pub const ADVISORIES_PAGE: usize = 100;

/// How far the time of a signed request may be from ours, in seconds: clocks that go wrong by a minute, and as long on the
/// way. Within it the same signature finds the same call.
pub const PROOF_SECONDS_MAX: u64 = 120;

/// The shortest nonce of a signed request, in bytes: shorter ones meet by chance.
pub const PROOF_NONCE_BYTES_MIN: usize = 16;

/// The longest nonce of a signed request, in bytes. A digest in hexadecimal digits fits.
pub const PROOF_NONCE_BYTES_MAX: usize = 64;

/// The longest name of an account or a cost centre, in bytes. Addresses of mail fit.
pub const ACCOUNT_NAME_BYTES_MAX: usize = 64;

/// The longest label of an account's token, in bytes: it is shown in a line.
pub const ACCOUNT_LABEL_BYTES_MAX: usize = 120;

/// The most tokens of one account that are in force at once: one for each place where it runs.
pub const ACCOUNT_TOKENS_MAX: usize = 100;

/// The most approvals of one account that wait for a person at once. Whoever asks for more is a program that has gone wrong.
pub const APPROVALS_WAITING_MAX: usize = 50;

/// How long an approval may be asked for, decided and used, in milliseconds from when it was asked for: a week, with the
/// weekend of who decides.
pub const APPROVAL_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// The most rows in an answer that lists accounts or approvals.
pub const ACCOUNTS_LISTED_MAX: usize = 10_000;

/// The most rows on a page of the chargeback.
pub const CHARGEBACK_ROWS_MAX: usize = 1_000;

/// The longest file of a company's policy, in bytes: some thousand packages by name.
pub const COMPANY_FILE_BYTES_MAX: u64 = 256 * 1024;

/// The longest SPDX expression that is evaluated, in bytes: those in use stay below 200, and brackets nest.
pub const LICENSE_BYTES_MAX: usize = 512;

/// How far back the use of a package is looked at, in milliseconds: thirty days.
pub const USAGE_WINDOW_MS: i64 = 30 * 24 * 60 * 60 * 1_000;

/// The fewest payers that make the use of a package organic. One or two may be its publisher's friends.
pub const ORGANIC_PAYERS_MIN: usize = 3;

/// The least that they pay for a call on average. Below it, use is cheaper to make up than what it is good for.
pub const ORGANIC_AVERAGE_MIN: crate::Atomic = crate::Atomic(1_000);

/// How many days a share waits for a payee that nobody knows, from the day on which it was earned: a year.
pub const UNCLAIMED_DAYS: i64 = 365;

/// The most days of payees in an answer that lists what nobody claimed.
pub const UNCLAIMED_LISTED_MAX: usize = 100_000;

/// How many periods of support are judged in one sweep.
pub const SUPPORT_BATCH: usize = 100;

/// How many pages of one release's source everybody together may read in an hour: ten people who read one every half
/// minute. Whoever wants it faster wants it in bulk.
pub const SOURCE_PAGES_PER_HOUR: u32 = 1_200;

/// The longest identity token of a forge, in bytes: those in use have some 2,000.
pub const OIDC_TOKEN_BYTES_MAX: usize = 16 * 1024;

/// How long a grant lasts that an identity token proves, in seconds: the workflow that asked for it is over by then.
pub const OIDC_GRANT_SECONDS: i64 = 60 * 60;

/// For how long the keys of a forge are kept, in milliseconds: ten minutes. Forges show a new key for longer before they sign
/// with it.
pub const OIDC_KEYS_MS: i64 = 10 * 60 * 1_000;

/// For how long a forge whose keys could not be fetched is not asked again, in milliseconds: what anybody may send makes
/// this registry ask somebody else, who may take seconds to be silent.
pub const OIDC_SILENT_MS: i64 = 30 * 1_000;

/// By how much the clock of a forge may be ahead, in seconds.
pub const OIDC_SKEW_SECONDS: i64 = 60;

/// The most entries of a blocklist.
pub const BLOCKLIST_ENTRIES_MAX: usize = 10_000;

/// The longest entry of one, in bytes: a payee's id, with the word before it.
pub const BLOCKED_BYTES_MAX: usize = PAYEE_ID_BYTES_MAX + 16;

/// The longest file of one, in bytes: all of its entries, with short reasons, in base64.
pub const BLOCKLIST_BYTES_MAX: usize = 4 * 1024 * 1024;

/// By how much the clock of whoever signs one may be ahead, in seconds.
pub const BLOCKLIST_SKEW_SECONDS: i64 = 60 * 60;

/// The most places of a component that can be told apart when a run comes by them: the pages between what no guest may have
/// and where a memory ends, less what it may have.
pub const PLACES_MARKED_MAX: usize = 1 << 14;

/// The largest component whose tests are tried on mutants, in bytes. Each mutant is compiled whole, in half a second at this size.
pub const MUTANTS_COMPONENT_BYTES_MAX: usize = 512 * 1024;

/// How many mutants are drawn of those that there could be, before it is known which of them are in code that tests run.
pub const MUTANTS_DRAWN_MAX: usize = 1_024;

/// How many mutants a component's tests are tried on. Enough to tell good tests from poor ones.
pub const MUTANTS_MAX: usize = 32;

/// The fewest mutants that say anything about tests.
pub const MUTANTS_MIN: usize = 8;

/// The most fuel that all mutants of a component may burn together. About ten seconds of work.
pub const MUTANTS_FUEL_MAX: u64 = 250_000_000_000;

/// What a test may burn of a mutant, as a multiple of what it burns of the component: beyond that, the mutant loops.
pub const MUTANT_FUEL_FACTOR: u64 = 4;

/// What a test may burn of a mutant at least. Some mistakes make a short way a little longer.
pub const MUTANT_FUEL_MIN: u64 = 1_000_000;

/// The least code by which a component is known again under another name, in bytes. The glue of a wrapper is shorter, and the
/// same for all of one interface.
pub const CODE_COMPARED_BYTES_MIN: usize = 1_024;

/// How long a publisher's key is new, in milliseconds: a week from its first release.
pub const KEY_NEW_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

/// The most packages that a new key may begin within a day. A maintainer who moves in with a dozen is not sent away; a lower
/// limit would stop nobody who floods, because another key costs nothing. What protects names is that each key has its own
/// namespaces, and that no name may look like another's.
pub const NEW_KEY_PACKAGES_MAX: usize = 20;

/// The time that they are counted over, in milliseconds: a day.
pub const NEW_KEY_WINDOW_MS: i64 = 24 * 60 * 60 * 1_000;

/// The most charges that are added up for one answer about earnings. About a second of reading.
pub const EARNINGS_CHARGES_MAX: usize = 500_000;

/// The most releases whose payees are gathered to tell who is related to a package. Far beyond what one imports and derives
/// from.
pub const RELATED_RELEASES_MAX: usize = 256;

/// The most implementations of one interface that are compared, those of the packages that had it first. Each costs some reads.
pub const IMPLEMENTATIONS_MAX: usize = 256;

/// How often a published release is tested anew where the machine failed, and not the release. What fails so often is said to
/// have failed, or it would keep what waits behind it waiting.
pub const TESTING_TRIES_MAX: u32 = 3;

/// How long an implementation is left alone on which the tests of its interface could not be run twice, in milliseconds; after
/// each further try in vain twice as long. The machine may be short of time or memory for a while.
pub const TESTING_PAUSE_MS: i64 = 60_000;

/// The longest of these pauses: a machine that is well again shall not keep anybody out for a day.
pub const TESTING_PAUSE_MS_MAX: i64 = 6 * 60 * 60 * 1_000;

/// How many of those that were not chosen an answer names, the best first.
pub const LEFT_OUT_LISTED_MAX: usize = 16;

/// In how many steps the relevance of a search result is told apart, of the best one's. Smaller differences come from how long
/// a description is, and say less than that somebody pays for it.
pub const SEARCH_RELEVANCE_STEPS: u32 = 20;

/// How long an answer is kept that takes some work and that anybody may ask for, in milliseconds. As long as pages may be.
pub const ANSWERS_KEPT_MS: i64 = 30_000;

/// How many of them are kept. A comparison of many implementations has some hundred kilobytes.
pub const ANSWERS_KEPT: usize = 256;

/// How many of them are computed at once. The others wait, so that reading what is free leaves the database to calls.
pub const ANSWERS_COMPUTED_AT_ONCE: usize = 2;

/// The most interfaces that a page lists: more than anybody reads.
pub const INTERFACES_LISTED_MAX: usize = 500;

/// How many of the newest runs of a release tell how long one takes. An odd number has a middle.
pub const RUN_TIMES_KEPT: usize = 101;

/// The fewest runs that tell how long one takes: below, the first one, which loads the code, weighs too much.
pub const RUN_TIMES_MIN: usize = 5;

/// The most bytes of the documents of a release: its licence, its README, and lists of its parts.
pub const DOCUMENTS_BYTES_MAX: usize = 2 * 1024 * 1024;
