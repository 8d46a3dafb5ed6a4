//! A disk that is full, for real: writes of the server's own process fail in the middle of publishing. Nothing that was
//! shown is lost, the log is not forked, and once there is room the same request succeeds.

use std::fs;
use std::path::Path;

use crate::command::{Server, Shell};

/// The most packages that are published until the disk is full.
const PACKAGES_MAX: usize = 200;

fn new_package(shell: &Shell, number: usize) -> String {
    let name = format!("p{number}");
    let made = shell.run(&["new", &name, "--lang", "wat", "--name", &format!("acme:{name}")]);
    assert!(made.status.success(), "{made:?}");
    name
}

fn log_size(shell: &Shell) -> u64 {
    // Every entry, tile and signature is read, and the map made again.
    shell.ok(&["log", "check"])["entries"].as_u64().unwrap()
}

/// The size of the largest file of the registry: of the database, or of its journal.
fn largest_kib(data: &Path) -> u64 {
    let files = fs::read_dir(data.join("registry")).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).max().unwrap() / 1024
}

#[test]
fn a_full_disk_stops_publishing_and_loses_nothing() {
    let mut shell = Shell::new("");
    let data = shell.folder.path().join("data");
    let server = Server::start(&data, &[]);
    shell.registry = server.url.clone();
    shell.ok(&["publish", &new_package(&shell, 0)]);
    drop(server);

    let server = Server::start_on_a_full_disk(&data, largest_kib(&data) + 64);
    shell.registry = server.url.clone();
    let before = log_size(&shell);
    let mut published = 0;
    let refused = loop {
        let package = new_package(&shell, published + 1);
        let (exit, said) = shell.json(&["publish", &package]);
        if exit != 0 {
            assert_eq!(said["code"], "internal", "{said}");
            break package;
        }
        published += 1;
        assert!(published < PACKAGES_MAX, "the disk was not full");
    };
    // What was published before can be read, run and proved, on the full disk too.
    let known = shell.ok(&["log", "check"]);
    assert!(known["entries"].as_u64().unwrap() >= before, "{known}");
    shell.ok(&["info", "acme:p0"]);
    drop(server);

    let server = Server::start(&data, &[]);
    shell.registry = server.url.clone();
    assert!(log_size(&shell) >= before + published as u64);
    shell.ok(&["publish", &refused]);
    // A reader who saw the log on the full disk still believes it: nothing was taken back, and nothing is there twice.
    for number in 0..=published + 1 {
        let stands = shell.ok(&["log", "standing", &format!("acme:p{number}")]);
        assert_eq!(stands["standing"]["entries"], 1, "{stands}");
    }
}
