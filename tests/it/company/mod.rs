//! A company's own registry: accounts call within what it allows, and a person decides what costs much.

mod command;
mod failing;
mod money;
mod policy;
mod prices;
mod tips;
mod upstream;

use glassbox_registry::{AccountStanding, NewAccount};
use serde_json::{Value, json};

use crate::buyer::{Reply, bench};
use crate::stage::{OPERATOR, Stage};

/// An account with a token, at a registry.
#[derive(Clone)]
pub(super) struct Agent {
    url: String,
    http: reqwest::Client,
    name: String,
    pub(super) token: String,
}

impl Agent {
    /// Opens an account that pays by invoice.
    pub(super) async fn new(stage: &Stage, name: &str) -> Self {
        Self::with(stage, &json!({ "name": name, "cost_center": "research" })).await
    }

    pub(super) async fn with(stage: &Stage, account: &Value) -> Self {
        let opened = operate(stage, "/accounts", account).await;
        assert_eq!(opened.status, 200, "{}", opened.text);
        let name = account["name"].as_str().unwrap().to_owned();
        let made = operate(stage, &format!("/accounts/{name}/tokens"), &json!({ "label": "a test" })).await;
        assert_eq!(made.status, 200, "{}", made.text);
        let token = made.json()["token"].as_str().unwrap().to_owned();
        Self { url: stage.url.clone(), http: stage.http.clone(), name, token }
    }

    /// Finds the registry again after it was started anew.
    pub(super) fn at(&self, stage: &Stage) -> Self {
        Self { url: stage.url.clone(), ..self.clone() }
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Reply {
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        Reply::of(request.bearer_auth(&self.token).send().await.unwrap()).await
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        let request = self.http.get(format!("{}{path}", self.url));
        Reply::of(request.bearer_auth(&self.token).send().await.unwrap()).await
    }

    /// Calls a function of `lab:bench` with one number.
    pub(super) async fn call(&self, function: &str, n: u32) -> Reply {
        self.post(&bench(function), &json!({ "args": [n] })).await
    }

    /// The same, under a name of its own for the request.
    pub(super) async fn call_as(&self, function: &str, n: u32, key: &str) -> Reply {
        self.post_as(&bench(function), &json!({ "args": [n] }), key).await
    }

    /// Posts under a name of its own for the request.
    pub(super) async fn post_as(&self, path: &str, body: &Value, key: &str) -> Reply {
        let request = self.http.post(format!("{}{path}", self.url)).json(body);
        let request = request.bearer_auth(&self.token).header("idempotency-key", key);
        Reply::of(request.send().await.unwrap()).await
    }

    pub(super) async fn get_as(&self, path: &str, key: &str) -> Reply {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        Reply::of(request.header("idempotency-key", key).send().await.unwrap()).await
    }

    pub(super) async fn standing(&self, stage: &Stage) -> AccountStanding {
        stage.registry.company_account(&self.name.parse().unwrap()).await.unwrap()
    }
}

/// Asks as the operator.
pub(super) async fn operate(stage: &Stage, path: &str, body: &Value) -> Reply {
    let request = stage.http.post(format!("{}/v1/operate{path}", stage.url)).json(body);
    Reply::of(request.bearer_auth(OPERATOR).send().await.unwrap()).await
}

pub(super) async fn ask(stage: &Stage, path: &str) -> Reply {
    let request = stage.http.get(format!("{}{path}", stage.url)).bearer_auth(OPERATOR);
    Reply::of(request.send().await.unwrap()).await
}

/// Insists that the company's rule refuses, and that nothing was charged. Returns the problem.
#[track_caller]
pub(super) fn refused(reply: &Reply, rule: &str) -> Value {
    let problem = reply.assert_problem(403, "company-refused");
    assert_eq!(problem["rule"], rule, "{problem}");
    problem
}

/// An account, without a request.
pub(super) fn new_account(name: &str) -> NewAccount {
    NewAccount {
        name: name.parse().unwrap(),
        kind: glassbox_core::account::AccountKind::Agent,
        cost_center: "research".parse().unwrap(),
        paying: glassbox_core::account::Paying::Invoice,
        approves: false,
        month_max: None,
    }
}
