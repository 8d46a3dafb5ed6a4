//! The cache of compiled components: used when good, ignored when not.

use std::fs;
use std::path::{Path, PathBuf};

use glassbox_core::Digest;
use glassbox_core::value::Value;
use glassbox_sandbox::{Codegen, Grants, Outcome, RunLimits, Sandbox, SandboxConfig, SandboxError};
use serde_json::json;

use crate::component::{integer_component, integer_type, run_in};

fn component() -> Vec<u8> {
    integer_component(
        r#"(func (export "run") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3)))"#,
    )
}

fn sandbox(dir: &Path) -> Sandbox {
    let artifact_dir = Some(dir.to_owned());
    Sandbox::new(SandboxConfig { artifact_dir, pool: false, threads: 1, ..SandboxConfig::default() })
        .expect("starts")
}

async fn triple(sandbox: &Sandbox) {
    let component = component();
    let prepared = sandbox.prepare(Digest::of(&component), &component, &Grants::none()).expect("valid");
    let run = run_in(sandbox, &prepared, "run", &integer_type(), json!([14]), RunLimits::default()).await;
    assert_eq!(run.outcome, Outcome::Returned(Some(Value::U32(42))));
}

fn artifacts(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).expect("the directory").flatten().map(|entry| entry.path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "cwasm")).collect()
}

fn artifact(dir: &Path) -> PathBuf {
    let found = artifacts(dir);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

#[tokio::test]
async fn good_ones_are_used_and_bad_ones_made_again() {
    let dir = tempfile::tempdir().expect("a directory");
    triple(&sandbox(dir.path())).await;
    let path = artifact(dir.path());
    let good = fs::read(&path).expect("the artefact");
    // Used: a second sandbox leaves the file as it is, byte for byte and in time.
    let written = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("a time");
    triple(&sandbox(dir.path())).await;
    assert_eq!(fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("a time"), written);
    // Damaged anywhere, cut off, prolonged, empty, or no artefact at all: made again.
    let damaged = [0, 31, 32, 36, good.len() / 2, good.len() - 1].map(|place| {
        let mut damaged = good.clone();
        damaged[place] ^= 1;
        damaged
    });
    let cut = [0, 1, 31, 32, 35, 36, good.len() / 2, good.len() - 1].map(|length| good[..length].to_vec());
    let others = [b"garbage".to_vec(), [good.as_slice(), b"more"].concat()];
    for bad in damaged.into_iter().chain(cut).chain(others) {
        fs::write(&path, &bad).expect("writable");
        triple(&sandbox(dir.path())).await;
        assert_ne!(fs::read(&path).expect("the artefact"), bad);
    }
    // With another key even the good one is foreign.
    fs::write(dir.path().join("key"), [7; 32]).expect("writable");
    triple(&sandbox(dir.path())).await;
    assert_ne!(fs::read(&path).expect("the artefact")[..32], good[..32]);
}

#[tokio::test]
async fn an_artefact_of_another_component_is_foreign() {
    let dir = tempfile::tempdir().expect("a directory");
    let other = integer_component(r#"(func (export "run") (param i32) (result i32) (i32.const 0))"#);
    let first = sandbox(dir.path());
    first.prepare(Digest::of(&other), &other, &Grants::none()).expect("valid");
    let path = artifact(dir.path());
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    let renamed = name.replace(&Digest::of(&other).hex(), &Digest::of(component()).hex());
    fs::rename(&path, dir.path().join(renamed)).expect("renamed");
    triple(&sandbox(dir.path())).await;
}

#[tokio::test]
async fn what_was_kept_needs_neither_bytes_nor_compiler() {
    let dir = tempfile::tempdir().expect("a directory");
    triple(&sandbox(dir.path())).await;
    let digest = Digest::of(component());
    let kept = sandbox(dir.path()).prepare(digest, &[], &Grants::none()).expect("kept");
    assert!(kept.is_pure());
    assert!(matches!(
        sandbox(dir.path()).prepare(Digest::of("other"), &[], &Grants::none()),
        Err(SandboxError::Digest { .. })
    ));
}

#[tokio::test]
async fn each_way_to_compile_has_artefacts_of_its_own() {
    let dir = tempfile::tempdir().expect("a directory");
    for (count, codegen) in (1..).zip(Codegen::ALL) {
        // Twice: compiled, and loaded.
        for _ in 0..2 {
            let artifact_dir = Some(dir.path().to_owned());
            let config = SandboxConfig { artifact_dir, pool: false, codegen, ..SandboxConfig::default() };
            triple(&Sandbox::new(config).expect("starts")).await;
            assert_eq!(artifacts(dir.path()).len(), count, "{codegen:?}");
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn files_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    triple(&sandbox(dir.path())).await;
    for path in [dir.path().join("key"), artifact(dir.path())] {
        let mode = fs::metadata(&path).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
}

#[test]
fn a_damaged_key_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("key"), b"short").expect("writable");
    let config =
        SandboxConfig { artifact_dir: Some(dir.path().to_owned()), pool: false, ..SandboxConfig::default() };
    assert!(matches!(Sandbox::new(config), Err(SandboxError::Artifacts(_))));
}

#[test]
fn the_digest_must_be_that_of_the_bytes() {
    let sandbox = crate::component::sandbox();
    let refused = sandbox.prepare(Digest::of("other"), &component(), &Grants::none());
    assert!(matches!(refused, Err(SandboxError::Digest { .. })));
}

#[tokio::test]
async fn the_least_recently_used_is_dropped() {
    let sandbox =
        Sandbox::new(SandboxConfig { pool: false, hot_bytes: 1, threads: 1, ..SandboxConfig::default() })
            .expect("starts");
    let components: Vec<_> = (0..3)
        .map(|n| {
            integer_component(&format!(r#"(func (export "run") (param i32) (result i32) (i32.const {n}))"#))
        })
        .collect();
    for component in &components {
        sandbox.prepare(Digest::of(component), component, &Grants::none()).expect("valid");
    }
    let held = |component: &Vec<u8>| sandbox.prepared(Digest::of(component), &Grants::none(), &[]).is_some();
    assert_eq!(components.iter().map(held).collect::<Vec<_>>(), [false, false, true]);
}
