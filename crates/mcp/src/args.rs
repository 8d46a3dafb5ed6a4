//! Reading the arguments of tools, with refusals that say what was wrong.

use glassbox_api::{CallBody, Problem};
use glassbox_core::{Atomic, PackageRef};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::provider::{Asked, Layer};

/// Arguments of `search`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Search {
    pub(crate) query: String,
    #[serde(default)]
    pub(crate) interface: Option<String>,
    #[serde(default)]
    pub(crate) pure: bool,
    #[serde(default)]
    pub(crate) max_price: Option<String>,
    #[serde(default)]
    pub(crate) limit: Option<usize>,
}

/// How much `describe` says.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Detail {
    Signature,
    Full,
}

/// Arguments of `describe`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Describe {
    pub(crate) id: String,
    #[serde(default)]
    pub(crate) function: Option<String>,
    #[serde(default)]
    pub(crate) detail: Option<Detail>,
}

/// Arguments of `read`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Read {
    pub(crate) id: String,
    pub(crate) layer: Layer,
    #[serde(default)]
    pub(crate) path: Option<String>,
    #[serde(default)]
    pub(crate) offset: usize,
}

/// Arguments of `quote`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Quote {
    pub(crate) id: String,
    pub(crate) function: String,
    #[serde(default)]
    pub(crate) fuel: Option<u64>,
}

/// Arguments of `call`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    id: String,
    function: String,
    #[serde(default)]
    args: Value,
    #[serde(default)]
    max_price: Option<String>,
    #[serde(default)]
    fuel: Option<u64>,
    #[serde(default)]
    grants: Option<Vec<String>>,
    #[serde(default)]
    choose: Option<String>,
    #[serde(default)]
    untested: bool,
    #[serde(default)]
    idempotency_key: Option<String>,
}

/// What an import is for.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Target {
    Rust,
    Ts,
    Python,
    Http,
}

/// Arguments of `plan_import`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanImport {
    pub(crate) id: String,
    pub(crate) target: Target,
}

/// Arguments of a tool that takes none.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Reads the arguments of a tool.
pub(crate) fn read<T: DeserializeOwned>(tool: &str, args: Map<String, Value>) -> Result<T, Problem> {
    serde_json::from_value(Value::Object(args))
        .map_err(|error| invalid(format!("`{tool}`: {error}"), "send what the tool's input schema describes"))
}

/// Reads the name of a release; without a version it is the newest.
pub(crate) fn release(id: &str) -> Result<PackageRef, Problem> {
    let named = id.strip_suffix("@latest").unwrap_or(id);
    named.parse::<PackageRef>().map_err(|error| {
        let next = "write it as `search` returns it: namespace:name@version";
        Problem::new(400, "name-invalid", format!("`id`: {error}"), next)
    })
}

impl Call {
    pub(crate) fn asked(self) -> Result<Asked, Problem> {
        let amount_max = price(self.max_price.as_deref())?;
        let args = if self.args.is_null() { Value::Array(Vec::new()) } else { self.args };
        let body = CallBody {
            args,
            fuel: self.fuel,
            nonce: None,
            grants: self.grants,
            choose: self.choose,
            untested: self.untested,
        };
        Ok(Asked {
            release: release(&self.id)?,
            function: self.function,
            body,
            amount_max,
            allowed: None,
            key: self.idempotency_key,
        })
    }
}

/// Reads a price in dollars.
pub(crate) fn price(text: Option<&str>) -> Result<Option<Atomic>, Problem> {
    text.map(Atomic::from_decimal).transpose().map_err(|error| {
        invalid(format!("`max_price`: {error}"), "write dollars as a text, such as \"0.01\"")
    })
}

pub(crate) fn invalid(detail: String, next: &str) -> Problem {
    Problem::new(400, "arguments-invalid", detail, next)
}
