//! The source for machines: free, for a price, with a licence, or not at all; and people read it all the same.

use std::time::Duration;

use glassbox_pay::x402;
use glassbox_registry::PackageFiles;
use serde_json::{Value, json};

use super::{Customer, PAYEE, earned, goods, net};
use crate::buyer::Reply;
use crate::mcp::{Agent, Era};
use crate::packages::one_file;
use crate::stage::Stage;

const GOODS: &str = "/v1/packages/shop/goods/1.0.0";

fn with_source(machines: &str, component: &str, rest: &str) -> PackageFiles {
    let rest = format!("[source]\npath = \"src/\"\nmachines = \"{machines}\"\n{rest}{PAYEE}");
    let source = one_file("lib.wat", "(component) ;; <b>");
    PackageFiles { source: Some(source), ..goods("LicenseRef-Shop", component, &rest) }
}

async fn stage_with(machines: &str, rest: &str) -> Stage {
    let stage = Stage::empty().await;
    stage.publish(&with_source(machines, "", rest)).await;
    stage
}

async fn get(stage: &Stage, what: &str, headers: &[(&str, &str)]) -> Reply {
    let mut request = stage.http.get(format!("{}{GOODS}/{what}", stage.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Reply::of(request.send().await.unwrap()).await
}

/// People read every source, as a page that does nothing.
async fn assert_readable(stage: &Stage) {
    let index = get(stage, "source?file=", &[]).await;
    assert!(index.status == 200 && index.text.contains("?file=lib.wat"), "{}", index.text);
    let page = get(stage, "source?file=lib.wat", &[]).await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text.contains("&lt;b&gt;") && !page.text.contains("<b>"), "{}", page.text);
    get(stage, "source?file=none", &[]).await.assert_problem(404, "file-not-found");
}

fn assert_source(reply: &Reply) {
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.json()["files"][0]["path"], "lib.wat");
}

/// A licence as a request shows it.
fn shown(bought: &Value) -> String {
    format!("License {}", x402::encode(&bought["license"]))
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_is_for_people_alone() {
    let stage = stage_with("denied", "").await;
    let refused = get(&stage, "source", &[]).await.assert_problem(403, "source-denied");
    assert!(refused["next"].as_str().unwrap().contains("?file="), "{refused}");
    assert_readable(&stage).await;
    // So fast reads nobody: not so many people together.
    let goods = "shop:goods".parse().unwrap();
    for _ in 0..glassbox_core::limits::SOURCE_PAGES_PER_HOUR {
        if stage.registry.source_to_read(&goods).await.is_err() {
            break;
        }
    }
    get(&stage, "source?file=lib.wat", &[]).await.assert_problem(503, "busy");
    stage.world.advance(Duration::from_secs(3_600));
    assert_readable(&stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metered_is_paid_once() {
    let price = "[[price]]\nid = \"bulk\"\non = \"source\"\nunit = \"copy\"\namount = \"0.25\"\n";
    let stage = stage_with("metered", price).await;
    let buyer = stage.buyer("crawler", 1).await;
    let asked = get(&stage, "source", &[]).await;
    asked.assert_problem(402, "payment-required");
    assert_eq!(asked.required().accepts[0].amount, "250000");
    let payment = x402::encode(&buyer.answer(&asked.required(), "bulk"));
    for _ in 0..2 {
        assert_source(&get(&stage, "source", &[(x402::PAYMENT_SIGNATURE, &payment)]).await);
    }
    assert_eq!((earned(&stage).await, stage.payments().await), (net(250_000), 1));
    assert_readable(&stage).await;
    // The same payment buys nothing else.
    let other = json!({ "args": [1] });
    let elsewhere = buyer.send(&super::path("double"), &other, Some(&payment)).await;
    elsewhere.assert_problem(409, "payment-bound");
    assert_eq!(earned(&stage).await, net(250_000));
    // Agents that read over MCP are told where to pay.
    let agent = Agent::new(&stage, "/mcp", Era::Modern);
    let read = agent.tool("read", json!({ "id": "shop:goods", "layer": "source" })).await;
    let refused = &read["structuredContent"];
    assert_eq!((&read["isError"], &refused["code"]), (&json!(true), &json!("source-not-free")), "{read}");
    assert!(refused["next"].as_str().unwrap().contains("/source says what it takes"), "{refused}");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn licensed_is_for_whoever_has_the_licence() {
    let offers = "[usage]\ntrain-ai = \"n\"\n\
        [[offer]]\nid = \"training\"\ngrants = \"LicenseRef-Training\"\non = \"source\"\nunit = \"copy\"\n\
        amount = \"40\"\nterm = \"P1Y\"\n\
        [[offer]]\nid = \"other\"\ngrants = \"LicenseRef-Other\"\namount = \"0\"\n";
    let stage = stage_with("licensed", offers).await;
    let refused = get(&stage, "source", &[]).await.assert_problem(403, "license-required");
    assert!(refused["detail"].as_str().unwrap().contains("offer:training"), "{refused}");
    let vendor = Customer::with(&stage, "vendor", "50").await;
    let bearer = format!("Bearer {}", vendor.token);
    get(&stage, "source", &[("authorization", &bearer)]).await.assert_problem(403, "license-required");
    let licenses = format!("{GOODS}/licenses");
    let free = stage.post(&licenses, &json!({ "item": "offer:other" })).await.json();
    get(&stage, "source", &[("authorization", &shown(&free))]).await.assert_problem(403, "license-required");
    assert_eq!(earned(&stage).await, 0);
    let bought = vendor.post(&licenses, &json!({ "item": "offer:training" })).await.json();
    assert_eq!(earned(&stage).await, net(40_000_000));
    // By the licence itself, and by the account that bought it; each says what it may not be used for beyond.
    for authorization in [shown(&bought), bearer] {
        let source = get(&stage, "source", &[("authorization", &authorization)]).await;
        assert_source(&source);
        assert_eq!(source.header("content-usage"), Some("train-ai=n"));
    }
    assert_eq!(earned(&stage).await, net(40_000_000), "once");
    // What is changed, signed by somebody else, or over is none.
    let mut forged = bought.clone();
    let payload = forged["license"]["payload"].as_str().unwrap().replacen('e', "f", 1);
    forged["license"]["payload"] = payload.into();
    get(&stage, "source", &[("authorization", &shown(&forged))]).await.assert_problem(403, "license-refused");
    get(&stage, "source", &[("authorization", "License %")]).await.assert_problem(400, "license-malformed");
    stage.world.advance(Duration::from_secs(366 * 24 * 3_600));
    get(&stage, "source", &[("authorization", &shown(&bought))]).await.assert_problem(403, "license-refused");
    assert_readable(&stage).await;
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_or_an_offer_includes_the_download() {
    let rest = "[[price]]\nid = \"copy\"\non = \"download\"\nunit = \"copy\"\namount = \"0.5\"\n\
        [[plan]]\nid = \"team\"\namount = \"2\"\nincludes = [\"download:*\"]\n\
        [[offer]]\nid = \"pro\"\ngrants = \"LicenseRef-Pro\"\non = \"download\"\nunit = \"copy\"\namount = \"9\"\n";
    let files = with_source("free", "execute = [\"remote\", \"local\"]", rest);
    let stage = Stage::empty().await;
    stage.publish(&files).await;
    let buy = async |customer: &Customer<'_>, item: &str| {
        let bought = customer.post(&format!("{GOODS}/licenses"), &json!({ "item": item })).await;
        assert_eq!(bought.status, 200, "{}", bought.text);
        bought.json()
    };
    let (ana, ben) = (Customer::with(&stage, "ana", "20").await, Customer::with(&stage, "ben", "20").await);
    get(&stage, "component", &[]).await.assert_problem(402, "payment-required");
    let plan = buy(&ana, "plan:team").await;
    let offer = buy(&ben, "offer:pro").await;
    let before = earned(&stage).await;
    assert_eq!(before, net(11_000_000));
    let token = format!("Bearer {}", ana.token);
    for authorization in [token.as_str(), &shown(&plan), &shown(&offer)] {
        let component = get(&stage, "component", &[("authorization", authorization)]).await;
        assert_eq!((component.status, &component.bytes[..]), (200, &files.component[..]));
    }
    assert_eq!(earned(&stage).await, before, "nothing is paid twice");
    // Whoever has neither pays.
    let cy = Customer::with(&stage, "cy", "1").await;
    let paid = get(&stage, "component", &[("authorization", &format!("Bearer {}", cy.token))]).await;
    assert_eq!((paid.status, earned(&stage).await), (200, before + net(500_000)));
    stage.world.advance(Duration::from_secs(32 * 24 * 3_600));
    get(&stage, "component", &[("authorization", &shown(&plan))])
        .await
        .assert_problem(403, "license-refused");
    stage.assert_sound().await;
}
