//! What a publisher can get wrong. Each row is refused with a code and a next step, and leaves nothing behind.

use glassbox_core::key::SecretKey;
use glassbox_core::limits;
use glassbox_registry::PackageFiles;
use glassbox_registry::package::Package;
use serde_json::{Value, json};

use crate::composition::assert_known;
use crate::packages::{self, bench, one_file, publisher};
use crate::stage::Stage;

/// Sends a package under a statement that is honest about `lab:bench@1.0.0`, unless the package itself is checked out.
async fn send(stage: &Stage, package: &PackageFiles) -> crate::buyer::Reply {
    let honest = match Package::check(package.clone()) {
        Ok(checked) => checked.statement(),
        Err(_) => Package::check(bench("1.0.0")).unwrap().statement(),
    };
    stage.post("/v1/publish", &packages::request(package, honest.sign(&publisher()))).await
}

async fn assert_untouched(stage: &Stage, packages: usize) {
    assert_eq!(stage.get("/v1/packages").await.json()["results"].as_array().unwrap().len(), packages);
    assert_eq!(stage.registry.checkpoint().size, packages as u64);
}

fn with(change: impl FnOnce(&mut PackageFiles)) -> PackageFiles {
    let mut package = bench("1.0.0");
    change(&mut package);
    package
}

fn manifest(from: &str, to: &str) -> PackageFiles {
    with(|package| {
        assert!(package.manifest.contains(from), "{from}");
        package.manifest = package.manifest.replacen(from, to, 1);
    })
}

fn component(text: &str) -> PackageFiles {
    with(|package| package.component = wat::parse_str(text).unwrap())
}

fn case(text: &str) -> PackageFiles {
    with(|package| package.tests = one_file("cases.toml", format!("[[case]]\nname = \"row\"\n{text}\n")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_does_not_hold_is_refused_and_told_why() {
    let stage = Stage::empty().await;
    let wit = |text: &str| with(|package| package.wit = one_file("world.wit", text));
    let mut truncated = bench("1.0.0");
    truncated.component.truncate(truncated.component.len() / 2);
    let rows: Vec<(PackageFiles, &str, &str)> = vec![
        (with(|package| package.component = b"not wasm at all".to_vec()), "component-invalid", ""),
        (with(|package| package.component.clear()), "component-invalid", ""),
        (truncated, "component-invalid", ""),
        (component("(module)"), "component-is-core-module", "core module"),
        (component("(component)"), "world-mismatch", "double"),
        (
            component(r#"(component (import "acme:host/thing@1.0.0" (instance (export "f" (func)))))"#),
            "import-not-granted",
            "acme:host/thing",
        ),
        (
            component(r#"(component (import "wasi:keyvalue/store@0.2.0" (instance (export "f" (func)))))"#),
            "import-not-granted",
            "wasi:keyvalue",
        ),
        (manifest("[package]", "[package"), "manifest-invalid", "line 2"),
        (manifest("amount = \"0.002\"", "amount = 0.002"), "manifest-invalid", "line "),
        (manifest("amount = \"0.002\"", "amount = \"-1\""), "manifest-invalid", "line "),
        (manifest("amount = \"0.002\"", "amount = \"0.0000001\""), "manifest-invalid", "line "),
        (manifest("amount = \"0.002\"", "ammount = \"0.002\""), "manifest-invalid", "ammount"),
        (manifest("share = 7000", "share = 6999"), "manifest-invalid", "9999"),
        (manifest("\"lab:bench\"", "\"lab bench\""), "manifest-invalid", "line 3"),
        (manifest("\"lab:bench\"", "\"lab:other\""), "name-differs", "lab:other"),
        (manifest("\"1.0.0\"", "\"1.0.1\""), "version-differs", "1.0.1"),
        (manifest("\"1.0.0\"", "\"1.0\""), "manifest-invalid", "line 4"),
        (manifest("export = \"double\"", "export = \"treble\""), "export-not-found", "treble"),
        (manifest("world = \"bench\"", "world = \"desk\""), "world-not-found", "desk"),
        (
            manifest("[component]", "[component]\nimports-allow = [\"acme:host/thing\"]"),
            "grant-unknown",
            "acme:host",
        ),
        (
            wit("package lab:bench@1.0.0;\nworld bench { export double: func(n: u33) -> u32; }"),
            "wit-invalid",
            "u33",
        ),
        (wit("not wit"), "wit-invalid", ""),
        (case("call = 'double(2)'\nexpect = '5'"), "tests-failed", "1 of 1"),
        (case("call = 'boom(2)'\nexpect = '5'"), "tests-failed", "1 of 1"),
        (case("call = 'treble(2)'\nexpect = '6'"), "test-invalid", "treble"),
        (case("call = 'double(\"2\")'\nexpect = '4'"), "test-invalid", "row"),
        (case("call = 'double(2)'\nexpect = '-4'"), "test-invalid", "row"),
        (case("call = 'double(2)'"), "test-invalid", "row"),
        (case("call = 'double(2'\nexpect = '4'"), "test-invalid", "row"),
        (case("nonsense = 1"), "test-invalid", "cases.toml"),
    ];
    for (package, code, hint) in rows {
        let reply = send(&stage, &package).await;
        let problem = reply.assert_problem(422, code);
        assert!(problem["detail"].as_str().unwrap().contains(hint), "{hint}: {problem}");
        let detail = problem["detail"].as_str().unwrap();
        let said: Vec<&str> = detail.split(": ").collect();
        assert!(said.windows(2).all(|pair| pair[0] != pair[1]), "said twice: {detail}");
        if hint.starts_with("line") {
            assert!(problem["line"].as_u64().is_some(), "{problem}");
        }
        if code == "tests-failed" {
            assert_eq!(problem["tests"][0]["name"], "row", "{problem}");
        }
    }
    assert_untouched(&stage, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_no_publish_request_is_refused() {
    let stage = Stage::empty().await;
    let package = bench("1.0.0");
    let good =
        serde_json::to_value(packages::request(&package, packages::sign(&package, &publisher()))).unwrap();
    let with = |name: &str, value: Value| {
        let mut request = good.clone();
        request[name] = value;
        request
    };
    let file = |path: &str| json!([{ "path": path, "text": "x" }]);
    for (request, status, code) in [
        (json!({}), 400, "body-invalid"),
        (json!([]), 400, "body-invalid"),
        (with("component", json!("%%%")), 400, "body-invalid"),
        (with("component", json!(7)), 400, "body-invalid"),
        (with("surprise", json!(1)), 400, "body-invalid"),
        (with("statement", json!({})), 400, "body-invalid"),
        (with("wit", json!([{ "path": "a.wit" }])), 400, "body-invalid"),
        (with("wit", json!([{ "path": "a.wit", "text": "x", "base64": "eA==" }])), 400, "body-invalid"),
        (with("wit", json!([{ "path": "a.wit", "base64": "%" }])), 400, "body-invalid"),
        (with("wit", json!([{ "path": "a.wit", "base64": "/w==" }])), 422, "files-invalid"),
        (with("wit", file("../a.wit")), 422, "files-invalid"),
        (with("wit", file("/etc/passwd")), 422, "files-invalid"),
        (
            with("tests", json!([{ "path": "a", "text": "" }, { "path": "a", "text": "" }])),
            422,
            "files-invalid",
        ),
        (with("wit", json!([])), 422, "wit-invalid"),
        (with("manifest", json!("")), 422, "manifest-invalid"),
        (with("manifest", json!("#".repeat(70_000))), 422, "manifest-invalid"),
    ] {
        let reply = stage.post("/v1/publish", &request).await;
        reply.assert_problem(status, code);
    }
    assert_untouched(&stage, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_counts_only_when_its_signer_says_exactly_this() {
    let stage = Stage::empty().await;
    let package = bench("1.0.0");
    let statement = packages::sign(&package, &publisher());
    let other = SecretKey::from_seed(&[8; 32]);
    let mut unsigned = statement.clone();
    unsigned.signatures.clear();
    let mut renamed = statement.clone();
    renamed.signatures[0].keyid = other.public().to_string();
    let mut swapped = statement.clone();
    swapped.payload = packages::sign(&bench("1.1.0"), &publisher()).payload;
    let mut retyped = statement.clone();
    retyped.payload_type = "application/json".into();
    let check = Package::check(package.clone()).unwrap();
    let digest = glassbox_core::Digest::of("something else");
    let of = |change: &dyn Fn(&mut glassbox_core::release::Release)| {
        let mut release = check.statement();
        change(&mut release);
        release.sign(&publisher())
    };
    // Nobody's word is enough to have a component read.
    let broken = with(|package| package.component = b"not wasm at all".to_vec());
    let reply = stage.post("/v1/publish", &packages::request(&broken, unsigned.clone())).await;
    reply.assert_problem(422, "statement-invalid");
    for (statement, code) in [
        (unsigned, "statement-invalid"),
        (renamed, "statement-invalid"),
        (swapped, "statement-invalid"),
        (retyped, "statement-invalid"),
        (packages::sign(&bench("1.1.0"), &publisher()), "statement-differs"),
        (of(&|release| release.component = digest), "statement-differs"),
        (of(&|release| release.manifest = digest), "statement-differs"),
        (of(&|release| release.terms = digest), "statement-differs"),
        (of(&|release| release.wit = digest), "statement-differs"),
        (of(&|release| release.tests = digest), "statement-differs"),
        (of(&|release| release.files = Some(digest)), "statement-differs"),
        (of(&|release| release.source = Some(digest)), "statement-differs"),
    ] {
        let reply = stage.post("/v1/publish", &packages::request(&package, statement)).await;
        reply.assert_problem(422, code);
    }
    assert_untouched(&stage, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_published_once_and_a_namespace_has_one_owner() {
    let stage = Stage::new().await;
    let package = bench("1.0.0");
    let request = packages::request(&package, packages::sign(&package, &publisher()));
    assert_known(&stage.post("/v1/publish", &request).await);

    let changed = manifest("Functions that", "Tricks that");
    send(&stage, &changed).await.assert_problem(409, "release-exists");
    let other = SecretKey::from_seed(&[8; 32]);
    for package in [bench("1.0.0"), bench("1.1.0")] {
        let request = packages::request(&package, packages::sign(&package, &other));
        stage.post("/v1/publish", &request).await.assert_problem(403, "namespace-taken");
    }
    assert_untouched(&stage, 1).await;
    let served = stage.get("/v1/packages/lab/bench/1.0.0/manifest").await;
    assert_eq!(served.text, package.manifest);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused() {
    let stage = Stage::empty().await;
    let package = with(|package| package.component = vec![0; 24 * 1024 * 1024 + 1]);
    send(&stage, &package).await.assert_problem(413, "component-too-large");
    // One byte too many, quotes included: of a longer body the registry would not read the rest.
    let body = "x".repeat(limits::PUBLISH_BODY_BYTES_MAX - 1);
    stage.post("/v1/publish", &body).await.assert_problem(413, "body-too-large");
    assert_untouched(&stage, 0).await;
}
