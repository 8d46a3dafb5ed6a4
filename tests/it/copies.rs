//! Code that was published before, under another name; and names that look like others.

use std::time::Duration;

use glassbox_core::acts::{Act as _, NamespacePolicy};
use glassbox_core::key::SecretKey;
use glassbox_core::limits;
use glassbox_registry::PackageFiles;
use serde_json::{Value, json};

use crate::names::act;
use crate::packages::{self, one_file};
use crate::stage::Stage;

/// A component with some code, of which each detail that others do not have to copy can be another.
pub(crate) fn component(inner: &str, outer: &str, adds: usize) -> Vec<u8> {
    let work = "(local.set 0 (i32.add (local.get 0) (i32.const 3)))".repeat(adds);
    let text = format!(
        r#"(component
          (core module $m (func (export "{inner}") (param i32) (result i32) {work} (local.get 0)))
          (core instance $i (instantiate $m))
          (func (export "{outer}") (param "n" u32) (result u32) (canon lift (core func $i "{inner}"))))"#
    );
    wat::parse_str(text).unwrap()
}

pub(crate) fn package(name: &str, function: &str, component: Vec<u8>, more: &str) -> PackageFiles {
    PackageFiles {
        manifest: format!(
            "[package]\nname = \"{name}\"\nversion = \"1.0.0\"\nlicense = \"MIT\"\n[spec]\nworld = \"w\"\n\
             [component]\npath = \"c.wasm\"\nfuel-max = 1_000_000\n{more}"
        ),
        wit: one_file(
            "w.wit",
            format!("package {name}@1.0.0;\nworld w {{ export {function}: func(n: u32) -> u32; }}"),
        ),
        tests: one_file(
            "t.toml",
            format!("[[case]]\nname = \"runs\"\ncall = \"{function}(1)\"\nexpect = \"trap\"\n"),
        ),
        editions: Default::default(),
        documents: Default::default(),
        component,
        files: None,
        source: None,
    }
}

pub(crate) async fn publish(stage: &Stage, mut package: PackageFiles, seed: u8, expect: u32) {
    let tests = package.tests.iter().next().map(|(path, text)| (path.to_owned(), text.to_vec())).unwrap();
    let text = String::from_utf8(tests.1).unwrap().replace("\"trap\"", &format!("\"{expect}\""));
    package.tests = one_file(&tests.0, text);
    let key = SecretKey::from_seed(&[seed; 32]);
    let reply = stage.post("/v1/publish", &packages::request(&package, packages::sign(&package, &key))).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
}

async fn same_code(stage: &Stage, package: &str) -> Value {
    let path = format!("/v1/packages/{}/1.0.0", package.replace(':', "/"));
    stage.get(&path).await.json()["same_code_as"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_leads_to_whoever_published_the_code_first() {
    let stage = Stage::empty().await;
    publish(&stage, package("ana:first", "run", component("a", "run", 300), ""), 81, 901).await;
    let first = stage.get("/v1/packages/ana/first/1.0.0").await.json();
    assert!(first.get("same_code_as").is_none(), "{first}");
    // Other names within, a custom section, another key: it is the same code.
    let mut copied = component("b", "work", 300);
    copied.extend([0, 6, 3, b'h', b'i', b'd', 1, 2]);
    publish(&stage, package("eve:copy", "work", copied, ""), 82, 901).await;
    let found = same_code(&stage, "eve:copy").await;
    let wanted = json!({ "release": "ana:first@1.0.0", "publisher": first["publisher"], "declared": false });
    assert_eq!(found, wanted);
    // Whoever says so is shown to have said so.
    let terms = first["terms"].as_str().unwrap();
    let parent = format!("[[derived-from]]\nrelease = \"ana:first@1.0.0\"\nterms = \"{terms}\"\nshare = 0\n");
    publish(&stage, package("ben:fork", "work", component("c", "work", 300), &parent), 83, 901).await;
    assert_eq!(same_code(&stage, "ben:fork").await["declared"], true);
    // Through somebody else's fork, too.
    let fork = stage.get("/v1/packages/ben/fork/1.0.0").await.json();
    let terms = fork["terms"].as_str().unwrap();
    let parent = format!("[[derived-from]]\nrelease = \"ben:fork@1.0.0\"\nterms = \"{terms}\"\nshare = 0\n");
    publish(&stage, package("dan:fork", "work", component("e", "work", 300), &parent), 85, 901).await;
    let found = same_code(&stage, "dan:fork").await;
    assert_eq!((&found["release"], &found["declared"]), (&json!("ana:first@1.0.0"), &json!(true)));
    // One's own code under another name, other code, and code so short that anybody writes it, are nobody's copy.
    publish(&stage, package("ana:second", "run", component("d", "run", 300), ""), 81, 901).await;
    publish(&stage, package("cy:other", "run", component("a", "run", 301), ""), 84, 904).await;
    publish(&stage, package("ana:short", "run", component("a", "run", 2), ""), 81, 7).await;
    publish(&stage, package("cy:short", "work", component("b", "work", 2), ""), 84, 7).await;
    for package in ["ana:second", "cy:other", "cy:short"] {
        assert_eq!(same_code(&stage, package).await, Value::Null, "{package}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_a_namespace_are_one_publisher() {
    let stage = Stage::empty().await;
    publish(&stage, package("ana:first", "run", component("a", "run", 300), ""), 81, 901).await;
    let [first, second] = [81, 82].map(|seed| SecretKey::from_seed(&[seed; 32]));
    let of_one = NamespacePolicy::of_one_key("ana".parse().unwrap(), first.public());
    let controllers = [first.public(), second.public()].into();
    let policy = NamespacePolicy { sequence: 1, controllers, ..of_one };
    let reply = act(&stage, "/v1/namespaces/ana/policy", policy.sign(&first)).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    // By the other key: in the namespace, and in one of its own.
    publish(&stage, package("ana:second", "run", component("b", "run", 300), ""), 82, 901).await;
    publish(&stage, package("eve:third", "run", component("c", "run", 300), ""), 82, 901).await;
    for package in ["ana:second", "eve:third"] {
        assert_eq!(same_code(&stage, package).await, Value::Null, "{package}");
    }
    publish(&stage, package("cy:fourth", "run", component("d", "run", 300), ""), 83, 901).await;
    assert_eq!(same_code(&stage, "cy:fourth").await["release"], "ana:first@1.0.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_begin_few_packages_a_day_and_none_that_looks_like_anothers() {
    let stage = Stage::empty().await;
    let ask = async |name: &str, seed: u8| {
        let component = component("a", "run", 1);
        let mut package = package(name, "run", component, "");
        package.tests = one_file("t.toml", "[[case]]\nname = \"runs\"\ncall = \"run(1)\"\nexpect = \"4\"\n");
        let signed = packages::sign(&package, &SecretKey::from_seed(&[seed; 32]));
        stage.post("/v1/publish", &packages::request(&package, signed)).await
    };
    for n in 0..limits::NEW_KEY_PACKAGES_MAX {
        let reply = ask(&format!("new:a{}", "-a".repeat(n)), 81).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }
    let refused = ask("new:more", 81).await.assert_problem(429, "packages-too-many");
    assert!(refused["next"].as_str().unwrap().contains("tomorrow"), "{refused}");
    // Another key has its own count, and no name that looks like one of these.
    for name in ["new-a:other", "ne:wa"] {
        assert_eq!(ask(name, 82).await.status, 201, "{name}");
    }
    let refused = ask("new-a:a", 82).await.assert_problem(403, "package-confusable");
    assert!(refused["detail"].as_str().unwrap().contains("`new:a-a`"), "{refused}");
    stage.world.advance(Duration::from_millis(limits::NEW_KEY_WINDOW_MS as u64));
    assert_eq!(ask("new:more", 81).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_claim_few_namespaces_a_day_for_nothing() {
    let stage = Stage::empty().await;
    let [eve, ana] = [81, 82].map(|seed| SecretKey::from_seed(&[seed; 32]));
    // Whoever else is named has no part in it.
    let claim = async |name: &str| {
        let of_one = NamespacePolicy::of_one_key(name.parse().unwrap(), eve.public());
        let policy = NamespacePolicy { controllers: [ana.public(), eve.public()].into(), ..of_one };
        act(&stage, &format!("/v1/namespaces/{name}/policy"), policy.sign(&eve)).await
    };
    let ask = async |name: &str, seed: u8| {
        let mut package = package(name, "run", component("a", "run", 1), "");
        package.tests = one_file("t.toml", "[[case]]\nname = \"runs\"\ncall = \"run(1)\"\nexpect = \"4\"\n");
        let signed = packages::sign(&package, &SecretKey::from_seed(&[seed; 32]));
        stage.post("/v1/publish", &packages::request(&package, signed)).await
    };
    for n in 0..limits::NEW_KEY_PACKAGES_MAX {
        let reply = claim(&format!("squat{}", "x".repeat(n))).await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        stage.world.advance(Duration::from_secs(60));
    }
    claim("more").await.assert_problem(429, "packages-too-many");
    ask("more:goods", 81).await.assert_problem(429, "packages-too-many");
    // What it claimed it may use, and others are not counted with it.
    assert_eq!(ask("squat:goods", 81).await.status, 201);
    assert_eq!(ask("ana:goods", 82).await.status, 201);
    stage.world.advance(Duration::from_millis(limits::NEW_KEY_WINDOW_MS as u64));
    assert_eq!(claim("more").await.status, 201);
}
