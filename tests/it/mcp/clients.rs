//! Stock MCP clients, unmodified: in TypeScript by the handshake of old, in Python without one.

use std::process::Stdio;

use glassbox_core::receipt::Bundle;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::clients::installed;
use crate::stage::{PATIENCE, Stage, keys};

/// The steps that an agent printed, by name.
pub(super) struct Steps(Vec<Value>);

impl Steps {
    pub(super) fn of(&self, name: &str) -> &Value {
        let step = self.0.iter().find(|step| step["step"] == name);
        step.unwrap_or_else(|| panic!("no {name} in {:?}", self.0))
    }
}

pub(super) fn typescript() -> Command {
    installed("ts/node_modules/@modelcontextprotocol/sdk");
    let mut command = Command::new("node");
    command.arg(installed("ts/agent.mjs"));
    command
}

pub(super) fn python() -> Command {
    let python = if cfg!(windows) { "py/.venv/Scripts/python.exe" } else { "py/.venv/bin/python" };
    let mut command = Command::new(installed(python));
    command.arg(installed("py/agent.py"));
    command
}

/// Runs an agent against the server at `url`, for `double(21)`.
pub(super) async fn run(mut agent: Command, url: &str, environment: &[(&str, &str)]) -> Steps {
    agent.args([url, "twice the number", "double", "{\"n\": 21}"]);
    agent.envs(environment.iter().copied()).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, agent.output()).await.expect("the agent ends").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    Steps(said.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

pub(super) fn assert_verified(result: &Value) {
    let bundle: Bundle = serde_json::from_value(result["receipt"].clone()).unwrap();
    let (report, receipt) = bundle.verify(Some(&keys().executor.public()));
    assert!(report.holds(), "{report:?}");
    assert_eq!(receipt.unwrap().call, result["result"]["call"]);
}

async fn pays(agent: fn() -> Command, environment: &[(&str, &str)]) {
    let stage = crate::clients::stage().await;
    let buyer = stage.buyer("payer", 1).await;
    let key = buyer.wallet.to_hex();
    let mut environment = environment.to_vec();
    environment.push(("KEY", &key));
    let steps = run(agent(), &format!("{}/mcp", stage.url), &environment).await;
    assert_eq!(steps.of("search")["id"], "lab:bench@1.0.0");
    assert_eq!(steps.of("describe")["functions"][0]["function"], "double");
    let required = steps.of("required");
    assert_eq!((&required["isError"], &required["same"]), (&json!(true), &json!(true)));
    let result = steps.of("result");
    assert_eq!((&result["isError"], &result["result"]["output"]), (&json!(false), &json!(42)), "{result}");
    assert_eq!(result["settlement"]["amount"], "2000");
    assert_verified(result);
    assert_eq!(stage.balance(buyer.wallet.address()).await, 998_000);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_typescript_agent_finds_pays_and_verifies() {
    pays(typescript, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_python_agent_finds_pays_and_verifies() {
    pays(python, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_python_agent_of_the_older_era_finds_pays_and_verifies() {
    pays(python, &[("MODE", "legacy")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_calls_over_sixteen_connections_all_succeed() {
    let stage = Stage::new().await;
    let mut agent = typescript();
    agent.args([&format!("{}/mcp", stage.url), "the same for nothing", "gift", "{\"n\": 21}"]);
    agent.envs([("CALLS", "1000"), ("CONNECTIONS", "16")]).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(4 * PATIENCE, agent.output()).await.expect("the agent ends").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let last: Value = serde_json::from_str(said.lines().last().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {said}{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(last, json!({ "step": "load", "calls": 1000, "errors": 0 }));
}
