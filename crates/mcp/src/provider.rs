//! What stands behind the tools.

use async_trait::async_trait;
use glassbox_api::{
    CallBody, CallResponse, FilesResponse, Money, Problem, QuoteResponse, ReleaseResponse, SearchQuery,
    SearchResponse,
};
use glassbox_core::{Atomic, PackageRef};
use serde_json::Value;

/// Who answers the tools. Every refusal is the problem that the HTTP API would answer with.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Finds packages, best first.
    async fn search(&self, query: SearchQuery) -> Result<SearchResponse, Problem>;

    /// Returns everything public of a release, but its files.
    async fn release(&self, release: &PackageRef) -> Result<ReleaseResponse, Problem>;

    /// Returns the files of a public layer.
    async fn files(&self, release: &PackageRef, layer: Layer) -> Result<FilesResponse, Problem>;

    /// Returns the most that a call can cost, and what is asked to be paid for it as a call of `tool`.
    async fn quote(&self, asked: &Asked, tool: &PaidTool) -> Result<QuoteResponse, Problem>;

    /// Runs a function once. Where it has a price and nothing pays, the problem carries the requirements of x402 as
    /// `required`.
    async fn call(&self, asked: &Asked, tool: &PaidTool, payment: Option<Payment>)
    -> Result<Called, Problem>;

    /// Tells whether calls are paid by a wallet behind this provider, and not by who calls the tool.
    fn has_wallet(&self) -> bool {
        false
    }

    /// Returns what the wallet spent today, beside what it may, where there is one.
    async fn spending(&self) -> Option<Result<Value, Problem>> {
        None
    }
}

/// A public layer of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    /// The interface.
    Wit,
    /// The test cases.
    Tests,
    /// `glassbox.toml`.
    Manifest,
    /// The source, where it is published.
    Source,
}

impl Layer {
    /// Returns the name of the layer.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wit => "wit",
            Self::Tests => "tests",
            Self::Manifest => "manifest",
            Self::Source => "source",
        }
    }
}

/// A call, as a tool asks for it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The release.
    pub release: PackageRef,
    /// The function, by any of its names.
    pub function: String,
    /// Arguments, fuel ceiling and grants.
    pub body: CallBody,
    /// The most that it may cost, where the caller says.
    pub amount_max: Option<Atomic>,
    /// What a person allowed it to cost, who was [asked](crate::Question).
    pub allowed: Option<Atomic>,
    /// The caller's own name for the request: asked again under it, the answer is the first one's.
    pub key: Option<String>,
}

/// The tool that is paid for.
#[derive(Debug, Clone)]
pub struct PaidTool {
    /// Its name.
    pub name: String,
    /// What it does, in a sentence.
    pub description: String,
    /// An example of its arguments.
    pub example: Value,
    /// Their JSON schema.
    pub schema: Value,
}

impl PaidTool {
    /// Returns the name of the tool as a resource of x402.
    pub fn url(&self) -> String {
        format!("mcp://tool/{}", self.name)
    }
}

/// What came with a request to pay for it.
#[derive(Debug, Clone)]
pub enum Payment {
    /// A payment of x402, out of `_meta`.
    X402(Value),
    /// The bearer token of the HTTP request: it may spend prepaid credit.
    Bearer(String),
}

/// What a call gave.
#[derive(Debug, Clone)]
pub struct Called {
    /// What the function returned.
    pub output: Value,
    /// What was charged.
    pub charged: Money,
    /// The fuel burnt.
    pub fuel_used: u64,
    /// The call's id; absent where it ran on this machine.
    pub call: Option<String>,
    /// Whether this is the stored reply of an earlier request.
    pub replayed: bool,
    /// The receipt with what opens it.
    pub receipt: Option<Value>,
    /// What x402 calls the settlement, where something was settled for whoever called the tool.
    pub settlement: Option<Value>,
    /// Where the source is, where the licence gives it to whoever calls.
    pub source: Option<Value>,
    /// Where those of what it imports are, where their licences do.
    pub sources: Option<Value>,
    /// What the provider adds for the caller to read, such as that the receipt holds.
    pub notes: Vec<(&'static str, Value)>,
}

impl From<CallResponse> for Called {
    fn from(response: CallResponse) -> Self {
        Self {
            output: response.output,
            charged: response.charged,
            fuel_used: response.fuel_used,
            call: Some(response.call),
            replayed: response.replayed,
            receipt: serde_json::to_value(response.receipt).ok(),
            settlement: None,
            source: response.source.map(Value::from),
            sources: Some(response.sources).filter(|sources| !sources.is_empty()).map(Value::from),
            notes: response.notice.map(|notice| ("notice", notice.into())).into_iter().collect(),
        }
    }
}
