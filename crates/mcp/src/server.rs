//! What the tools answer.

use std::sync::Arc;

use glassbox_api::{CallBody, FunctionResponse, Problem, ReleaseResponse, SearchQuery, SearchResult};
use glassbox_core::{Atomic, FunctionName, PackageRef};
use rmcp::model::Tool;
use serde_json::{Map, Value, json};

use crate::args::{self, Call, Describe, Detail, Nothing, PlanImport, Quote, Read, Search};
use crate::provider::{Asked, PaidTool, Payment, Provider};
use crate::text::{UNTRUSTED, shown};
use crate::tools::{RESULTS_MAX, call_schema, tools};
use crate::{import, package};

/// Where a client finds the receipt of a call, whole, in the `_meta` of its result. No model needs to read it.
pub const RECEIPT: &str = "dev.glassbox/receipt";

/// Where a client finds the URL of the source of what it called, in the same place, where its licence gives it to callers.
pub const SOURCE: &str = "dev.glassbox/source";

/// Where it finds those of what that imports, an array.
pub const SOURCES: &str = "dev.glassbox/sources";

/// Where the settlement of a payment of x402 goes.
pub(crate) const PAYMENT_RESPONSE: &str = "x402/payment-response";

/// How much of a publisher's text is shown at once, in characters.
const DESCRIPTION_CHARS_MAX: usize = 200;
const DOCS_CHARS_MAX: usize = 1_000;
const FILE_CHARS_MAX: usize = 16_000;

/// How many functions a search result names, and a description without a name shows in full.
const FUNCTIONS_NAMED_MAX: usize = 4;
const FUNCTIONS_FULL_MAX: usize = 1;

/// A server over a provider: with the six tools, or with the functions of one release as tools.
#[derive(Clone)]
pub struct Server {
    pub(crate) provider: Arc<dyn Provider>,
    pub(crate) release: Option<Arc<(PackageRef, ReleaseResponse)>>,
    pinned: Option<Vec<String>>,
}

/// The answer of a tool.
pub(crate) struct Answer {
    pub(crate) content: Value,
    pub(crate) meta: Map<String, Value>,
}

impl From<Value> for Answer {
    fn from(content: Value) -> Self {
        Self { content, meta: Map::new() }
    }
}

impl Server {
    /// A server with the six tools.
    pub fn new(provider: Arc<dyn Provider>) -> Self {
        Self { provider, release: None, pinned: None }
    }

    /// A server whose tools are the functions of one release.
    pub fn of_release(provider: Arc<dyn Provider>, id: PackageRef, release: ReleaseResponse) -> Self {
        Self { provider, release: Some(Arc::new((id, release))), pinned: None }
    }

    /// Shows only these tools, in the usual order.
    #[must_use]
    pub fn pinned(self, names: Vec<String>) -> Self {
        Self { pinned: Some(names), ..self }
    }

    fn is_shown(&self, name: &str) -> bool {
        self.pinned.as_ref().is_none_or(|pinned| pinned.iter().any(|shown| shown == name))
    }

    pub(crate) async fn tools(&self) -> Vec<Tool> {
        let Some((id, release)) = self.release.as_deref() else {
            let tools = tools(self.provider.has_wallet()).iter();
            return tools.filter(|tool| self.is_shown(&tool.name)).cloned().collect();
        };
        let mut shown = Vec::new();
        for function in package::functions(release, self.pinned.as_deref()) {
            let asked = asked_of(id, &function.name, Value::Null);
            // Where a quote is refused the tool is shown all the same: the call will say why.
            let quote = self.provider.quote(&asked, &package::paid(release, function)).await.ok();
            shown.push(package::tool(release, function, quote.as_ref()));
        }
        shown
    }

    pub(crate) async fn answer(
        &self,
        tool: &str,
        args: Map<String, Value>,
        payment: Option<Payment>,
        allowed: Option<Atomic>,
    ) -> Result<Answer, Problem> {
        if let Some((id, release)) = self.release.as_deref() {
            // Every callable function, not only those that are listed: a host may know more than it shows.
            let function = release.functions.iter().find(|function| function.name == tool);
            let function =
                function.ok_or_else(|| unknown(tool, release.functions.iter().map(|f| f.name.as_str())))?;
            let asked = Asked { allowed, ..asked_of(id, &function.name, Value::Object(args)) };
            return self.call(asked, &package::paid(release, function), payment).await;
        }
        match tool {
            "search" => self.search(args::read(tool, args)?).await,
            "describe" => self.describe(args::read(tool, args)?).await,
            "read" => self.read(args::read(tool, args)?).await,
            "quote" => self.quote(args::read(tool, args)?).await,
            "call" => {
                let example = Value::Object(args.clone());
                let asked = Asked { allowed, ..args::read::<Call>(tool, args)?.asked()? };
                self.call(asked, &generic(example), payment).await
            }
            "plan_import" => {
                let PlanImport { id, target } = args::read(tool, args)?;
                let release = self.provider.release(&args::release(&id)?).await?;
                Ok(import::plan(&release, target).into())
            }
            "spending" => {
                let Nothing {} = args::read(tool, args)?;
                let spending = self.provider.spending().await;
                spending.unwrap_or_else(|| Err(unknown(tool, names(false)))).map(Answer::from)
            }
            _ => Err(unknown(tool, names(self.provider.has_wallet()))),
        }
    }

    async fn search(&self, search: Search) -> Result<Answer, Problem> {
        let Search { query, interface, pure, max_price, limit } = search;
        args::price(max_price.as_deref())?;
        let limit = Some(limit.unwrap_or(5).clamp(1, RESULTS_MAX));
        let found = self.provider.search(SearchQuery { q: query, limit, interface, pure, max_price }).await?;
        let rows: Vec<Value> = found.results.iter().map(row).collect();
        Ok(json!({ "results": rows }).into())
    }

    async fn describe(&self, describe: Describe) -> Result<Answer, Problem> {
        let release = self.provider.release(&args::release(&describe.id)?).await?;
        let named = describe.function.as_deref();
        let is_named = |function: &&FunctionResponse| {
            let matches =
                |name| function.full_name.parse().is_ok_and(|full: FunctionName| full.matches(name));
            named.is_none_or(matches)
        };
        let chosen: Vec<_> = release.functions.iter().filter(is_named).collect();
        if chosen.is_empty() {
            let names: Vec<&str> = release.functions.iter().map(|function| function.name.as_str()).collect();
            let detail = format!("there is no such function; there are {}", names.join(", "));
            return Err(Problem::new(404, "function-not-found", detail, "name one of them"));
        }
        let full = match describe.detail {
            Some(detail) => detail == Detail::Full,
            None => chosen.len() <= FUNCTIONS_FULL_MAX,
        };
        let functions: Vec<Value> =
            chosen.into_iter().map(|function| describe_function(function, full)).collect();
        let mut said = json!({
            "id": release.release,
            "functions": functions,
            "pure": release.pure,
            "license": release.license,
            "tests": release.tests,
            "fuel_max": release.fuel_max,
            "publisher": release.publisher,
            "download": release.download,
            UNTRUSTED: { "description": shown(&release.description, DESCRIPTION_CHARS_MAX) },
        });
        for (name, mark) in [("yanked", &release.yanked), ("quarantined", &release.quarantined)] {
            if let Some(mark) = mark {
                said[name] = json!(mark);
            }
        }
        if !release.grants.is_empty() {
            said["grants"] = json!(release.grants);
        }
        if let Some(price) = &release.download_price {
            said["download_price"] = json!(price);
        }
        if !release.for_sale.is_empty() {
            said["for_sale"] = json!(release.for_sale);
        }
        if !release.derived_from.is_empty() {
            said["derived_from"] = json!(release.derived_from);
        }
        if let Some(first) = &release.same_code_as {
            said["same_code_as"] = json!(first);
        }
        Ok(said.into())
    }

    async fn read(&self, read: Read) -> Result<Answer, Problem> {
        let files = self.provider.files(&args::release(&read.id)?, read.layer).await?.files;
        let listed: Vec<Value> = files
            .iter()
            .map(|file| json!({ "path": file.path, "chars": file.text.as_ref().map(|text| text.chars().count()) }))
            .collect();
        let mut said = json!({ "id": read.id, "layer": read.layer.as_str(), "files": listed });
        let file = match (&read.path, files.as_slice()) {
            (Some(path), files) => Some(files.iter().find(|file| file.path == *path).ok_or_else(|| {
                args::invalid(
                    format!("the layer has no file `{path}`"),
                    "name one of `files`, or leave `path` out",
                )
            })?),
            (None, [file]) => Some(file),
            (None, _) => None,
        };
        if let Some(file) = file {
            let text = file.text.as_deref().unwrap_or("(not text)");
            let rest: String = text.chars().skip(read.offset).collect();
            said["path"] = json!(file.path);
            let part: String = rest.chars().take(FILE_CHARS_MAX).collect();
            said[UNTRUSTED] = json!({ "text": shown(&part, FILE_CHARS_MAX) });
            if rest.chars().nth(FILE_CHARS_MAX).is_some() {
                said["next_offset"] = json!(read.offset + FILE_CHARS_MAX);
            }
        }
        Ok(said.into())
    }

    async fn quote(&self, quote: Quote) -> Result<Answer, Problem> {
        let id = args::release(&quote.id)?;
        let body = CallBody { fuel: quote.fuel, ..Default::default() };
        let example = json!({ "id": quote.id, "function": quote.function });
        let asked = Asked { function: quote.function, body, ..asked_of(&id, "", Value::Null) };
        let quoted = self.provider.quote(&asked, &generic(example)).await?;
        let mut said = json!({
            "id": quoted.release,
            "function": quoted.function,
            "max": quoted.max,
            "fuel_max": quoted.fuel_max,
            "lines": quoted.lines,
            "terms": quoted.terms,
            "fee_bps": quoted.fee_bps,
        });
        if let Some(notice) = quoted.notice {
            said["notice"] = json!(notice);
        }
        if let Some(required) = quoted.payment_required {
            said["required"] = required;
        }
        Ok(said.into())
    }

    async fn call(
        &self,
        mut asked: Asked,
        tool: &PaidTool,
        payment: Option<Payment>,
    ) -> Result<Answer, Problem> {
        if let Some(max) = asked.amount_max.filter(|_| !self.provider.has_wallet()) {
            let quote = self.provider.quote(&asked, tool).await?;
            let amount: Atomic = quote.max.amount.parse().unwrap_or(Atomic(u128::MAX));
            if amount > max {
                return Err(price_above_max(&quote.max.usd, max));
            }
            // What was quoted is what is called, also where a newer release comes in between.
            asked.release = args::release(&quote.release)?;
        }
        let called = self.provider.call(&asked, tool, payment).await?;
        let mut said =
            json!({ "output": called.output, "charged": called.charged, "fuel_used": called.fuel_used });
        if let Some(call) = called.call {
            said["call"] = json!(call);
        }
        if called.replayed {
            said["replayed"] = json!(true);
        }
        for (name, note) in called.notes {
            said[name] = note;
        }
        let mut answer = Answer::from(said);
        let meta = [
            (RECEIPT, called.receipt),
            (SOURCE, called.source),
            (SOURCES, called.sources),
            (PAYMENT_RESPONSE, called.settlement),
        ];
        for (key, value) in meta {
            answer.meta.extend(value.map(|value| (key.to_owned(), value)));
        }
        Ok(answer)
    }
}

/// Says that a call would cost more than its caller allows.
fn price_above_max(usd: &str, max: Atomic) -> Problem {
    let detail = format!("this can cost {usd} dollars, more than the {} allowed", max.to_decimal());
    let mut problem = Problem::new(402, "price-above-max", detail, "raise `max_price`, or lower `fuel`");
    problem.extra.insert("needed".into(), usd.into());
    problem
}

fn names(wallet: bool) -> impl Iterator<Item = &'static str> {
    tools(wallet).iter().map(|tool| &*tool.name)
}

fn unknown<'a>(tool: &str, names: impl Iterator<Item = &'a str>) -> Problem {
    let tool: String = tool.chars().take(60).collect();
    let detail = format!("there is no tool `{tool}`; there are {}", names.collect::<Vec<_>>().join(", "));
    Problem::new(404, "tool-not-found", detail, "name one of them")
}

fn generic(example: Value) -> PaidTool {
    PaidTool {
        name: "call".into(),
        description: "Run a function of any release.".into(),
        example,
        schema: call_schema(),
    }
}

fn asked_of(id: &PackageRef, function: &str, args: Value) -> Asked {
    Asked {
        release: id.clone(),
        function: function.to_owned(),
        body: CallBody { args, ..Default::default() },
        amount_max: None,
        allowed: None,
        key: None,
    }
}

fn row(result: &SearchResult) -> Value {
    let named: Vec<Value> = result
        .functions
        .iter()
        .take(FUNCTIONS_NAMED_MAX)
        .map(|function| json!({ "function": function.name, "signature": function.signature, "price": function.price }))
        .collect();
    let mut row = json!({
        "id": format!("{}@{}", result.package, result.version),
        "functions": named,
        "pure": result.pure,
        "tests_passed": result.tests_passed,
        UNTRUSTED: { "description": shown(&result.description, DESCRIPTION_CHARS_MAX) },
    });
    let more = result.functions.len().saturating_sub(FUNCTIONS_NAMED_MAX);
    if more > 0 {
        row["more_functions"] = json!(more);
    }
    row
}

fn describe_function(function: &FunctionResponse, full: bool) -> Value {
    let mut said =
        json!({ "function": function.name, "signature": function.signature, "price": function.price });
    if let Some(reason) = &function.not_callable {
        said["not_callable"] = json!(reason);
    }
    if full {
        said["input_schema"] = function.input_schema.clone();
        said["output_schema"] = function.output_schema.clone();
        for schema in ["input_schema", "output_schema"] {
            if let Some(members) = said[schema].as_object_mut() {
                members.remove("$schema");
                members.remove("description");
            }
        }
        said["example_args"] = function.input_example.clone();
        said[UNTRUSTED] = json!({ "docs": shown(&function.docs, DOCS_CHARS_MAX) });
    }
    said
}
