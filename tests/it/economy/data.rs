//! A dataset that is paid by the row: the component reports, the host counts, anybody can count again.

use glassbox_core::files::Files;
use glassbox_core::ledger::Account;
use glassbox_registry::{Code, replay};
use serde_json::json;

use super::examples::package;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_dataset_stays_where_it_is_and_its_rows_are_paid() {
    let package = package("ships");
    let reference = include_str!("../../../conformance/manifest/data.toml");
    assert_eq!(package.manifest, reference, "it is the reference manifest that is published");
    let stage = stage_with(&package).await;
    let files = package.files.as_ref().unwrap();
    let release = "/v1/packages/harbour/ships/2026.11.1";
    let page = stage.get(release).await.json();
    assert_eq!((&page["files"]["digest"], &page["download"]), (&json!(files.digest()), &json!(false)));
    for lane in ["component", "files"] {
        stage.get(&format!("{release}/{lane}")).await.assert_problem(403, "component-not-downloadable");
    }
    stage.get(&format!("{release}/source")).await.assert_problem(403, "license-required");

    let path = "/v1/call/harbour/ships/2026.11.1/of-flag";
    stage.post(path, &json!({ "args": ["NO"] })).await.assert_problem(402, "payment-required");
    let buyer = stage.buyer("ana", 10).await;
    let payee = Account::Payee("did:web:harbour.example".into());
    let earned = async || stage.store().balance(&payee).await.unwrap().credits.0;
    assert_eq!(earned().await, 0);
    let before = stage.balance(buyer.wallet.address()).await;
    let mut spent = 0;
    for (flag, rows) in [("NO", 4), ("FO", 2), ("N", 0), ("DK", 0)] {
        let reply = buyer.pay(path, json!([flag]), flag).await;
        let output = reply.output();
        let found = output.as_array().unwrap();
        assert_eq!(found.len() as u64, rows, "{output}");
        assert!(found.iter().all(|row| row.as_str().unwrap().starts_with(&format!("{flag},"))), "{output}");
        let (bundle, receipt) = reply.receipt();
        assert_eq!(receipt.events.get("row").copied().unwrap_or_default(), rows);
        assert_eq!((receipt.files, receipt.pure), (Some(files.digest()), true));
        // 0.05 dollars for a thousand rows; a begun hundred of bytes costs the smallest unit.
        let line = |price: &str| receipt.charge.lines.iter().find(|line| line.price == price).unwrap();
        let (row, traffic) = (line("row"), line("traffic"));
        assert_eq!((row.quantity, row.amount.0), (rows, u128::from(rows) * 50));
        assert_eq!(traffic.amount.0, u128::from(traffic.quantity * 10_000).div_ceil(1_048_576));
        assert_eq!(receipt.charge.amount.0, row.amount.0 + traffic.amount.0);
        spent += receipt.charge.amount.0;
        assert_eq!(stage.balance(buyer.wallet.address()).await, before - spent, "{flag}");
        assert_eq!(earned().await, net(spent), "{flag}");

        // Whoever has the files counts the same rows; other files are another dataset.
        let other = Files::new([("ships.csv".to_owned(), b"NO,a,1,1\n".to_vec())]).unwrap();
        for (files, failed) in [(files, None), (&other, Some("files"))] {
            let (mut report, _) = bundle.verify(Some(&keys().executor.public()));
            let code = Code { component: &package.component, files: Some(files), dependencies: &[] };
            replay(&sandbox(), &bundle, &receipt, code, &mut report).await;
            let found = report.checks.iter().find(|check| !check.holds).map(|check| check.name.as_str());
            assert_eq!(found, failed, "{report:?}");
            let replayed = report.checks.iter().any(|check| check.name == "re-execution");
            assert_eq!(replayed, failed.is_none(), "{report:?}");
        }
    }
    // Who does not let it read has no answer, and pays nothing.
    let unread = json!({ "args": ["NO"], "grants": [] });
    let payment = buyer.sign(path, &unread, "unread").await;
    buyer.send(path, &unread, Some(&payment)).await.assert_problem(422, "guest-import-not-granted");
    assert_eq!((stage.balance(buyer.wallet.address()).await, earned().await), (before - spent, net(spent)));
    stage.assert_sound().await;
}
