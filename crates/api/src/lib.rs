//! What server and client of the HTTP API say to each other: plain data, and the paths it is found at.
//!
//! Wire types are kept apart from the types that decide, so that the wire does not freeze the program. Amounts are
//! strings of atomic units (`amount`) beside a decimal for people (`usd`); digests are `sha256:<hex>`.

mod about;
mod company;
mod implementations;
mod license;
mod money;
mod names;
mod operator;
mod problem;
mod receipts;
mod supply;
mod token;

use std::collections::BTreeMap;

use glassbox_core::dsse::Envelope;
use glassbox_core::log::{InclusionProof, MapProof, Standing, StandingProof};
use glassbox_core::receipt::Bundle;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use about::{
    AboutResponse, BountyResponse, BuildResponse, DocumentResponse, EditionResponse, LicenseChangeResponse,
    SecurityResponse, SourceResponse,
};
pub use company::{
    AccountRequest, AccountResponse, AccountTokenRequest, AccountTokenResponse, AccountTokensResponse,
    AccountsResponse, ApprovalResponse, ApprovalsResponse, BudgetRequest, ChargebackResponse, ChargebackRow,
    ChargebackSum, DecisionRequest, PayInRequest, SettleRequest, SettleResponse,
};
pub use implementations::{
    ChosenResponse, ImplementationResponse, ImplementationsResponse, ImplementedFunction, InterfaceSummary,
    InterfacesResponse, LeftOutResponse, SpecSourceResponse, SpecTestsResponse,
};
pub use license::{
    ForSaleResponse, LicenseBody, LicenseResponse, OidcBody, RedeemBody, SpreadBody, SpreadResponse,
    SpreadTipResponse, TipBody, TipResponse,
};
pub use money::{
    AuditResponse, BalanceResponse, ClaimResponse, CreditBalanceResponse, CreditRefundRequest, CreditRequest,
    CreditResponse, EarningRow, EarningsQuery, EarningsResponse, FaucetRequest, GrantRequest, PayoutRequest,
    PayoutResponse, PayoutRow, StatementResponse, StatementRow,
};
pub use names::{
    ActRequest, ActResponse, AuthorshipResponse, MarkResponse, NamespaceResponse, PendingResponse,
};
pub use operator::{
    ActionRow, ActionsResponse, BlocklistEntry, BlocklistResponse, BlocklistsResponse, CreditDueResponse,
    FreezeRequest, FreezeResponse, NoticeDecision, NoticeRequest, NoticeResponse, NoticesResponse,
    PayeeRequest, PayeeResponse, PayeesResponse, RefundRequest, RefundResponse, UnclaimedResponse,
};
pub use problem::Problem;
pub use receipts::{
    ContradictionRequest, ContradictionResponse, ExecutorResponse, ProofResponse, VerifyResponse,
};
pub use supply::{
    AdvisoriesResponse, AdvisoryNote, AdvisoryResponse, AttestationResponse, AttestationsResponse,
    HeldResponse, MadeOf, MadeOfResponse,
};
pub use token::RevokeRequest;

/// An amount of money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Money {
    /// Atomic units: millionths of a dollar, as digits.
    #[schema(example = "2000")]
    pub amount: String,
    /// The same in dollars, as a decimal.
    #[schema(example = "0.002")]
    pub usd: String,
}

impl From<glassbox_core::Atomic> for Money {
    fn from(amount: glassbox_core::Atomic) -> Self {
        Self { amount: amount.to_string(), usd: amount.to_decimal() }
    }
}

/// Who this registry is: its keys, its log, and where money goes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Descriptor {
    /// The program and its version.
    pub software: String,
    /// The key that signs receipts, as a `did:key`.
    pub executor: String,
    /// The key that quarantines releases, as a `did:key`. It decides over no name.
    #[serde(default)]
    pub operator: String,
    /// The verifier key of the log (C2SP signed-note).
    pub log_key: String,
    /// The verifier key with which it cosigns the checkpoints of others, where it is a witness: under `/witness`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness_key: Option<String>,
    /// The registry whose copy this is, where it is a mirror, which nothing can be called at or published to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror_of: Option<String>,
    /// The profile that runs are metered by: its digest.
    pub profile: String,
    /// The operator's fee, in basis points of each charge.
    pub fee_bps: u32,
    /// The payee to whom shares go that nobody claims, where their terms name the commons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commons: Option<String>,
    /// How payments are made.
    pub payment: PaymentDescriptor,
}

/// How payments are made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PaymentDescriptor {
    /// For people: `devnet, play money` where it is.
    pub label: String,
    /// The x402 schemes accepted.
    pub schemes: Vec<String>,
    /// The network, as a CAIP-2 id.
    pub network: String,
    /// The token.
    pub asset: String,
    /// Who is paid.
    pub pay_to: String,
    /// Whether `POST /v1/devnet/faucet` hands out play money.
    pub faucet: bool,
}

/// A file of a layer: exactly one of `text` and `base64`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The path within its layer, with `/` between folders.
    pub path: String,
    /// The contents, where they are UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The contents in base64, where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

/// A release to publish: its layers, and the publisher's signed statement over them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// The text of `glassbox.toml`.
    pub manifest: String,
    /// The WIT files.
    pub wit: Vec<File>,
    /// The test files.
    #[serde(default)]
    pub tests: Vec<File>,
    /// The component, in base64.
    pub component: String,
    /// The components that editions have of their own, in base64, by the names of these.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub editions: BTreeMap<String, String>,
    /// The documents that the manifest names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub documents: Vec<File>,
    /// The files that it may read, where it ships any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Vec<File>>,
    /// The source files, where they are published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Vec<File>>,
    /// A DSSE envelope with the release statement.
    #[schema(value_type = Object)]
    pub statement: Envelope,
}

/// What a publisher gets back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PublishResponse {
    /// The release, `ns:name@version`.
    pub release: String,
    /// Whether it is new; otherwise the very same release was there already.
    pub new: bool,
    /// The component's digest.
    pub component: String,
    /// What the tests showed.
    pub tests: TestSummary,
    /// The log entry, as it was logged.
    pub entry: String,
    /// Proves that the log has it.
    #[schema(value_type = Object)]
    pub proof: InclusionProof,
    /// Why it is held, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldResponse>,
}

/// What tests showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestSummary {
    /// How many passed.
    pub passed: usize,
    /// How many failed.
    pub failed: usize,
    /// The most fuel that a case burnt.
    pub fuel_max: u64,
    /// What a case burns in the component itself, without its dependencies, in the median; absent where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel_baseline: Option<u64>,
    /// The dependencies without a price that worked in them, which share in what sales of the release earn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub efforts: Vec<EffortResponse>,
    /// What trying them on mutants of the component showed; absent until they were tried, soon after publish.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<StrengthResponse>,
}

/// What a dependency did in the tests of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EffortResponse {
    /// The dependency.
    #[schema(example = "acme:zip@1.2.0")]
    pub release: String,
    /// The digest of the terms that it is pinned with.
    pub terms: String,
    /// The fuel that it burnt itself.
    pub fuel: u64,
    /// The most of it that counts; all of it when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel_counted_max: Option<u64>,
}

/// How strong tests are: how many small mistakes in the code that they run they notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StrengthResponse {
    /// How many mutants failed a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 27)]
    pub caught: Option<usize>,
    /// Of how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 32)]
    pub mutants: Option<usize>,
    /// In place of both, why they were not tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmeasured: Option<String>,
}

impl std::fmt::Display for StrengthResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.caught, self.mutants, &self.unmeasured) {
            (Some(caught), Some(mutants), _) => write!(f, "caught {caught} of {mutants} mutants"),
            (_, _, Some(why)) => write!(f, "not tried on mutants: {why}"),
            _ => f.write_str("not tried on mutants"),
        }
    }
}

/// What to search for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema, IntoParams)]
pub struct SearchQuery {
    /// Words, an identifier, or a sentence that says what you need.
    pub q: String,
    /// How many results; at most 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Only packages that export this interface, such as `convert` or `docs:markdown/convert`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Only packages that touch nothing outside.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pure: bool,
    /// Only packages with a function of which a call costs at most so many dollars, such as `0.01`. `0` is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<String>,
}

/// Search results, best first.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SearchResponse {
    /// The results.
    pub results: Vec<SearchResult>,
}

/// One search result.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SearchResult {
    /// The package, `ns:name`.
    pub package: String,
    /// Its newest version.
    pub version: String,
    /// The publisher's own one-line description: untrusted text.
    pub description: String,
    /// The exported functions.
    pub functions: Vec<FunctionSummary>,
    /// Whether it touches nothing outside.
    pub pure: bool,
    /// How many of its tests passed when it was published.
    pub tests_passed: usize,
    /// How many payers used it within thirty days who have nothing to do with it nor with one another. What is as relevant goes
    /// by them. Said by searches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payers_organic: Option<usize>,
    /// The fields that matched: why it is here.
    pub matched: Vec<String>,
}

/// An exported function, in a line.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FunctionSummary {
    /// The name to call it by: `function` or `interface.function`.
    pub name: String,
    /// The signature in WIT.
    pub signature: String,
    /// What it costs, for people.
    pub price: String,
}

/// A package and its versions.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PackageResponse {
    /// The package, `ns:name`.
    pub package: String,
    /// The first of the keys that control the namespace, as a `did:key`; `/v1/namespaces/{ns}` has all.
    pub owner: String,
    /// The versions, highest first.
    pub versions: Vec<String>,
    /// Those that are yanked: `latest` and ranges do not mean them.
    #[serde(default)]
    pub yanked: Vec<String>,
    /// Those that the operator stopped.
    #[serde(default)]
    pub quarantined: Vec<String>,
}

/// Whether a package is listed, and what would help it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ListingResponse {
    /// The newest release, `ns:name@version`: search reads this one.
    pub release: String,
    /// Whether search has it.
    pub listed: bool,
    /// Where it stands among the results of a search; absent where it is not among the first fifty, or none was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
    /// The fields that matched.
    pub matched: Vec<String>,
    /// What would help others to find and use it.
    pub advice: Vec<String>,
}

/// Everything public of a release, but its files.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReleaseResponse {
    /// The release, `ns:name@version`.
    pub release: String,
    /// The publisher's own one-line description: untrusted text.
    pub description: String,
    /// The licence that the component is under now.
    pub license: String,
    /// The licence that it comes under later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license_change: Option<LicenseChangeResponse>,
    /// Who made it, in the publisher's word.
    pub authors: Vec<String>,
    /// Where it is developed.
    pub repository: Option<String>,
    /// Keywords.
    pub keywords: Vec<String>,
    /// The world that it implements.
    pub world: String,
    /// The exported functions.
    pub functions: Vec<FunctionResponse>,
    /// Whether it touches nothing outside.
    pub pure: bool,
    /// The host interfaces that it was granted and uses.
    pub grants: Vec<String>,
    /// Imports that its toolchain left in; calling one fails.
    pub inert_imports: Vec<String>,
    /// The component's digest.
    pub component: String,
    /// Its size.
    pub component_bytes: usize,
    /// The files that it may read, where it ships any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<FilesSummary>,
    /// Whether it and its files may be downloaded.
    pub download: bool,
    /// What a download costs; absent where it is free, or not allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_price: Option<Money>,
    /// The plans and licences that can be bought or taken, which an agent should tell its people of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub for_sale: Vec<ForSaleResponse>,
    /// The parts of its exports that have terms of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub editions: Vec<EditionResponse>,
    /// What its publisher says of it beside what it does and costs.
    #[serde(default)]
    pub about: AboutResponse,
    /// The works that it derives from, and what they get of what it earns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived_from: Vec<DerivedFromResponse>,
    /// The release of another publisher that first had its code, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_code_as: Option<SameCodeResponse>,
    /// The fuel ceiling of a call that names none.
    pub fuel_max: u64,
    /// What the tests showed at publish.
    pub tests: TestSummary,
    /// The key that published it, as a `did:key`.
    pub publisher: String,
    /// Who made it, in the publisher's word.
    pub authorship: AuthorshipResponse,
    /// Whether it is yanked, where it ever was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked: Option<MarkResponse>,
    /// Whether the operator stopped it, where that ever was so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<MarkResponse>,
    /// The publisher's signed statement.
    #[schema(value_type = Object)]
    pub statement: serde_json::Value,
    /// The index of its log entry.
    pub log_index: u64,
    /// The digest of the terms that stand.
    #[serde(default)]
    pub terms: String,
    /// The indexes of the log entries that changed its terms, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terms_changes: Vec<u64>,
    /// When it was published, in RFC 3339.
    pub published_at: String,
    /// Advisories that affect it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advisories: Vec<AdvisoryNote>,
    /// Why it is held, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<HeldResponse>,
}

/// A work that a release derives from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DerivedFromResponse {
    /// The release.
    pub release: String,
    /// The digest of its terms, which name its payees.
    pub terms: String,
    /// What it gets of all that the deriving release receives, of 10000.
    pub share: u32,
}

/// The release that first had some code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SameCodeResponse {
    /// The release.
    pub release: String,
    /// The key that published it, as a `did:key`.
    pub publisher: String,
    /// Whether the later one says that it derives from that package.
    pub declared: bool,
}

/// The files that a release ships for its component to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FilesSummary {
    /// The digest of the set.
    pub digest: String,
    /// How many there are.
    pub count: usize,
    /// How many bytes they have together.
    pub size_bytes: usize,
}

/// An exported function.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FunctionResponse {
    /// The name to call it by: `function` or `interface.function`.
    pub name: String,
    /// The full name.
    pub full_name: String,
    /// The signature in WIT.
    pub signature: String,
    /// The publisher's doc comment: untrusted text.
    pub docs: String,
    /// What it costs, for people.
    pub price: String,
    /// Why it cannot be called by value, where it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_callable: Option<String>,
    /// The JSON Schema of the arguments by name.
    #[schema(value_type = Object)]
    pub input_schema: serde_json::Value,
    /// The JSON Schema of the output.
    #[schema(value_type = Object)]
    pub output_schema: serde_json::Value,
    /// An example of the arguments by name: the smallest that shows their form.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub input_example: serde_json::Value,
}

/// The files of a layer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FilesResponse {
    /// The digest of the set.
    pub digest: String,
    /// The files.
    pub files: Vec<File>,
}

/// The most that a call can cost.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct QuoteResponse {
    /// The release, `ns:name@version`.
    pub release: String,
    /// The full name of the function.
    pub function: String,
    /// The fuel ceiling that the quote is for.
    pub fuel_max: u64,
    /// The most that it can cost.
    pub max: Money,
    /// One line for each price that applies.
    pub lines: Vec<QuoteLine>,
    /// The digest of the terms.
    pub terms: String,
    /// The operator's fee, in basis points of what is charged: it is part of the price, and on the receipt.
    #[serde(default)]
    pub fee_bps: u32,
    /// What you should know of the release: that it is yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// What x402 asks for; absent when the call is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub payment_required: Option<serde_json::Value>,
}

/// One line of a quote.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct QuoteLine {
    /// The id of the price.
    pub price: String,
    /// The dependency that charges it, `ns:name@version`; absent where that is the release itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependency: Option<String>,
    /// What is counted: `call` or `fuel`.
    pub unit: String,
    /// How many units.
    pub quantity: u64,
    /// What they come to.
    pub max: Money,
}

/// A call.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CallBody {
    /// The arguments: an array by position or an object by name. Absent means none.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub args: serde_json::Value,
    /// The fuel ceiling; the release's own when absent. It bounds the price of what is paid by fuel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// Anything, to tell this request from another with the same arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// What of the declared host interfaces the component may use, such as `wasi:clocks/wall-clock`; all of them when
    /// absent. A URL, `https://api.example.com/v1/` or `GET https://*.example.com`, allows HTTP requests to it alone and
    /// what lies below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<String>>,
    /// Which implementation of the function's interface to call: `cheapest`, `fastest`, `most-proven`, or `pinned`
    /// to the package that is named, as when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choose: Option<String>,
    /// Whether `choose` may take one that does not pass the interface's own tests, or on which they were not run yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub untested: bool,
}

/// What a call gave.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CallResponse {
    /// Where the source is, where the licence gives it to whoever calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where those of what it imports are, where their licences do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// The call's id.
    pub call: String,
    /// What the function returned; `null` when it returns nothing.
    #[schema(value_type = Object)]
    pub output: serde_json::Value,
    /// The fuel burnt.
    pub fuel_used: u64,
    /// What was charged.
    pub charged: Money,
    /// Whether this is the stored reply of an earlier presentation of the payment.
    pub replayed: bool,
    /// What you should know of the release: that it is yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
    /// The implementation that was chosen, where the request left it open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<ChosenResponse>,
    /// The receipt with what opens it: keep it, it is enough to verify the call offline.
    #[schema(value_type = Object)]
    pub receipt: Bundle,
    /// Advisories that affect the release: a warning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advisories: Vec<AdvisoryNote>,
}

/// What stands about a package, a namespace or an executor, with the proof of it. Enough to be checked offline.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct StandingResponse {
    /// What it is about.
    #[schema(example = "text:slugify")]
    pub about: String,
    /// What stands: the newest entry, how many there are, the versions with their terms, what is yanked and quarantined.
    /// Absent where the log has no entry about it, which `proof` then proves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub standing: Option<Standing>,
    /// The way through the map of the checkpoint.
    #[schema(value_type = Object)]
    pub proof: MapProof,
    /// The signed checkpoint, with the root of the map and the time.
    pub checkpoint: String,
}

impl From<StandingProof> for StandingResponse {
    fn from(StandingProof { about, standing, proof, checkpoint }: StandingProof) -> Self {
        Self { about, standing, proof, checkpoint }
    }
}
