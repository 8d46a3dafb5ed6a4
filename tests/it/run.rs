//! `glassbox run`: a program from the shell, with arguments, standard input, files, and an exit code of its own.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::command::{Server, Shell};
use crate::files::words;

/// Writes a package as its publisher's folder has it.
fn write(folder: &Path) {
    let package = words("one");
    let put = |path: &str, bytes: &[u8]| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    put("glassbox.toml", package.manifest.as_bytes());
    put("words.wasm", &package.component);
    for (folder, files) in
        [("wit", &package.wit), ("tests", &package.tests), ("data", &package.files.unwrap())]
    {
        files.iter().for_each(|(path, bytes)| put(&format!("{folder}/{path}"), bytes));
    }
}

/// A registry that has `lab:words`, which lies in the folder `words` too.
fn registry() -> (Server, Shell) {
    let shell = Shell::new("");
    let server = Server::start(&shell.folder.path().join("registry"), &[]);
    let shell = Shell { registry: server.url.clone(), ..shell };
    write(&shell.folder.path().join("words"));
    let output = shell.run(&["publish", "words"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    (server, shell)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Returns the exit code, and what went to stdout and to stderr.
fn told(output: &Output) -> (i32, String, String) {
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

fn run_with(shell: &Shell, args: &[&str], stdin: &[u8]) -> Output {
    let mut child = shell
        .command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

fn code(output: &Output) -> (i32, Value) {
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    (output.status.code().unwrap(), error["error"]["code"].clone())
}

#[test]
fn a_program_is_used_like_one_of_the_shell() {
    let (_server, shell) = registry();
    let folder = shell.folder.path();
    fs::create_dir_all(folder.join("input/in")).unwrap();
    fs::write(folder.join("input/in/b.bin"), [0, 1, 255]).unwrap();
    fs::write(folder.join("a.txt"), "abc").unwrap();
    // On the registry and on this machine it is the same.
    for program in ["lab:words@1.0.0", "./words"] {
        let told = |args: &[&str]| told(&shell.run(&[&["run", program], args].concat()));
        assert_eq!(told(&["--", "cat", "/words.txt"]), (0, "one\n".into(), "".into()), "{program}");
        assert_eq!(told(&["--", "exit", "42"]), (1, "".into(), "".into()));
        let missing = (1, "".into(), "NotFound\n".into());
        assert_eq!(told(&["--", "cat", "/none"]), missing);
        assert_eq!(told(&["--allow-none", "--", "cat", "/words.txt"]), missing);
        assert_eq!(told(&["--allow", "wasi:io", "--", "cat", "/words.txt"]), missing);
        assert_eq!(told(&["--allow", "wasi:filesystem", "--", "cat", "/words.txt"]).0, 0);

        let out = format!("out/{}", program.len());
        let args =
            ["--file", "in/a.txt=a.txt", "--dir", "input", "--out", &out, "--", "echo", "--json", "x y"];
        let output = run_with(&shell, &[&["run", program], &args[..]].concat(), b"typed\n\xff");
        assert_eq!((output.status.code(), &*output.stdout), (Some(0), &b"typed\n\xff"[..]), "{program}");
        assert_eq!(text(&output.stderr), "--json x y");
        assert_eq!(fs::read_to_string(folder.join(&out).join("out/a.txt")).unwrap(), "cba");
        assert_eq!(fs::read(folder.join(&out).join("out/b.bin")).unwrap(), [255, 1, 0]);
    }
}

/// Exits with 42, which the older way out of WASI has no word for.
const STATUS: &str = r#"(component
  (import "wasi:cli/exit@0.2.6" (instance $cli (export "exit-with-code" (func (param "status-code" u8)))))
  (core func $exit (canon lower (func $cli "exit-with-code")))
  (core module $m
    (import "" "exit" (func $exit (param i32)))
    (func (export "run") (result i32) (call $exit (i32.const 42)) unreachable))
  (core instance $i (instantiate $m (with "" (instance (export "exit" (func $exit))))))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $interface (export "run" (func $run)))
  (export "wasi:cli/run@0.2.6" (instance $interface)))"#;

#[test]
fn the_exit_code_is_the_programs_own() {
    let shell = Shell::new("http://127.0.0.1:1");
    let words = shell.folder.path().join("words");
    write(&words);
    fs::write(words.join("words.wasm"), wat::parse_str(STATUS).unwrap()).unwrap();
    assert_eq!(told(&shell.run(&["run", "words"])), (42, "".into(), "".into()));
}

#[test]
fn what_a_run_cost_is_said_where_asked_and_proved_afterwards() {
    let (_server, shell) = registry();
    let output =
        shell.run(&["run", "lab:words", "--summary", "--receipt", "r.json", "--", "cat", "/words.txt"]);
    let (status, stdout, stderr) = told(&output);
    assert_eq!((status, &*stdout), (0, "one\n"));
    assert!(stderr.starts_with("✓ free, ") && stderr.ends_with(" fuel, receipt r.json\n"), "{stderr}");
    let output = shell.run(&["run", "words", "--summary", "--", "write", "new.txt", "x"]);
    let (status, _, stderr) = told(&output);
    assert_eq!(status, 0);
    assert!(stderr.contains("1 file not kept") && stderr.contains("✓ on this machine, "), "{stderr}");

    let output = shell.run(&["run", "lab:words", "--json", "--", "exit", "3"]);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), &answer["output"]["status"]), (Some(1), &json!(1)));
    let kept = format!("home/receipts/{}.json", answer["call"].as_str().unwrap());
    assert!(shell.folder.path().join(kept).exists());
    let output = shell.run(&["run", "words", "--json", "--", "exit", "3"]);
    let here: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&here["output"], &here["fuel_used"]), (&answer["output"], &answer["fuel_used"]));

    let verify = |files: &[&str]| told(&shell.run(&[&["verify", "r.json", "--replay"], files].concat()));
    let (status, stdout, _) = verify(&[]);
    assert!(status == 0 && stdout.contains("✓ files") && stdout.contains("by re-execution"), "{stdout}");
    assert_eq!(verify(&["--files", "words/data"]).0, 0);
    let (status, stdout, _) = verify(&["--files", "words/wit"]);
    assert!(status == 1 && stdout.contains("✗ files"), "{stdout}");
}

#[test]
fn what_cannot_be_run_or_written_is_refused() {
    let (_server, shell) = registry();
    let folder = shell.folder.path();
    assert!(shell.run(&["new", "hello", "--lang", "wat", "--name", "acme:hello"]).status.success());
    assert!(shell.run(&["publish", "hello"]).status.success());
    fs::create_dir(folder.join("full")).unwrap();
    fs::write(folder.join("full/new.txt"), "mine").unwrap();
    let refused = |args: &[&str]| code(&shell.run(&[&["run", "--json"], args].concat()));
    let write = ["--", "write", "new.txt", "yours"];
    for (args, expected) in [
        (&["acme:hello", "--", "x"][..], (1, "not-a-program")),
        (&["hello"], (1, "not-a-program")),
        (&["no:such"], (1, "package-not-found")),
        (&["nowhere"], (2, "io")),
        (&["Acme:X"], (2, "usage")),
        (&["lab:words", "exit", "0"], (2, "usage")),
        (&["lab:words", "--force"], (2, "usage")),
        (&["lab:words", "--file", "a.txt"], (2, "usage")),
        (&["lab:words", "--file", "a=none"], (2, "io")),
        (&["lab:words", "--file", "a=words.wasm", "--file", "a=words.wasm"], (2, "io")),
        (&["lab:words", "--dir", "none"], (2, "io")),
        (&["lab:words", "--out", "words/words.wasm"], (2, "io")),
        (&["lab:words", "--allow", "the moon"], (1, "grants-invalid")),
        (&["words", "--allow", "the moon"], (1, "grants-invalid")),
        (&["words", "--allow", "https://u@a.org"], (1, "grants-invalid")),
        (&["words", "--fuel", "0"], (1, "fuel-ceiling-invalid")),
        (&["lab:words", "--fuel", "0"], (1, "fuel-ceiling-invalid")),
        (&["words", "--fuel", "20000"], (1, "guest-out-of-fuel")),
        (&["lab:words", "--fuel", "20000"], (1, "guest-out-of-fuel")),
        (&["words", "--", "panic"], (1, "guest-failed")),
        (&["words", "--receipt", "r.json", "--", "exit", "0"], (2, "usage")),
        (&["lab:words", "--file", "../a=full/new.txt"], (1, "arguments-invalid")),
        (&["words", "--file", "/a=full/new.txt"], (1, "arguments-invalid")),
        (&["lab:words", "--file", "a=full/new.txt", "--file", "a=full/new.txt"], (1, "arguments-invalid")),
        (&[&["lab:words", "--out", "full"], &write[..]].concat(), (1, "file-exists")),
        (&[&["words", "--out", "full"], &write[..]].concat(), (1, "file-exists")),
    ] {
        assert_eq!(refused(args), (expected.0, json!(expected.1)), "{args:?}");
    }
    assert_eq!(fs::read_to_string(folder.join("full/new.txt")).unwrap(), "mine");
    let forced = shell.run(&[&["run", "words", "--out", "full", "--force"], &write[..]].concat());
    assert!(forced.status.success(), "{}", text(&forced.stderr));
    assert_eq!(fs::read_to_string(folder.join("full/new.txt")).unwrap(), "yours");
    let large = vec![0; glassbox_core::limits::RUN_INPUT_BYTES_MAX + 1];
    let output = run_with(&shell, &["run", "words", "--json", "--", "exit", "0"], &large);
    assert_eq!(code(&output), (1, json!("body-too-large")));
}

#[test]
fn a_folder_of_files_is_read_whole_or_refused() {
    let shell = Shell::new("http://127.0.0.1:1");
    let words = shell.folder.path().join("words");
    let manifest = |files: &str| {
        let text = crate::files::words("one").manifest.replace("\"data/\"", &format!("{files:?}"));
        fs::write(words.join("glassbox.toml"), text).unwrap();
    };
    write(&words);
    fs::create_dir(words.join("data/target")).unwrap();
    fs::write(words.join("data/target/.hidden"), "x").unwrap();
    let check = || shell.run(&["check", "words", "--json"]);
    let checked: Value = serde_json::from_slice(&check().stdout).unwrap();
    assert_eq!((&checked["files"]["count"], &checked["pure"]), (&json!(3), &json!(true)), "{checked}");
    fs::create_dir(words.join("empty")).unwrap();
    for (files, expected) in [
        ("nowhere", "files-not-found"),
        ("empty", "files-not-found"),
        ("words.wasm", "files-not-found"),
        ("../words/data", "files-invalid"),
        ("/", "files-invalid"),
        ("data/more/..", "files-invalid"),
    ] {
        manifest(files);
        assert_eq!(code(&check()), (1, json!(expected)), "{files}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink("data", words.join("link")).unwrap();
        symlink("/etc/hostname", words.join("data/host")).unwrap();
        for files in ["link", "link/more", "data"] {
            manifest(files);
            assert_eq!(code(&check()), (1, json!("files-invalid")), "{files}");
        }
        manifest("data/more");
        assert!(check().status.success());
    }
}
