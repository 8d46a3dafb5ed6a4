//! Every way to earn that a manifest can say: the right party is paid, and whoever has no right is refused by name.

mod data;
mod dependencies;
mod editions;
mod escrow;
pub(crate) mod examples;
mod licenses;
mod manifests;
mod models;
mod oidc;
mod prices;
mod refunds;
mod refusals;
pub(crate) mod rights;
mod source;
mod support;

use glassbox_core::files::Files;
use glassbox_core::ledger::Account;
use glassbox_pay::x402;
use glassbox_registry::PackageFiles;
use serde_json::{Value, json};

use crate::buyer::{Buyer, Reply};
use crate::packages::one_file;
use crate::stage::Stage;

/// What every package of these scenarios runs: `double` works, `boom` traps, `rows` reports as many rows as it is told, and
/// `secrets` something that has no price.
const COMPONENT: &str = r#"(component
  (import "glassbox:meter/events@1.0.0" (instance $meter
    (export "emit" (func (param "name" string) (param "count" u64)))))
  (core module $memory
    (memory (export "memory") 1)
    (data (i32.const 0) "rowsecret"))
  (core instance $memory (instantiate $memory))
  (core func $emit (canon lower (func $meter "emit") (memory (core memory $memory "memory"))))
  (core module $m
    (import "" "emit" (func $emit (param i32 i32 i64)))
    (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "boom") (param i32) (result i32) unreachable)
    (func (export "rows") (param i32) (result i32)
      (call $emit (i32.const 0) (i32.const 3) (i64.extend_i32_u (local.get 0)))
      (local.get 0))
    (func (export "secrets") (param i32) (result i32)
      (call $emit (i32.const 3) (i32.const 6) (i64.const 1))
      (local.get 0)))
  (core instance $i (instantiate $m (with "" (instance (export "emit" (func $emit))))))
  (func (export "double") (param "n" u32) (result u32) (canon lift (core func $i "double")))
  (func (export "boom") (param "n" u32) (result u32) (canon lift (core func $i "boom")))
  (func (export "rows") (param "n" u32) (result u32) (canon lift (core func $i "rows")))
  (func (export "secrets") (param "n" u32) (result u32) (canon lift (core func $i "secrets"))))
"#;

const WIT: &str = "package shop:goods@1.0.0;
world goods {
  import glassbox:meter/events@1.0.0;
  export double: func(n: u32) -> u32;
  export boom: func(n: u32) -> u32;
  export rows: func(n: u32) -> u32;
  export secrets: func(n: u32) -> u32;
}
";

const METER: &str =
    "package glassbox:meter@1.0.0; interface events { emit: func(name: string, count: u64); }";

pub(crate) const PAYEE: &str = "
[security]
contact = \"security@shop.example\"
support-until = 2029-12-31
[[payee]]
id = \"acct:ana@shop.example\"
share = 10000
";

/// Makes `shop:goods@1.0.0` under a licence, with what else its manifest says.
pub(crate) fn goods(license: &str, component: &str, rest: &str) -> PackageFiles {
    let wit = [("world.wit", WIT), ("deps/meter.wit", METER)];
    PackageFiles {
        manifest: format!(
            "[package]\nname = \"shop:goods\"\nversion = \"1.0.0\"\nlicense = \"{license}\"\n[spec]\nworld = \"goods\"\n\
             [component]\npath = \"goods.wasm\"\n{component}\n{rest}"
        ),
        wit: Files::new(wit.map(|(path, text)| (path.to_owned(), text.into()))).unwrap(),
        tests: one_file(
            "goods.toml",
            "[[case]]\nname = \"twice two\"\ncall = \"double(2)\"\nexpect = \"4\"\n",
        ),
        editions: Default::default(),
        documents: Default::default(),
        component: wat::parse_str(COMPONENT).unwrap(),
        files: None,
        source: None,
    }
}

/// Makes it with prices, and somebody to pay.
pub(crate) fn priced(rest: &str) -> PackageFiles {
    goods("LicenseRef-Shop", "", &format!("{rest}{PAYEE}"))
}

pub(crate) fn path(function: &str) -> String {
    format!("/v1/call/shop/goods/1.0.0/{function}")
}

/// Somebody with prepaid credit.
struct Customer<'a> {
    stage: &'a Stage,
    account: String,
    token: String,
}

impl<'a> Customer<'a> {
    async fn with(stage: &'a Stage, name: &str, usd: &str) -> Self {
        Self::funded_by(stage, name, name, usd).await
    }

    /// Makes one whose credit a wallet buys, by a payment of its own.
    async fn funded_by(stage: &'a Stage, name: &str, nonce: &str, usd: &str) -> Self {
        let whole = usd.split('.').next().and_then(|whole| whole.parse::<u32>().ok()).unwrap_or_default();
        let buyer = stage.buyer(name, whole.max(99) + 1).await;
        let body = json!({ "usd": usd });
        let asked = stage.post("/v1/credit", &body).await;
        let payment = x402::encode(&buyer.answer(&asked.required(), nonce));
        let bought = buyer.send("/v1/credit", &body, Some(&payment)).await.json();
        let text = |field: &str| bought[field].as_str().unwrap_or_else(|| panic!("{bought}")).to_owned();
        Self { stage, account: text("account"), token: text("token") }
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        let request = self.stage.http.post(format!("{}{path}", self.stage.url)).json(body);
        Reply::of(request.bearer_auth(&self.token).send().await.unwrap()).await
    }

    async fn call(&self, function: &str, n: u32) -> Reply {
        self.post(&path(function), &json!({ "args": [n] })).await
    }

    /// Calls, insists on an answer whose receipt verifies, and returns what it cost in atomic units.
    async fn pays(&self, function: &str, n: u32) -> u128 {
        let reply = self.call(function, n).await;
        reply.output();
        reply.receipt().1.charge.amount.0
    }
}

/// Returns what the payee has earned so far, in pico.
async fn earned(stage: &Stage) -> u128 {
    let account = Account::Payee("acct:ana@shop.example".into());
    stage.store().balance(&account).await.unwrap().credits.0
}

/// Returns the payee's part of a charge, in pico.
fn net(atomic: u128) -> u128 {
    atomic * 1_000_000 * u128::from(10_000 - crate::stage::FEE_BPS) / 10_000
}

async fn stage_with(package: &PackageFiles) -> Stage {
    let stage = Stage::empty().await;
    stage.publish(package).await;
    stage
}

/// Pays by x402, once.
async fn pays_by_wallet(buyer: &Buyer, function: &str, n: u32, nonce: &str) -> Reply {
    buyer.pay(&path(function), json!([n]), nonce).await
}
