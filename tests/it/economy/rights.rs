//! What a manifest says of rights beside money: licences that change, who may run a work for others, documents, and what
//! publishers say for people.

use std::path::Path;
use std::time::Duration;

use glassbox_core::Digest;
use glassbox_core::acts::{Act as _, TermsChange};
use glassbox_core::hashed::Document as _;
use glassbox_core::manifest::{Consent, ContentUsage, Date, Manifest, Terms};
use glassbox_registry::{Package, PackageFiles};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{PAYEE, goods, path, priced, stage_with};
use crate::buyer::Reply;
use crate::composition::{self, assert_known};
use crate::packages::{one_file, publisher, request, sign};
use crate::stage::{Stage, Sweep};

const GOODS: &str = "/v1/packages/shop/goods/1.0.0";

/// Adds keys to `[package]`.
fn with_package(files: PackageFiles, keys: &str) -> PackageFiles {
    let manifest = files.manifest.replacen("[spec]", &format!("{keys}[spec]"), 1);
    PackageFiles { manifest, ..files }
}

/// The day that it will be at a stage in so many days.
pub(crate) fn day(stage: &Stage, days: i64) -> String {
    let now = Timestamp::from_second(stage.world.now_s() as i64).unwrap();
    Date::of(now + SignedDuration::from_hours(24 * days)).to_string()
}

/// Source-available until `day`, and what `license` says from then on.
pub(crate) fn changing(license: &str, day: &str) -> PackageFiles {
    let keys =
        format!("deny-use = [\"hosting-competitor\"]\nchange-license = \"{license}\"\nchange-date = {day}\n");
    let rest =
        format!("[source]\npath = \"src/\"\nmachines = \"denied\"\n[upstream]\nallow-forks = false\n{PAYEE}");
    let files = goods("BUSL-1.1", "execute = [\"remote\", \"local\"]", &rest);
    PackageFiles { source: Some(one_file("lib.wat", "(component)")), ..with_package(files, &keys) }
}

fn fork_of(parent: &PackageFiles) -> PackageFiles {
    let terms = Terms::of(&Manifest::parse(&parent.manifest).unwrap()).compute_digest();
    let derived =
        format!("[[derived-from]]\nrelease = \"shop:goods@1.0.0\"\nterms = \"{terms}\"\nshare = 0\n");
    crate::derived::own("copy", &derived)
}

async fn publish(stage: &Stage, package: &PackageFiles) -> Reply {
    stage.post("/v1/publish", &request(package, sign(package, &publisher()))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_work_counts_under_its_new_licence_from_the_day_on() {
    let stage = Stage::empty().await;
    let from = day(&stage, 2);
    let files = changing("MPL-2.0", &from);
    stage.publish(&files).await;
    let fork = fork_of(&files);

    let page = stage.get(GOODS).await.json();
    assert_eq!(page["license"], "BUSL-1.1");
    assert_eq!(page["license_change"], json!({ "license": "MPL-2.0", "from": from }));
    assert_eq!(page["about"]["deny_use"], json!(["hosting-competitor"]));
    stage.get(&format!("{GOODS}/source")).await.assert_problem(403, "source-denied");
    publish(&stage, &fork).await.assert_problem(422, "fork-denied");

    stage.world.advance(Duration::from_secs(2 * 24 * 3_600));
    let page = stage.get(GOODS).await.json();
    assert_eq!((&page["license"], &page["license_change"]), (&json!("MPL-2.0"), &Value::Null));
    assert_eq!(page["about"]["deny_use"], Value::Null);
    let listed = stage.get("/llms-full.txt").await.text;
    assert!(listed.contains("Licence MPL-2.0") && !listed.contains("BUSL"), "{listed}");
    // It gives whoever has it the source.
    assert_eq!(page["about"]["source"], json!({ "license": "MPL-2.0", "machines": "free" }));
    assert_eq!(stage.get(&format!("{GOODS}/source")).await.status, 200);
    let source = stage.get(&format!("{GOODS}/source?file=lib.wat")).await.text;
    assert!(source.contains("MPL-2.0"), "{source}");
    assert_eq!(publish(&stage, &fork).await.status, 201);
    // What was signed stays what it was.
    let terms = Terms::of(&Manifest::parse(&files.manifest).unwrap()).compute_digest();
    assert_eq!(page["terms"], terms.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_licence_that_is_not_open_opens_nothing() {
    let stage = Stage::empty().await;
    let files = changing("Elastic-2.0", &day(&stage, 2));
    stage.publish(&files).await;
    stage.world.advance(Duration::from_secs(2 * 24 * 3_600));
    let page = stage.get(GOODS).await.json();
    assert_eq!(
        (&page["license"], &page["about"]["deny_use"][0]),
        (&json!("Elastic-2.0"), &json!("hosting-competitor"))
    );
    stage.get(&format!("{GOODS}/source")).await.assert_problem(403, "source-denied");
    publish(&stage, &fork_of(&files)).await.assert_problem(422, "fork-denied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_for_one_registry_is_hosted_by_no_other() {
    let statement = |package: &PackageFiles, log: &str| {
        let mut release = Package::check(package.clone()).unwrap().statement();
        release.registry = Some(log.to_owned());
        release.sign(&publisher())
    };
    let stage = Stage::empty().await;
    let (alone, open) = (priced(""), goods("MIT", "operators = \"any\"", PAYEE));
    let elsewhere = request(&alone, statement(&alone, "other.example/log+1a2b3c4d+AT"));
    stage.post("/v1/publish", &elsewhere).await.assert_problem(403, "operator-not-allowed");
    let log = stage.registry.log_verifier_key();
    let here = request(&alone, statement(&alone, &log));
    assert_eq!(stage.post("/v1/publish", &here).await.status, 201);
    let page = stage.get(GOODS).await.json();
    assert_eq!(page["about"]["operators"], "registry");

    let stage = Stage::empty().await;
    let anywhere = request(&open, statement(&open, "other.example/log+1a2b3c4d+AT"));
    assert_eq!(stage.post("/v1/publish", &anywhere).await.status, 201);
    assert_eq!(stage.get(GOODS).await.json()["about"]["operators"], "any");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_come_with_the_release_that_names_them() {
    let keys = "license-file = \"LICENSE\"\nreadme = \"docs/README.md\"\n";
    let files = with_package(goods("LicenseRef-Shop", "", PAYEE), keys);
    let missing = glassbox_registry::chain(&Package::check(files.clone()).unwrap_err());
    assert!(missing.contains("license-file") && missing.contains("documents"), "{missing}");
    let document = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
    let with = |documents: Vec<(String, Vec<u8>)>| PackageFiles {
        documents: glassbox_core::files::Files::new(documents).unwrap(),
        ..files.clone()
    };
    let (license, readme) = (document("LICENSE", "All yours."), document("docs/README.md", "<h1>Goods</h1>"));
    let whole = with(vec![license.clone(), readme.clone()]);
    assert!(Package::check(with(vec![license.clone(), readme.clone(), document("more", "x")])).is_err());

    let stage = Stage::empty().await;
    let other = with(vec![document("LICENSE", "None of it yours."), readme]);
    let refused = stage.post("/v1/publish", &request(&other, sign(&whole, &publisher()))).await;
    refused.assert_problem(422, "statement-differs");
    stage.publish(&whole).await;
    let page = stage.get(GOODS).await.json();
    let listed =
        json!([{ "key": "license-file", "path": "LICENSE" }, { "key": "readme", "path": "docs/README.md" }]);
    assert_eq!(page["about"]["documents"], listed);
    let readme = stage.get(&format!("{GOODS}/documents?path=docs%2FREADME.md")).await;
    assert_eq!(
        (readme.text.as_str(), readme.header("content-type")),
        ("<h1>Goods</h1>", Some("text/plain; charset=utf-8"))
    );
    assert_eq!(
        Digest::of(stage.get(&format!("{GOODS}/documents?path=LICENSE")).await.text),
        Digest::of("All yours.")
    );
    stage.get(&format!("{GOODS}/documents?path=../LICENSE")).await.assert_problem(404, "document-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_signs_no_document_has_none() {
    let files = with_package(goods("MIT", "", PAYEE), "readme = \"README.md\"\n");
    // Nobody would sign it today; releases of before there were documents are as they are.
    assert!(Package::check(files.clone()).is_err());
    let before = Package::check_signed(files.clone()).unwrap().statement().sign(&publisher());
    let stage = Stage::empty().await;
    let readme = glassbox_core::files::Files::new([("README.md".to_owned(), b"Goods".to_vec())]).unwrap();
    let more = PackageFiles { documents: readme, ..files.clone() };
    let refused = stage.post("/v1/publish", &request(&more, before.clone())).await;
    refused.assert_problem(422, "statement-differs");
    for status in [201, 200] {
        assert_eq!(stage.post("/v1/publish", &request(&files, before.clone())).await.status, status);
    }
    assert_eq!(stage.get(GOODS).await.json()["about"]["documents"], Value::Null);
    stage.get(&format!("{GOODS}/documents?path=README.md")).await.assert_problem(404, "document-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_by_rules_of_before_is_said_again() {
    let files = goods("MIT", "", PAYEE);
    let stage = stage_with(&files).await;
    // As if there had been no such rule when it was published.
    let manifest = files.manifest.replacen("\"MIT\"", "\"Whatever\"", 1);
    let old = PackageFiles { manifest: manifest.clone(), ..files.clone() };
    assert!(Package::check_signed(old.clone()).is_err());
    let mut release = Package::check(files).unwrap().statement();
    release.manifest = Digest::of(&manifest);
    release.terms = Terms::of(&Manifest::read(&manifest).unwrap()).compute_digest();
    let statement = release.sign(&publisher());
    let request = request(&old, statement.clone());
    stage.post("/v1/publish", &request).await.assert_problem(422, "manifest-invalid");
    let stage = stage
        .reopen_changed(Sweep::Off, |store| {
            let database = rusqlite::Connection::open(store.join("glassbox.sqlite")).unwrap();
            let statement = serde_json::to_string(&statement).unwrap();
            let changed = database
                .execute("UPDATE releases SET manifest = ?1, statement = ?2", [&manifest, &statement])
                .unwrap();
            assert_eq!(changed, 1);
        })
        .await;
    assert_known(&stage.post("/v1/publish", &request).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_publisher_says_is_shown_and_is_no_markup() {
    let image = Digest::of("image");
    let rest = format!(
        "[source]\npath = \"src/\"\nmachines = \"free\"\nbuild = {{ image = \"{image}\", command = \"make `all`\" }}\n\
         [tips]\naccept = true\nfunding = \"https://shop.example/funding.json\"\n\
         [usage]\ntrain-ai = \"n\"\nrsl = \"https://shop.example/rsl?a=1&b=2\"\n\
         [[contributor-bounty]]\nlabel = \"a [bug](x)\"\namount = \"50\"\n\
         [security]\ncontact = \"<b>security@shop.example\"\nsupport-until = 2029-12-31\n\
         policy = \"https://shop.example/policy\"\nvex = \"https://shop.example/vex.json\"\n\
         [[payee]]\nid = \"acct:ana@shop.example\"\nshare = 10000\n"
    );
    let files = with_package(goods("MIT", "", &rest), "homepage = \"https://shop.example/\"\n");
    let stage = stage_with(&PackageFiles { source: Some(one_file("lib.wat", "(component)")), ..files }).await;
    let about = stage.get(GOODS).await.json()["about"].clone();
    assert_eq!(about["homepage"], "https://shop.example/");
    assert_eq!(
        (&about["tips"], &about["funding"]),
        (&json!(true), &json!("https://shop.example/funding.json"))
    );
    assert_eq!(
        about["bounties"][0],
        json!({ "label": "a [bug](x)", "amount": { "amount": "50000000", "usd": "50" } })
    );
    assert_eq!(about["source"]["build"]["image"], image.to_string());
    assert_eq!(about["security"]["policy"], "https://shop.example/policy");
    let text = stage.http.get(format!("{}{GOODS}", stage.url)).header("accept", "text/markdown").send().await;
    let text = text.unwrap().text().await.unwrap();
    for line in [
        "- security: `<b>security@shop.example` until 2029-12-31\n",
        "- vex: <https://shop.example/vex.json>\n",
        "- funding: <https://shop.example/funding.json>\n",
        "by `make 'all'`\n",
        "- bounty: `a [bug](x)`: $50",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let license = stage.get("/license.xml").await.text;
    assert!(license.contains("<terms>https://shop.example/rsl?a=1&amp;b=2</terms>"), "{license}");
}

#[tokio::test(flavor = "multi_thread")]
async fn robots_are_told_what_stands_now() {
    let package = priced("");
    let stage = stage_with(&package).await;
    let said = "Content-Usage: /v1/packages/shop/goods/ train-ai=y\n";
    assert!(!stage.get("/robots.txt").await.text.contains("Content-Usage"));
    let own = Terms::of(&Manifest::parse(&package.manifest).unwrap());
    let mut open = own.clone();
    open.more.usage = Some(ContentUsage { train_ai: Some(Consent::Y), search: None, rsl: None });
    let release = Package::check(package.clone()).unwrap().statement();
    let change = TermsChange::new(&release, own.compute_digest(), open).sign(&publisher());
    let changed = crate::names::act(&stage, &format!("{GOODS}/terms"), change).await;
    assert_eq!(changed.status, 201, "{}", changed.text);
    let robots = stage.get("/robots.txt").await.text;
    assert!(robots.contains(said), "{robots}");
    // Also of releases whose pages were written before these had it.
    let stage = stage.reopen_changed(Sweep::Off, forget_rights).await;
    let robots = stage.get("/robots.txt").await.text;
    assert!(robots.contains(said), "{robots}");
}

/// Makes pages what they were before they said anything of usage and of licences that change.
fn forget_rights(store: &Path) {
    let database = rusqlite::Connection::open(store.join("glassbox.sqlite")).unwrap();
    let forget =
        "UPDATE releases SET listing = json_remove(listing, '$.usage', '$.license_change', '$.has_rights')";
    assert_eq!(database.execute(forget, []).unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_before_pages_said_it_is_said() {
    let stage = Stage::empty().await;
    let from = day(&stage, 2);
    let files = changing("MPL-2.0", &from);
    let manifest = files.manifest.replacen("[security]", "[usage]\ntrain-ai = \"n\"\n[security]", 1);
    stage.publish(&PackageFiles { manifest, ..files }).await;
    let stage = stage.reopen_changed(Sweep::Off, forget_rights).await;
    let robots = stage.get("/robots.txt").await.text;
    assert!(robots.contains("Content-Usage: /v1/packages/shop/goods/ train-ai=n\n"), "{robots}");
    let license = stage.get("/license.xml").await.text;
    assert!(license.contains("<prohibits type=\"usage\">ai-train</prohibits>"), "{license}");
    let page = stage.get(GOODS).await.json();
    assert_eq!(page["license_change"], json!({ "license": "MPL-2.0", "from": from }));
    stage.world.advance(Duration::from_secs(2 * 24 * 3_600));
    assert_eq!(stage.get(GOODS).await.json()["license"], "MPL-2.0");
}

/// The relation of a response to the source of what answered.
const SOURCE: &str = "https://glassbox.dev/rel/source";

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_of_what_is_under_the_agpl_links_its_source() {
    let files = goods("AGPL-3.0-only", "", "[source]\npath = \"src/\"\nmachines = \"free\"\n");
    let source = one_file("lib.wat", "(component)");
    let stage = stage_with(&PackageFiles { source: Some(source), ..files }).await;
    let url = format!("{}{GOODS}/source?file=", stage.url);
    let link = format!("<{url}>; rel=\"{SOURCE}\"");
    let args = json!({ "args": [4] });
    let called = stage.post(&path("double"), &args).await;
    assert_eq!((called.output(), called.header("link")), (json!(8), Some(link.as_str())));
    assert_eq!(called.json()["source"], url);
    // Also where it failed, or was asked for wrongly.
    for (function, status) in [("boom", 422), ("none", 404)] {
        let failed = stage.post(&path(function), &args).await;
        assert_eq!((failed.status, failed.header("link")), (status, Some(link.as_str())), "{function}");
    }
    assert_eq!(stage.http.get(&url).send().await.unwrap().status(), 200);
    let meta = over_mcp(&stage, "shop:goods@1.0.0", "double").await;
    assert_eq!(
        (&meta["dev.glassbox/source"], meta.get("dev.glassbox/sources")),
        (&json!(url), None),
        "{meta}"
    );
    // Others link nothing.
    let free = stage_with(&goods("MIT", "", "")).await;
    let called = free.post(&path("double"), &args).await;
    assert_eq!((called.status, called.header("link")), (200, None));
}

/// Calls a function with 4, and returns what a client finds beside the answer.
async fn over_mcp(stage: &Stage, release: &str, function: &str) -> Value {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "call", "arguments": { "id": release, "function": function, "args": [4] },
    } });
    let request = stage.http.post(format!("{}/mcp", stage.url)).json(&body);
    let request = request.header("accept", "application/json, text/event-stream");
    let request = request.header("mcp-protocol-version", "2025-06-18");
    let answer = Reply::of(request.send().await.unwrap()).await;
    answer.json()["result"]["_meta"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_imported_under_the_agpl_links_its_source_too() {
    let stage = Stage::empty().await;
    let leaf = composition::leaf("leaf", "[source]\npath = \"src/\"\nmachines = \"free\"\n");
    let manifest = leaf.manifest.replacen("Apache-2.0", "AGPL-3.0-only", 1);
    let leaf = PackageFiles { manifest, source: Some(one_file("lib.wat", "(component)")), ..leaf };
    let middle = composition::on("middle", &[&leaf], "");
    // It imports it twice, by itself and through another, and says so once.
    let top = composition::on("top", &[&leaf, &middle], "");
    for (package, imports) in [(&leaf, vec![]), (&middle, vec![&leaf]), (&top, vec![&leaf, &middle])] {
        composition::publish(&stage, package, &imports).await;
    }
    let url = format!("{}/v1/packages/lab/leaf/1.0.0/source?file=", stage.url);
    let link = format!("<{url}>; rel=\"{SOURCE}\"");
    let (own, imported) = ((json!(url), Value::Null), (Value::Null, json!([url])));
    for (package, said) in [("leaf", own), ("middle", imported.clone()), ("top", imported)] {
        let call = |function: &str| format!("/v1/call/lab/{package}/1.0.0/{function}");
        let called = stage.post(&call("run"), &json!({ "args": [4] })).await;
        let links: Vec<&str> =
            called.headers.get_all("link").iter().map(|link| link.to_str().unwrap()).collect();
        assert_eq!((called.status, links), (200, vec![link.as_str()]), "{package}");
        let body = called.json();
        assert_eq!((body["source"].clone(), body["sources"].clone()), said, "{package}");
        let refused = stage.post(&call("none"), &json!({ "args": [4] })).await;
        assert_eq!((refused.status, refused.header("link")), (404, Some(link.as_str())), "{package}");
        let meta = over_mcp(&stage, &format!("lab:{package}@1.0.0"), "run").await;
        let meta = (meta["dev.glassbox/source"].clone(), meta["dev.glassbox/sources"].clone());
        assert_eq!(meta, said, "{package}");
    }
}
