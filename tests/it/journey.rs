//! The whole way of a release that costs nothing: published, found, read, called, proved.

use glassbox_core::Digest;
use glassbox_core::receipt::{Opening, Outcome as Bound};
use glassbox_core::value::json as values;
use glassbox_registry::package::Package;
use glassbox_sandbox::{Flow, Invocation, Outcome, RunLimits};
use serde_json::{Value, json};

use crate::buyer::Buyer;
use crate::packages::{self, example};
use crate::stage::{Stage, sandbox, wallet};

/// Publishes the three examples: the one scenario that compiles the large one.
#[tokio::test(flavor = "multi_thread")]
async fn examples_are_published_found_read_and_called() {
    let stage = Stage::empty().await;
    for name in ["checksum", "markdown", "semver"] {
        let published = stage.publish(&example(name)).await;
        assert_eq!(published["tests"]["failed"], 0);
        assert!(published["tests"]["passed"].as_u64().unwrap() > 5, "{published}");
    }
    for (task, first) in [
        ("crc32 of bytes", "bits:checksum"),
        ("check that a download was not damaged", "bits:checksum"),
        ("convert markdown to html", "docs:markdown"),
        ("table of contents", "docs:markdown"),
        ("does this version satisfy a range", "js:semver"),
        ("sort versions", "js:semver"),
        ("adler32", "bits:checksum"),
        ("max-satisfying", "js:semver"),
    ] {
        let query = [("q", task)];
        let found = stage.http.get(format!("{}/v1/search", stage.url)).query(&query).send().await.unwrap();
        let found: Value = serde_json::from_slice(&found.bytes().await.unwrap()).unwrap();
        assert_eq!(found["results"][0]["package"], first, "{task}: {found}");
        assert!(!found["results"][0]["matched"].as_array().unwrap().is_empty(), "{task}");
    }
    // A JavaScript guest, called for money.
    let buyer = stage.buyer("payer", 1).await;
    let path = "/v1/call/js/semver/1.0.0/satisfies";
    let reply = buyer.pay(path, json!({ "version": "1.4.2", "range": "^1.2" }), "first").await;
    assert_eq!(reply.output(), json!({ "ok": true }));
    let (_, receipt) = reply.receipt();
    assert!(receipt.charge.amount.0 < 2_000, "a short call costs less than its ceiling: {receipt:?}");
    let left = stage.balance(buyer.wallet.address()).await;
    assert_eq!(left, 1_000_000 - receipt.charge.amount.0);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_of_a_release_is_free_to_read() {
    let stage = Stage::empty().await;
    let package = example("checksum");
    stage.publish(&package).await;
    let base = "/v1/packages/bits/checksum";
    let versions = stage.get(base).await.json();
    assert_eq!(versions["versions"], json!(["1.0.0"]));
    assert_eq!(versions["owner"], packages::publisher().public().to_string());

    let release = stage.get(&format!("{base}/latest")).await.json();
    assert_eq!(release["release"], "bits:checksum@1.0.0");
    assert_eq!(release["component"], Digest::of(&package.component).to_string());
    assert_eq!((&release["pure"], &release["download"]), (&json!(true), &json!(true)));
    let function = &release["functions"][0];
    assert_eq!(function["name"], "sums.crc32");
    assert_eq!(function["signature"], "crc32: func(data: list<u8>) -> u32");
    assert_eq!(function["price"], "free");
    assert!(function["docs"].as_str().unwrap().contains("ISO-HDLC"), "{function}");
    assert_eq!(function["input_schema"]["type"], "object", "{function}");

    let manifest = stage.get(&format!("{base}/1.0.0/manifest")).await;
    assert_eq!(manifest.text, package.manifest);
    for (layer, files) in
        [("wit", &package.wit), ("tests", &package.tests), ("source", package.source.as_ref().unwrap())]
    {
        let found = stage.get(&format!("{base}/1.0.0/{layer}")).await.json();
        assert_eq!(found["digest"], files.digest().to_string(), "{layer}");
        let texts: Vec<&str> =
            found["files"].as_array().unwrap().iter().map(|file| file["text"].as_str().unwrap()).collect();
        let expected: Vec<&str> =
            files.iter().map(|(_, bytes)| std::str::from_utf8(bytes).unwrap()).collect();
        assert_eq!(texts, expected, "{layer}");
    }
    let component = stage.get(&format!("{base}/1.0.0/component")).await;
    assert_eq!(component.bytes, package.component);
    assert_eq!(stage.get("/v1/packages").await.json()["results"][0]["package"], "bits:checksum");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_free_call_gives_a_receipt_that_re_executes() {
    let stage = Stage::empty().await;
    stage.publish(&example("checksum")).await;
    let caller = Buyer::new(&stage, wallet("nobody"));
    let path = "/v1/call/bits/checksum/latest/crc32";
    let data = json!(b"123456789".to_vec());
    let by_position = caller.send(path, &json!({ "args": [data] }), None).await;
    let by_name = caller.send(path, &json!({ "args": { "data": data } }), None).await;
    assert_eq!((by_position.output(), by_name.output()), (json!(0xcbf4_3926_u32), json!(0xcbf4_3926_u32)));
    assert_eq!(by_position.json()["charged"]["amount"], "0");
    assert_eq!(by_position.json()["replayed"], false);

    let (bundle, receipt) = by_position.receipt();
    assert!(receipt.pure && receipt.payment.is_none());
    assert_eq!(receipt.checkpoint, stage.registry.checkpoint());
    let package = Package::check(example("checksum")).unwrap();
    assert_eq!(receipt.component, Digest::of(&package.files.component));
    let prepared = sandbox().prepare(receipt.component, &package.files.component, &package.grants).unwrap();
    let opening = &bundle.opening;
    let args = values::args_from_json(&opening.function_type, &opening.args).unwrap();
    let limits = RunLimits { fuel: receipt.fuel_max, ..RunLimits::default() };
    let invocation = Invocation::new(&receipt.function, &opening.function_type, args.into(), limits);
    let run = sandbox().run(&prepared, invocation, Flow::new("payer", "package")).await;
    let Outcome::Returned(value) = &run.outcome else { panic!("{run:?}") };
    let mut salt = [0; 32];
    hex::decode_to_slice(&opening.salt, &mut salt).unwrap();
    let output = Opening::output_digest(&salt, &opening.function_type, value.as_ref()).unwrap();
    assert_eq!(receipt.outcome, Bound::Returned { output });
    assert_eq!(receipt.fuel_used, run.fuel_used);

    // And whoever changes what is in the bundle is found out.
    let mut forged = bundle.clone();
    forged.opening.output = Some(json!(1));
    assert!(!forged.verify(None).0.holds());
}
