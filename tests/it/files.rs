//! Files that a release ships: read by its component, named on the receipt, and as private as the component itself.

use glassbox_core::files::Files;
use glassbox_core::limits;
use glassbox_registry::{Code, Package, PackageFiles, replay};
use serde_json::{Value, json};

use crate::packages::{bench, one_file, publisher, request};
use crate::stage::{Stage, Sweep, keys, sandbox};

/// A program that does what its first argument says, such as `cat /words.txt`.
const TOOL: &[u8] = include_bytes!("../../conformance/fuel/tool.wasm");

const MANIFEST: &str = r#"
[package]
name = "lab:words"
version = "1.0.0"
license = "Apache-2.0"

[spec]
world = "words"

[component]
path = "words.wasm"
files = "data/"
execute = ["remote", "local"]
imports-allow = ["wasi:filesystem"]
"#;

/// `one`, and the line's end that the program adds.
const CASES: &str = r#"
[[case]]
name = "the first word"
call = 'run(["cat", "/words.txt"], [], [])'
expect = '{status: 0, stdout: [111, 110, 101, 10], stderr: [], files: []}'
"#;

/// Makes a release that ships one file beside another in a folder.
pub(crate) fn words(word: &str) -> PackageFiles {
    let file = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
    PackageFiles {
        manifest: MANIFEST.into(),
        wit: Files::new([
            file("world.wit", "package lab:words@1.0.0; world words { export wasi:cli/run@0.2.6; }"),
            file("deps/cli.wit", "package wasi:cli@0.2.6; interface run { run: func() -> result; }"),
        ])
        .unwrap(),
        tests: one_file("words.toml", CASES),
        editions: Default::default(),
        documents: Default::default(),
        component: TOOL.to_vec(),
        files: Some(Files::new([file("words.txt", word), file("more/words.txt", "two")]).unwrap()),
        source: None,
    }
}

fn run(args: &[&str], files: Value) -> Value {
    json!({ "args": { "args": args, "stdin": { "hex": "" }, "files": files } })
}

/// Calls the program, and returns the reply with what it printed.
async fn call(stage: &Stage, version: &str, body: &Value) -> (crate::buyer::Reply, String) {
    let reply = stage.post(&format!("/v1/call/lab/words/{version}/run"), body).await;
    let stdout = reply.output()["stdout"]["base64"].as_str().unwrap().to_owned();
    let printed = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, stdout).unwrap();
    (reply, String::from_utf8(printed).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_reads_what_its_release_ships_and_anybody_can_run_it_again() {
    let stage = Stage::empty().await;
    let package = words("one");
    let files = package.files.as_ref().unwrap();
    stage.publish(&package).await;
    let info = stage.get("/v1/packages/lab/words/1.0.0").await.json();
    assert_eq!(info["files"], json!({ "digest": files.digest(), "count": 2, "size_bytes": 6 }));
    assert_eq!((&info["pure"], &info["download"]), (&json!(true), &json!(true)), "{info}");

    let (reply, printed) = call(&stage, "1.0.0", &run(&["cat", "/more/words.txt"], json!([]))).await;
    assert_eq!(printed, "two\n");
    let (bundle, receipt) = reply.receipt();
    assert_eq!((receipt.files, receipt.pure), (Some(files.digest()), true), "{receipt:?}");
    let served = stage.get("/v1/packages/lab/words/1.0.0/files").await.json();
    assert_eq!(served["digest"], json!(files.digest()));

    let other = words("six").files.unwrap();
    for (files, failed) in [(Some(files), None), (Some(&other), Some("files")), (None, Some("files"))] {
        let (mut report, _) = bundle.verify(Some(&keys().executor.public()));
        let code = Code { component: TOOL, files, dependencies: &[] };
        replay(&sandbox(), &bundle, &receipt, code, &mut report).await;
        let found = report.checks.iter().find(|check| !check.holds).map(|check| check.name.as_str());
        assert_eq!(found, failed, "{report:?}");
        // What other files would give is not even looked at.
        let replayed = report.checks.iter().any(|check| check.name == "re-execution");
        assert_eq!(replayed, failed.is_none());
    }

    // The program cannot change them for anybody.
    let changed = run(&["write", "/words.txt", "six"], json!([]));
    let written = stage.post("/v1/call/lab/words/1.0.0/run", &changed).await;
    assert_eq!(written.output()["files"], json!([["words.txt", { "base64": "c2l4" }]]));
    // Read from the disk again after a restart.
    let stage = stage.reopen(Sweep::On).await;
    let (_, printed) = call(&stage, "1.0.0", &run(&["cat", "/words.txt"], json!([]))).await;
    assert_eq!(printed, "one\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_component_with_other_files_is_another_call() {
    let stage = Stage::empty().await;
    stage.publish(&words("one")).await;
    let mut six = words("six");
    six.manifest = six.manifest.replace("1.0.0", "2.0.0");
    let wit: Vec<_> = six.wit.iter().map(|(path, text)| (path.to_owned(), text.to_vec())).collect();
    let raise = |text: Vec<u8>| String::from_utf8(text).unwrap().replace("1.0.0", "2.0.0").into_bytes();
    six.wit = Files::new(wit.into_iter().map(|(path, text)| (path, raise(text)))).unwrap();
    six.tests = Files::default();
    stage.publish(&six).await;
    let body = run(&["cat", "/words.txt"], json!([]));
    let mut seen = Vec::new();
    for (version, word) in [("1.0.0", "one\n"), ("2.0.0", "six\n"), ("1.0.0", "one\n")] {
        let (reply, printed) = call(&stage, version, &body).await;
        assert_eq!(printed, word);
        seen.push(reply.receipt().1);
    }
    assert_eq!(seen[0].component, seen[1].component);
    assert!(seen[0].files != seen[1].files && seen[0].request != seen[1].request);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_allows_nothing_shows_only_its_own_files() {
    let stage = Stage::empty().await;
    stage.publish(&words("one")).await;
    let files = words("one").files;
    let mine = json!([["mine.txt", { "base64": "SQ==" }]]);
    let with = |path: &str, grants: Value| {
        let mut body = run(&["cat", path], mine.clone());
        body["grants"] = grants;
        body
    };
    for (grants, shipped) in
        [(json!([]), ""), (json!(["wasi:io"]), ""), (json!(["wasi:filesystem"]), "one\n")]
    {
        assert_eq!(call(&stage, "1.0.0", &with("/mine.txt", grants.clone())).await.1, "I\n");
        let (reply, printed) = call(&stage, "1.0.0", &with("/words.txt", grants)).await;
        assert_eq!(printed, shipped);
        let (bundle, receipt) = reply.receipt();
        assert!(receipt.pure);
        let (mut report, _) = bundle.verify(Some(&keys().executor.public()));
        let code = Code { component: TOOL, files: files.as_ref(), dependencies: &[] };
        replay(&sandbox(), &bundle, &receipt, code, &mut report).await;
        assert!(report.holds(), "{report:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_as_private_as_their_component() {
    let stage = Stage::empty().await;
    let mut package = words("one");
    package.manifest = package.manifest.replace(r#"["remote", "local"]"#, r#"["remote"]"#);
    stage.publish(&package).await;
    stage.publish(&bench("1.0.0")).await;
    let refused = stage.get("/v1/packages/lab/words/1.0.0/files").await;
    refused.assert_problem(403, "component-not-downloadable");
    stage.get("/v1/packages/lab/bench/1.0.0/files").await.assert_problem(403, "component-not-downloadable");
    let mut open = bench("1.1.0");
    open.manifest = open.manifest.replace(r#"["remote"]"#, r#"["remote", "local"]"#);
    stage.publish(&open).await;
    stage.get("/v1/packages/lab/bench/1.1.0/files").await.assert_problem(404, "files-not-published");
    assert_eq!(call(&stage, "1.0.0", &run(&["cat", "/words.txt"], json!([]))).await.1, "one\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_nobody_can_be_shown_are_refused() {
    let of = |paths: &[&str]| {
        Files::new(paths.iter().map(|path| ((*path).to_owned(), b"x".to_vec()))).map(Some).unwrap()
    };
    let with = |files: Option<Files>| PackageFiles { files, ..words("one") };
    let large = || ("a".to_owned(), vec![0; limits::RELEASE_FILES_BYTES_MAX]);
    let too_large = Files::within(usize::MAX, [large(), ("b".to_owned(), vec![0])]).unwrap();
    let deep = format!("{}x", "d/".repeat(limits::TREE_DEPTH_MAX + 1));
    let many: Vec<String> =
        (0..limits::FILES_MAX).map(|file| format!("{file:04}/{}x", "d/".repeat(10))).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut unread = words("one");
    unread.manifest = unread.manifest.replace("wasi:filesystem", "wasi:io");
    let mut undeclared = words("one");
    undeclared.manifest = undeclared.manifest.replace("files = \"data/\"", "");
    for (package, code, hint) in [
        (with(None), "files-not-found", "data/"),
        (with(Some(Files::default())), "files-not-found", "data/"),
        (undeclared, "files-invalid", "names none"),
        (unread, "manifest-invalid", ""),
        (with(of(&["a", "a/b"])), "files-invalid", "`a/b`"),
        (with(of(&[&"x".repeat(256)])), "files-invalid", "safe"),
        (with(of(&[&deep])), "files-invalid", "deep"),
        (with(of(&many)), "files-invalid", "too many"),
        (with(Some(too_large)), "files-invalid", "the files"),
        // The same files under a component that reads something else.
        (with(of(&["other.txt"])), "", ""),
    ] {
        match Package::check(package) {
            Err(error) => {
                assert_eq!(error.code(), code, "{error}");
                assert!(error.to_string().contains(hint) && !error.next().is_empty(), "{error}");
            }
            Ok(_) => assert_eq!(code, ""),
        }
    }

    let stage = Stage::empty().await;
    let good = words("one");
    let good_request =
        || serde_json::to_value(request(&good, crate::packages::sign(&good, &publisher()))).unwrap();
    let file = |path: &str| json!({ "path": path, "text": "x" });
    for (files, status, code) in [
        (json!(null), 422, "files-not-found"),
        (json!([]), 422, "files-not-found"),
        (json!([file("../a")]), 422, "files-invalid"),
        (json!([file("/etc/passwd")]), 422, "files-invalid"),
        (json!([file("a"), file("a")]), 422, "files-invalid"),
        (
            json!((0..=limits::FILES_MAX).map(|n| file(&n.to_string())).collect::<Vec<_>>()),
            422,
            "files-invalid",
        ),
        (json!([{ "path": "a" }]), 400, "body-invalid"),
        (json!([file("words.txt")]), 422, "statement-differs"),
    ] {
        let mut request = good_request();
        request["files"] = files;
        stage.post("/v1/publish", &request).await.assert_problem(status, code);
    }
    // Tests are run with the files, and fail where those are not what they expect.
    let six = words("six");
    let tried = request(&six, crate::packages::sign(&six, &publisher()));
    stage.post("/v1/publish", &tried).await.assert_problem(422, "tests-failed");
    assert_eq!(stage.registry.checkpoint().size, 0);
}
