//! Readers of a log: what contradicts what they saw, or is held back from them, they do not believe.

use std::path::Path;
use std::sync::Arc;

use crate::command::{Server, Shell};
use crate::packages::example;
use crate::stage::{Stage, Sweep, World};

const CHECKSUM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/checksum");

/// Copies a folder, as somebody does who puts an old copy back.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A registry in the folder `data` of a shell that asks it.
fn registry() -> (Server, Shell) {
    let mut shell = Shell::new("");
    let server = Server::start(&shell.folder.path().join("data"), &[]);
    shell.registry = server.url.clone();
    (server, shell)
}

fn new_package(shell: &Shell, folder: &str, name: &str) {
    assert!(shell.run(&["new", folder, "--lang", "wat", "--name", name]).status.success());
}

#[test]
fn a_forked_log_is_found_out_and_both_sides_are_kept() {
    let (mut server, shell) = registry();
    let address = server.address().to_owned();
    let folder = |name: &str| shell.folder.path().join(name);
    shell.ok(&["publish", CHECKSUM]);
    server.kill();
    copy(&folder("data"), &folder("other"));
    // One history for me …
    new_package(&shell, "mine", "acme:mine");
    new_package(&shell, "theirs", "acme:theirs");
    let mut server = Server::start_at(&address, &folder("data"), &[]);
    shell.ok(&["publish", "mine"]);
    // The first entry is what the registry says of itself.
    assert_eq!(shell.ok(&["log", "show"])["size"], 3);
    server.kill();
    // … and another of the same length for somebody else, under the same key.
    let mut server = Server::start_at(&address, &folder("other"), &[]);
    let stranger = Shell::new(&server.url);
    new_package(&stranger, "theirs", "other:theirs");
    stranger.ok(&["publish", "theirs"]);
    let refused = shell.refused(&["log", "show"], "log-forked");
    for command in [&["download", "bits:checksum"][..], &["call", "bits:checksum", "crc32([1])"][..]] {
        shell.refused(command, "log-forked");
    }
    // A longer one is no better.
    new_package(&stranger, "more", "other:more");
    stranger.ok(&["publish", "more"]);
    shell.refused(&["log", "show"], "log-forked");
    // Whoever sees both sides can show them to anybody: both are signed.
    let hint = refused["hint"].as_str().unwrap();
    let evidence = std::fs::read_to_string(hint.split('`').nth(1).unwrap()).unwrap();
    assert_eq!(evidence.matches("\n3\n").count(), 2, "{evidence}");
    // The one that was seen first is still believed.
    server.kill();
    let _server = Server::start_at(&address, &folder("data"), &[]);
    shell.ok(&["publish", "theirs"]);
    assert_eq!(shell.ok(&["log", "show"])["size"], 4);
}

#[test]
fn a_log_that_goes_back_is_refused() {
    let (mut server, shell) = registry();
    let address = server.address().to_owned();
    let folder = |name: &str| shell.folder.path().join(name);
    shell.ok(&["publish", CHECKSUM]);
    server.kill();
    copy(&folder("data"), &folder("old"));
    let mut server = Server::start_at(&address, &folder("data"), &[]);
    new_package(&shell, "mine", "acme:mine");
    shell.ok(&["publish", "mine"]);
    server.kill();
    let _server = Server::start_at(&address, &folder("old"), &[]);
    let refused = shell.refused(&["log", "show"], "log-rolled-back");
    assert!(refused["message"].as_str().unwrap().contains("shows 2 entries, and 3 were seen"), "{refused}");
    // Nor are its proofs believed: it has not the tiles that would show them to be of the log that was seen.
    shell.refused(&["log", "proof", "bits:checksum"], "log-rolled-back");
}

#[test]
fn another_log_at_the_same_address_is_refused_until_somebody_has_looked() {
    let (mut server, shell) = registry();
    let address = server.address().to_owned();
    let met = shell.run(&["log", "show"]);
    let remark = String::from_utf8(met.stderr).unwrap();
    assert!(remark.contains("First contact with"), "{remark}");
    assert!(shell.run(&["log", "show"]).stderr.is_empty(), "said once");
    server.kill();
    let _server = Server::start_at(&address, &shell.folder.path().join("new"), &[]);
    let refused = shell.refused(&["log", "show"], "log-changed");
    let path = refused["hint"].as_str().unwrap().split('`').nth(1).unwrap();
    std::fs::remove_file(path).unwrap();
    shell.ok(&["log", "show"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_log_is_refused() {
    let now_ms =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    const DAY_MS: i64 = 24 * 3_600 * 1_000;
    // Its clock stands still, so its last checkpoint is all that there ever is.
    let stage =
        Stage::open(Arc::new(tempfile::tempdir().unwrap()), World::at(now_ms - 2 * DAY_MS), Sweep::Off).await;
    stage.publish(&example("checksum")).await;
    let shell = Shell::new(&stage.url);
    let refused = shell.refused(&["log", "show"], "log-frozen");
    assert!(refused["message"].as_str().unwrap().contains("seconds ago"), "{refused}");
    shell.refused(&["download", "bits:checksum"], "log-frozen");
    assert_eq!(shell.ok(&["log", "show", "--log-age-max", "3d"])["size"], 1);
    shell.ok(&["download", "bits:checksum", "--log-age-max", "3d"]);
    // Nor is one believed that comes from the future.
    let stage =
        Stage::open(Arc::new(tempfile::tempdir().unwrap()), World::at(now_ms + DAY_MS), Sweep::Off).await;
    let refused = Shell::new(&stage.url).refused(&["log", "show"], "log-frozen");
    assert!(refused["message"].as_str().unwrap().contains("from the future"), "{refused}");
}

#[test]
fn a_policy_is_obeyed_and_a_broken_one_stops_everything() {
    let (server, shell) = registry();
    let home = shell.folder.path().join("home");
    std::fs::create_dir_all(&home).unwrap();
    let policy = home.join("log-policy");
    let log_key = server.said["log_key"].as_str().unwrap();
    std::fs::write(&policy, format!("log {log_key}\nquorum none\n")).unwrap();
    let shown = shell.ok(&["log", "show"]);
    assert_eq!((&shown["policy"], &shown["witnesses"]), (&true.into(), &serde_json::json!([])));
    shell.ok(&["publish", CHECKSUM]);
    // Another key of the same name, as an impostor has it.
    let impostor = glassbox_core::log::LogKey::new(
        log_key.split('+').next().unwrap(),
        glassbox_core::key::SecretKey::from_seed(&[7; 32]),
    );
    std::fs::write(&policy, format!("log {}\nquorum none\n", impostor.unwrap().verifier_key())).unwrap();
    shell.refused(&["log", "show"], "log-unknown");
    shell.refused(&["download", "bits:checksum"], "log-unknown");
    std::fs::write(&policy, format!("log {log_key}\nquorum everybody\n")).unwrap();
    let (exit, said) = shell.json(&["download", "bits:checksum"]);
    assert_eq!((exit, said["code"].as_str()), (2, Some("log-policy-invalid")), "{said}");
    assert!(said["message"].as_str().unwrap().contains("line 2"), "{said}");
}

#[test]
fn a_release_is_named_with_its_registry() {
    let shell = Shell::new("http://127.0.0.1:1");
    let server = Server::start(&shell.folder.path().join("data"), &[]);
    shell.ok(&["publish", CHECKSUM, "--registry", &server.url]);
    // By its address, which on this machine needs no https, and by a name of one's own.
    let by_address = format!("{}/bits:checksum", server.address());
    assert_eq!(shell.ok(&["info", &by_address])["release"], "bits:checksum@1.0.0");
    let names = shell.folder.path().join("home/registries.toml");
    std::fs::write(&names, format!("mine = '{}'\n", server.url)).unwrap();
    let called = shell.ok(&["call", "mine/bits:checksum@1.0.0", "crc32([104, 105])"]);
    assert_eq!(called["output"], 3633523372u32);
    shell.ok(&["download", "mine/bits:checksum"]);
    shell.ok(&["log", "proof", "mine/bits:checksum"]);
    // Offline, and by the other's key: a proof of a foreign registry is as good as one of the own.
    let log_key = server.said["log_key"].as_str().unwrap().to_owned();
    drop(server);
    let verified = shell.ok(&["log", "verify", "checksum-1.0.0.tlog-proof", "--log-key", &log_key]);
    assert_eq!(verified["release"], "bits:checksum@1.0.0");
    shell.refused(&["info", "unheard/bits:checksum"], "registry-unknown");
    let (exit, said) = shell.json(&["info", "Not A Registry/bits:checksum"]);
    assert_eq!((exit, said["code"].as_str()), (2, Some("usage")), "{said}");
}
