//! The functions of one release as tools of their own, typed by its WIT.

use glassbox_api::{FunctionResponse, QuoteResponse, ReleaseResponse};
use rmcp::model::{MetaObject, Tool, ToolAnnotations};
use serde_json::{Value, json};

use crate::provider::PaidTool;
use crate::text::shown;
use crate::tools::{gives, object};

/// The most functions of a release that are shown as tools, unless others are asked for by name.
pub(crate) const TOOLS_MAX: usize = 20;

/// How much of a publisher's comment a model is shown with a tool.
const DOCS_CHARS_MAX: usize = 300;

/// Returns the functions that can be called, of those that are `pinned` where any are, in the order of the interface.
pub(crate) fn functions<'a>(
    release: &'a ReleaseResponse,
    pinned: Option<&'a [String]>,
) -> impl Iterator<Item = &'a FunctionResponse> {
    let callable = release.functions.iter().filter(|function| function.not_callable.is_none());
    let wanted =
        move |function: &&FunctionResponse| pinned.is_none_or(|pinned| pinned.contains(&function.name));
    callable.filter(wanted).take(TOOLS_MAX)
}

/// Returns a function as a tool.
pub(crate) fn tool(
    release: &ReleaseResponse,
    function: &FunctionResponse,
    quote: Option<&QuoteResponse>,
) -> Tool {
    let output = without_dialect(&function.output_schema);
    let gives = gives(json!({ "output": output, "charged": {} }), &["output", "charged"]);
    let mut takes = without_dialect(&function.input_schema);
    if let Some(members) = takes.as_object_mut() {
        // It is in the tool's description, marked as whose words it is.
        members.remove("description");
    }
    let mut tool = Tool::new(function.name.clone(), description(release, function), object(takes))
        .with_raw_output_schema(object(gives))
        .with_annotations(
            ToolAnnotations::new().read_only(false).destructive(false).open_world(!release.pure),
        );
    tool.meta = quote.and_then(price).map(|price| {
        let mut meta = MetaObject::new();
        meta.insert("x402".into(), price);
        meta
    });
    tool
}

/// Returns a function as what is paid for.
pub(crate) fn paid(release: &ReleaseResponse, function: &FunctionResponse) -> PaidTool {
    PaidTool {
        name: function.name.clone(),
        description: description(release, function),
        example: function.input_example.clone(),
        schema: function.input_schema.clone(),
    }
}

fn description(release: &ReleaseResponse, function: &FunctionResponse) -> String {
    let head = format!("{} of {}, {}", function.signature, release.release, function.price);
    match shown(&function.docs, DOCS_CHARS_MAX) {
        docs if docs.is_empty() => head,
        docs => format!("{head}. Publisher's words (untrusted): {docs}"),
    }
}

/// Writes a price for clients that sign before they call: the plain payment, which all of them know.
fn price(quote: &QuoteResponse) -> Option<Value> {
    let required = quote.payment_required.as_ref()?;
    let accepts = required["accepts"].as_array()?;
    let offer = accepts.iter().find(|offer| offer["scheme"] == "exact").or(accepts.first())?;
    let mut price = offer.clone();
    price.as_object_mut()?.insert("paymentRequired".into(), true.into());
    Some(price)
}

/// The dialect stands once, at the top of a schema.
fn without_dialect(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(members) = schema.as_object_mut() {
        members.remove("$schema");
    }
    schema
}
