//! What helps after a refusal, as calls of tools with their arguments.

use glassbox_api::Problem;
use serde_json::{Map, Value, json};

/// Returns the tool calls that help after `problem`, which a tool answered with for these arguments.
pub(crate) fn steps(problem: &Problem, args: &Map<String, Value>) -> Vec<Value> {
    let arg = |name: &str| args.get(name).cloned().unwrap_or_default();
    let step = |tool: &str, args: Value, why: &str| json!({ "tool": tool, "args": args, "why": why });
    let again = |name: &str, value: Value| {
        let mut args = args.clone();
        args.insert(name.to_owned(), value);
        Value::Object(args)
    };
    let describe = || step("describe", json!({ "id": arg("id") }), "see what there is and how it is called");
    let rule = problem.extra.get("rule").and_then(Value::as_str).unwrap_or_default();
    match problem.code.as_str() {
        "package-not-found" | "name-invalid" => {
            let words = arg("id").as_str().unwrap_or_default().replace([':', '@', '-'], " ");
            vec![step("search", json!({ "query": words.trim() }), "find its name")]
        }
        "release-not-found" => {
            let package =
                arg("id").as_str().and_then(|id| id.split_once('@')).map(|(package, _)| package.to_owned());
            vec![step("describe", json!({ "id": package }), "see the newest version")]
        }
        "function-not-found" | "function-not-callable" => vec![describe()],
        "arguments-invalid" if args.contains_key("function") => {
            let args = json!({ "id": arg("id"), "function": arg("function") });
            vec![step("describe", args, "see the schema and an example")]
        }
        "release-not-remote" => {
            vec![step("plan_import", json!({ "id": arg("id"), "target": "rust" }), "run it yourself")]
        }
        "fuel-ceiling-invalid" | "guest-out-of-fuel" => {
            vec![step(
                "quote",
                json!({ "id": arg("id"), "function": arg("function") }),
                "see the ceiling and its price",
            )]
        }
        "price-above-max" => match problem.extra.get("needed") {
            Some(needed) => vec![step("call", again("max_price", needed.clone()), "allow the price")],
            None => Vec::new(),
        },
        "source-not-published" => {
            vec![step(
                "read",
                json!({ "id": arg("id"), "layer": "tests" }),
                "tests and interface are always public",
            )]
        }
        "policy-refused" if rule.ends_with("day") => {
            vec![step("spending", json!({}), "see what is left of today's budget")]
        }
        _ => Vec::new(),
    }
}
