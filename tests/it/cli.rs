//! Every command, for people and as JSON: what it prints where, and how it exits.

use std::fmt::Write as _;

use crate::command::{Server, Shell};

/// Hides what differs from run to run.
const FILTERS: [(&str, &str); 15] = [
    (r"127\.0\.0\.1:\d+", "[registry]"),
    (r"/[^\s`\x22]*/home/", "[home]/"),
    (r"/[^\s`\x22]*/data\b", "[data]"),
    (r"did:key:z\w+", "did:key:[key]"),
    (r"sha256:[0-9a-f]{64}", "sha256:[digest]"),
    (r"\b[0-9a-f]{64}\b", "[digest]"),
    (r"0x[0-9a-fA-F]{40,64}", "0x[hex]"),
    (r"\b[0-9a-f]{32}\b", "[call]"),
    (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "[time]"),
    (r"\d{4}-\d\d-\d\d UTC", "[day] UTC"),
    (r#""day": "[^"]*""#, r#""day": "[day]""#),
    (r"glassbox-[0-9a-f]{12}\+[0-9a-f]{8}\+[0-9A-Za-z+/=]{44}", "[log key]"),
    (r"glassbox-[0-9a-f]{12}", "[log]"),
    (r#""(payload|sig|root|checkpoint)": "[^"]*""#, r#""$1": "[…]""#),
    (r#"\\"(payload|sig)\\":\\"[^"\\]*\\""#, r#"\"$1\":\"[…]\""#),
];

/// Runs the commands in order and writes down what each printed, and how it exited.
fn session(shell: &Shell, commands: &[&[&str]]) -> String {
    let mut text = String::new();
    for args in commands {
        let output = shell.run(args);
        let shown: Vec<String> = args
            .iter()
            .map(|arg| if arg.contains([' ', '"']) { format!("'{arg}'") } else { (*arg).into() })
            .collect();
        writeln!(text, "$ glassbox {}", shown.join(" ")).unwrap();
        text.push_str(&String::from_utf8(output.stdout).unwrap());
        for line in String::from_utf8(output.stderr).unwrap().lines() {
            writeln!(text, "stderr: {line}").unwrap();
        }
        writeln!(text, "[exit {}]\n", output.status.code().unwrap()).unwrap();
    }
    text
}

fn check(name: &str, text: &str) {
    insta::with_settings!({ filters => FILTERS, omit_expression => true }, {
        insta::assert_snapshot!(name, text);
    });
}

const MARKDOWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/markdown");
const CALL: &str = "to-html(\"# Hi\", commonmark)";

fn registry() -> (Server, Shell) {
    let shell = Shell::new("");
    let server = Server::start(&shell.folder.path().join("data"), &[]);
    let shell = Shell { registry: server.url.clone(), ..shell };
    (server, shell)
}

#[test]
fn a_session_of_a_person() {
    let (_server, shell) = registry();
    let commands: &[&[&str]] = &[
        &["key", "show"],
        &["new", "hello", "--lang", "wat", "--name", "acme:hello"],
        &["check", "hello"],
        &["test", "hello"],
        &["publish", "hello", "--dry-run"],
        &["publish", "hello"],
        &["publish", "hello"],
        &["search", "how", "many", "words"],
        &["search", "zebra"],
        &["info", "acme:hello"],
        &["info", "acme:hello@0.1.0", "--wit"],
        &["call", "acme:hello", "count-words(\"one two\")", "--receipt", "receipt.json"],
        &["verify", "receipt.json"],
        &["verify", "receipt.json", "--replay"],
        &["earnings"],
    ];
    check("person", &session(&shell, commands));
}

#[test]
fn a_session_with_money() {
    let (_server, shell) = registry();
    let commands: &[&[&str]] = &[
        &["publish", MARKDOWN],
        &["quote", "docs:markdown", "to-html"],
        &["call", "docs:markdown", CALL],
        &["call", "docs:markdown", CALL, "--max-price", "0.01"],
        &["wallet", "show"],
        &["wallet", "new"],
        &["wallet", "new"],
        &["call", "docs:markdown", CALL, "--max-price", "0.01"],
        &["wallet", "fund", "1"],
        &["call", "docs:markdown", CALL, "--max-price", "0.001"],
        &["call", "docs:markdown", CALL, "--max-price", "0.01", "--receipt", "receipt.json"],
        &["verify", "receipt.json", "--replay"],
        &["earnings", "docs:markdown"],
        &["wallet", "show"],
        &["wallet", "spending"],
        &["wallet", "spending", "--day", "2026-01-01"],
    ];
    let text = session(&shell, commands);
    check("money", &text.replace(MARKDOWN, "examples/markdown"));
}

#[test]
fn a_session_over_a_name() {
    let (_server, shell) = registry();
    let make = |home: &str| {
        let output = shell.run(&["key", "new", "--json", "--home", home]);
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        answer["public"].as_str().unwrap().to_owned()
    };
    let (ben, cleo) = (make("ben"), make("cleo"));
    let thresholds = ["--threshold", "publish=2", "--threshold", "rotate=2", "--rotate-hours", "72"];
    let share = [&["namespace", "policy", "acme", "--add", &ben][..], &thresholds].concat();
    let mut all = session(
        &shell,
        &[
            &["new", "hello", "--lang", "wat", "--name", "acme:hello"],
            &["publish", "hello"],
            &["namespace", "show", "acme"],
            &share,
            &["namespace", "rotate", "acme", "--to", &cleo],
            &["namespace", "rotate", "acme", "--to", &cleo, "--out", "change.json"],
            &["sign", "change.json", "--home", "ben", "--send"],
            &["namespace", "show", "acme"],
            &["namespace", "cancel", "acme", "--reason", "it was not us", "--out", "cancel.json"],
            &["sign", "cancel.json", "--home", "ben", "--send"],
            &["namespace", "prove", "acme"],
        ],
    );
    for file in ["hello/glassbox.toml", "hello/wit/world.wit"] {
        let path = shell.folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("0.1.0", "0.2.0")).unwrap();
    }
    let call: [&str; 2] = ["call", "count-words(\"one two\")"];
    all.push_str(&session(
        &shell,
        &[
            &["publish", "hello"],
            &["publish", "hello", "--out", "release.json"],
            &["sign", "release.json", "--home", "ben"],
            &["publish", "hello", "--statement", "release.json"],
            &["yank", "acme:hello@0.2.0", "--reason", "miscounts"],
            &["info", "acme:hello@0.2.0"],
            &[call[0], "acme:hello@0.2.0", call[1], "--receipt", "receipt.json"],
            &["unyank", "acme:hello@0.2.0", "--reason", "it was the caller", "--json"],
            &["quarantine", "acme:hello@0.2.0", "--data", "data", "--reason", "sends its input away"],
            &[call[0], "acme:hello@0.2.0", call[1]],
            &["quarantine", "acme:hello@0.2.0", "--data", "data", "--lift", "--reason", "a false alarm"],
            &["namespace", "revoke-key", "acme", &cleo, "--reason", "stolen"],
            &["namespace", "show", "acme", "--json"],
        ],
    ));
    check("names", &all);
}

#[test]
fn a_session_of_a_program() {
    let (_server, shell) = registry();
    let commands: &[&[&str]] = &[
        &["key", "new", "--json"],
        &["key", "show", "--json"],
        &["new", "hello", "--lang", "wat", "--name", "acme:hello", "--json"],
        &["check", "hello", "--json"],
        &["test", "hello", "--json"],
        &["publish", "hello", "--dry-run", "--json"],
        &["publish", "hello", "--json"],
        &["search", "words", "--json"],
        &["info", "acme:hello", "--json"],
        &["quote", "acme:hello", "count-words", "--json"],
        &["call", "acme:hello", "count-words(\"one two\")", "--receipt", "receipt.json", "--json"],
        &["verify", "receipt.json", "--replay", "--json"],
        &["wallet", "new", "--json"],
        &["wallet", "fund", "1", "--json"],
        &["wallet", "show", "--json"],
        &["wallet", "spending", "--json"],
        &["earnings", "--json"],
        &["info", "no:such", "--json"],
        &["call", "acme:hello@latest", "count-words(\"one\")", "--fuel", "10", "--json"],
        &["serach", "words", "--json"],
        &["wallet", "--json"],
        &["search", "zebra", "--json"],
    ];
    check("program", &session(&shell, commands));
}

#[test]
fn mistakes() {
    let (_server, shell) = registry();
    std::fs::write(shell.folder.path().join("not-a-receipt.json"), "{}").unwrap();
    assert!(shell.run(&["new", "hello", "--lang", "wat", "--name", "acme:hello"]).status.success());
    assert!(shell.run(&["publish", "hello"]).status.success());
    let manifest = shell.folder.path().join("hello/glassbox.toml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let with = |from: &str, to: &str, command: &[&str]| {
        std::fs::write(&manifest, text.replace(from, to)).unwrap();
        session(&shell, &[command])
    };
    let mut all = session(
        &shell,
        &[
            &["check", "nowhere"],
            &["new", "hello"],
            &["new", "list", "--name", "acme:list"],
            &["new", "UPPER case", "--name", "Acme:X"],
            &["info", "no:such"],
            &["info", "acme:hello@9.9.9"],
            &["info", "not a name"],
            &["call", "acme:hello", "count-words("],
            &["call", "acme:hello", "count-words(1)"],
            &["call", "acme:hello", "count-words()"],
            &["call", "acme:hello", "no-such()"],
            &["call", "acme:hello", "count-words(\"x\")", "--max-price", "1.0.0"],
            &["call", "acme:hello", "count-words(\"x\")", "--fuel", "0"],
            &["call", "acme:hello", "count-words(\"x\")", "--fuel", "10"],
            &["quote", "acme:hello", "no-such"],
            &["verify", "nowhere.json"],
            &["verify", "not-a-receipt.json"],
            &["search", "x", "--registry", "nonsense"],
            &["search", "x", "--registry", "http://127.0.0.1:1"],
        ],
    );
    all.push_str(&with("license", "licence", &["check", "hello"]));
    all.push_str(&with("acme:hello", "acme:other", &["check", "hello"]));
    all.push_str(&with("0.1.0", "0.2.0", &["check", "hello"]));
    all.push_str(&with("Counts", "Tallies", &["publish", "hello"]));
    all.push_str(&with("wit/\"", "../wit\"", &["check", "hello"]));
    check("mistakes", &all);
}

#[test]
fn a_folder_belongs_to_one_registry() {
    let (server, shell) = registry();
    let output = shell.run(&["serve", "--data", "data", "--listen", "127.0.0.1:0", "--json"]);
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((output.status.code(), &error["error"]["code"]), (Some(2), &"data-in-use".into()));
    let taken = server.url.strip_prefix("http://").unwrap();
    let output = shell.run(&["serve", "--data", "other", "--listen", taken]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("choose another with --listen"), "{text}");
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    let (_server, shell) = registry();
    let config = shell.folder.path().join("config");
    let output = shell
        .command(&["key", "new"])
        .env("GLASSBOX_HOME", "")
        .env("XDG_CONFIG_HOME", &config)
        .output()
        .unwrap();
    assert!(output.status.success() && config.join("glassbox/key.json").exists());
    let output = shell.command(&["openapi"]).env("GLASSBOX_REGISTRY", "").output().unwrap();
    assert!(output.status.success());
    assert_eq!(shell.run(&["key", "show", "--home", ""]).status.code(), Some(2));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let shell = Shell::new("http://127.0.0.1:1");
    let temporary = shell.folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    for args in [&["completions", "bash"][..], &["demo"][..]] {
        let mut command = shell.command(args);
        let mut child = command
            .env("TMPDIR", &temporary)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0, "{args:?} left something");
    }
}

#[test]
fn help_names_every_command() {
    let shell = Shell::new("http://127.0.0.1:1");
    check("help", &session(&shell, &[&["--help"]]));
    let shells = ["bash", "zsh", "fish"];
    for name in shells {
        let output = shell.run(&["completions", name]);
        assert!(output.status.success() && !output.stdout.is_empty(), "{name}");
    }
    let commands = "demo new fork check test publish search info quote call run verify serve wallet namespace yank unyank terms quarantine sign key earnings openapi completions";
    for command in commands.split(' ') {
        let output = shell.run(&[command, "--help"]);
        assert!(output.status.success(), "{command}");
    }
}

#[test]
fn the_demo_tells_its_story_and_ends() {
    let shell = Shell::new("http://127.0.0.1:1");
    let output = shell.run(&["demo", "--exit"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for word in [
        "search",
        "402",
        "Payment Required",
        "payment",
        "settled",
        "output",
        "fuel",
        "charge",
        "receipt",
        "verified by re-execution",
        "play money",
        "acct:ana@docs.example",
        "nell:markdown@0.1.0",
        "omar:checksum@0.1.0",
        // The fork pays its root, and so does the wrapper.
        "$0.0000665 to acct:ana@docs.example, for docs:markdown",
        "$0.0000285 to acct:ben@docs.example, for docs:markdown",
        "$0.000095 to acct:team@bits.example, for bits:checksum",
    ] {
        assert!(text.contains(word), "the story lacks `{word}`:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colour in a pipe");
}
