//! A dataset that is paid by the row: the component reports, the host counts, anybody can count again.

use glassbox_registry::{Code, replay};

use super::{Customer, earned, net, priced, stage_with};
use crate::stage::{keys, sandbox};

const ROWS: &str = "[[price]]\nid = \"row\"\nunit = \"event:row\"\namount = \"0.005\"\nper = 10\n\
    max-per-call = \"0.1\"\n[usage]\ntrain-ai = \"n\"\nsearch = \"y\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_paid_and_a_replay_counts_the_same() {
    let package = priced(ROWS);
    let stage = stage_with(&package).await;
    let wit = stage.get("/v1/packages/shop/goods/1.0.0/wit").await;
    assert_eq!(wit.header("content-usage"), Some("train-ai=n, search=y"));
    let robots = stage.get("/robots.txt").await.text;
    let line = "Content-Usage: /v1/packages/shop/goods/ train-ai=n, search=y\n";
    assert!(robots.starts_with("User-agent: *\nAllow: /\n") && robots.contains(line), "{robots}");
    assert!(robots.ends_with(&format!("License: {}/license.xml\n", stage.url)), "{robots}");
    let license = stage.get("/license.xml").await.text;
    for part in [
        "<content url=\"/v1/packages/shop/goods/\">",
        "<prohibits type=\"usage\">ai-train</prohibits>",
        "<permits type=\"usage\">search</permits>",
    ] {
        assert!(license.contains(part), "{part}: {license}");
    }
    let ana = Customer::with(&stage, "ana", "1").await;
    // Rounded up to a millionth of a dollar: 7 rows at 5,000 for ten.
    for (rows, cost) in [(0, 0), (7, 3_500), (200, 100_000), (100_000, 100_000)] {
        assert_eq!(ana.pays("rows", rows).await, cost, "{rows} rows");
    }
    assert_eq!(ana.pays("double", 4).await, 0, "what reports nothing costs nothing");
    assert_eq!(earned(&stage).await, net(203_500));

    let reply = ana.call("rows", 12).await;
    let (bundle, receipt) = reply.receipt();
    assert_eq!(receipt.events["row"], 12);
    let (mut report, _) = bundle.verify(Some(&keys().executor.public()));
    let code = Code { component: &package.component, files: None, dependencies: &[] };
    replay(&sandbox(), &bundle, &receipt, code, &mut report).await;
    assert!(report.holds(), "{report:?}");
    assert!(report.checks.iter().any(|check| check.name == "events" && check.holds));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_price_cannot_be_reported() {
    let stage = stage_with(&priced(ROWS)).await;
    let ana = Customer::with(&stage, "ana", "1").await;
    let refused = ana.call("secrets", 1).await.assert_problem(422, "guest-import-not-granted");
    assert!(refused["detail"].as_str().unwrap().contains("secret"), "{refused}");
    // Too much of it ends the run, too, and costs nothing.
    assert_eq!(earned(&stage).await, 0);
    stage.assert_sound().await;
}
