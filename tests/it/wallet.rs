//! The wallet of the command: under a password, within a policy, and with what it spent written down.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::command::{Server, Shell};

const MARKDOWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/markdown");
const CALL: &str = "to-html(\"# Hi\", commonmark)";

/// The key of the Web3 Secret Storage definition's vectors, and its address.
const KEY: &str = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
const ADDRESS: &str = "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b";

/// Its vector for PBKDF2, under `testpassword`.
const KEYSTORE: &str = r#"{
    "crypto": {
        "cipher": "aes-128-ctr",
        "cipherparams": { "iv": "6087dab2f9fdbbfaddc31a909735c1e6" },
        "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf": "pbkdf2",
        "kdfparams": {
            "c": 262144,
            "dklen": 32,
            "prf": "hmac-sha256",
            "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"
        },
        "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"
    },
    "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
    "version": 3
}"#;

/// A registry that sells `docs:markdown`, and a home with a dollar of play money in a wallet in clear.
fn market() -> (Server, Shell) {
    let shell = Shell::new("");
    let server = Server::start(&shell.folder.path().join("data"), &[]);
    let shell = Shell { registry: server.url.clone(), ..shell };
    for args in [&["publish", MARKDOWN][..], &["wallet", "new"], &["wallet", "fund", "1"]] {
        done(&shell, args);
    }
    (server, shell)
}

/// Runs a command that must succeed, and returns its JSON.
fn done(shell: &Shell, args: &[&str]) -> Value {
    let output = shell.command(args).arg("--json").output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns the exit code and the error of a command that must fail.
fn failed(output: &Output) -> (i32, Value) {
    let error: Value = serde_json::from_slice(&output.stderr)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_ne!(error["error"]["message"], "", "{error}");
    assert_ne!(error["error"]["hint"], Value::Null, "no next step in {error}");
    (output.status.code().unwrap(), error["error"].clone())
}

fn code(shell: &Shell, args: &[&str]) -> (i32, String) {
    let (exit, error) = failed(&shell.command(args).arg("--json").output().unwrap());
    (exit, error["code"].as_str().unwrap().to_owned())
}

fn call(max_price: &str) -> [&str; 5] {
    ["call", "docs:markdown", CALL, "--max-price", max_price]
}

fn home(shell: &Shell, name: &str) -> PathBuf {
    shell.folder.path().join("home").join(name)
}

fn usd(shell: &Shell) -> String {
    done(shell, &["wallet", "show"])["usd"].as_str().unwrap().to_owned()
}

#[test]
fn a_wallet_goes_under_a_password_and_pays_with_it_alone() {
    let (_server, shell) = market();
    let address = done(&shell, &["wallet", "show"])["address"].clone();
    fs::write(shell.folder.path().join("one"), "first password\n").unwrap();
    fs::write(shell.folder.path().join("two"), "second password\r\n").unwrap();
    assert_eq!(code(&shell, &["wallet", "passwd"]), (1, "wallet-password-needed".into()));
    let changed = done(&shell, &["wallet", "passwd", "--password-file", "one"]);
    assert_eq!((&changed["address"], &changed["encrypted"]), (&address, &true.into()));
    let text = fs::read_to_string(home(&shell, "wallet.json")).unwrap();
    assert!(text.contains("scrypt") && !text.contains("private_key"), "{text}");

    let paid = |args: &[&str]| done(&shell, &[&call("0.01"), args].concat())["charged"]["usd"].clone();
    assert_eq!(paid(&["--password-file", "one"]), "0.002");
    assert_eq!(code(&shell, &call("0.01")), (1, "wallet-password-needed".into()));
    let with = |password: &str| {
        let mut command = shell.command(&call("0.01"));
        command.arg("--json").env("GLASSBOX_WALLET_PASSWORD", password).output().unwrap()
    };
    assert!(with("first password").status.success());
    assert_eq!(failed(&with("")).1["code"], "wallet-password-needed", "an empty variable is none");
    let (exit, error) = failed(&with("wrong"));
    assert_eq!((exit, &error["code"]), (1, &"wallet-password-wrong".into()));

    let change = ["wallet", "passwd", "--password-file", "one", "--new-password-file", "two"];
    done(&shell, &change);
    assert_eq!(code(&shell, &change), (1, "wallet-password-wrong".into()));
    assert_eq!(paid(&["--password-file", "two"]), "0.002");
    // Neither address nor balance needs a password.
    assert_eq!(usd(&shell), "0.994");
}

#[test]
fn a_channel_pays_for_calls_and_its_rest_comes_back() {
    let (_server, shell) = market();
    fs::write(home(&shell, "policy.toml"), "max.deposit = '0.1'").unwrap();
    assert_eq!(done(&shell, &["wallet", "channels"]), serde_json::json!([]));
    for _ in 0..2 {
        done(&shell, &call("0.01"));
    }
    assert_eq!(usd(&shell), "0.9");
    let channels = done(&shell, &["wallet", "channels"]);
    assert_eq!(
        (&channels[0]["left"]["usd"], &channels[0]["charged"]["usd"]),
        (&"0.096".into(), &"0.004".into())
    );
    let none = "0x0000000000000000000000000000000000000000000000000000000000000000";
    assert_eq!(code(&shell, &["wallet", "close", none]), (1, "channel-not-found".into()));
    let closed = done(&shell, &["wallet", "close"]);
    assert_eq!(closed[0]["returned"]["usd"], "0.096", "{closed}");
    assert_eq!(usd(&shell), "0.996");
    assert_eq!(done(&shell, &["wallet", "close"]), serde_json::json!([]), "nothing is left");
}

#[test]
fn keys_come_from_other_wallets_and_go_to_them() {
    let shell = Shell::new("http://127.0.0.1:1");
    let path = |name: &str| shell.folder.path().join(name);
    fs::write(path("password"), "testpassword").unwrap();
    fs::write(path("keystore"), KEYSTORE).unwrap();
    fs::write(path("key"), format!("0x{KEY}\n")).unwrap();
    fs::write(path("notes"), "not a key").unwrap();
    fs::write(path("cut"), &KEYSTORE[..KEYSTORE.len() - 2]).unwrap();
    fs::write(path("dear"), KEYSTORE.replace("262144", "4000000000")).unwrap();
    for (from, more, exit, expected) in [
        ("notes", "--plain", 1, "wallet-invalid"),
        ("cut", "--plain", 1, "wallet-invalid"),
        ("dear", "--password-file=password", 2, "wallet-invalid"),
        ("keystore", "--password-file=notes", 1, "wallet-password-wrong"),
        ("keystore", "--plain", 2, "usage"),
        ("nowhere", "--plain", 2, "io"),
        ("key", "--password-file=nowhere", 2, "io"),
    ] {
        let args = ["wallet", "import", from, more];
        assert_eq!(code(&shell, &args), (exit, expected.into()), "{args:?}");
    }
    assert_eq!(code(&shell, &["wallet", "import", "key"]), (1, "wallet-password-needed".into()));
    assert!(!home(&shell, "wallet.json").exists(), "a refused import leaves nothing");

    let import = ["wallet", "import", "keystore", "--password-file", "password"];
    assert_eq!(done(&shell, &import)["address"], ADDRESS);
    assert_eq!(code(&shell, &import), (1, "wallet-exists".into()));
    assert_eq!(done(&shell, &["wallet", "export", "out.json"])["address"], ADDRESS);
    assert_eq!(code(&shell, &["wallet", "export", "out.json"]), (1, "file-exists".into()));
    let printed = shell.run(&["wallet", "export", "-"]).stdout;
    let printed: Value = serde_json::from_slice(&printed).unwrap();
    assert_eq!(printed["address"], "008aeeda4d805471df9b2a5b0f38a0c3bcba786b");

    // The same key by itself, in clear, and out again.
    fs::remove_file(home(&shell, "wallet.json")).unwrap();
    assert_eq!(done(&shell, &["wallet", "import", "key", "--plain"])["encrypted"], false);
    assert_eq!(code(&shell, &["wallet", "export", "plain.json"]), (1, "wallet-password-needed".into()));
    let export = ["wallet", "export", "plain.json", "--password-file", "password"];
    assert_eq!(done(&shell, &export)["address"], ADDRESS);
    // A wallet in clear is imported, too.
    fs::rename(home(&shell, "wallet.json"), path("clear.json")).unwrap();
    let import = ["wallet", "import", "clear.json", "--password-file", "password"];
    assert_eq!(done(&shell, &import)["address"], ADDRESS);
    fs::remove_file(home(&shell, "wallet.json")).unwrap();
    let import = ["wallet", "import", "plain.json", "--password-file", "password"];
    assert_eq!(done(&shell, &import)["address"], ADDRESS);
}

#[test]
fn a_policy_refuses_before_anything_is_signed() {
    let (_server, shell) = market();
    let refused = |policy: &str, max_price: &str| {
        fs::write(home(&shell, "policy.toml"), policy).unwrap();
        let (exit, error) = failed(&shell.command(&call(max_price)).arg("--json").output().unwrap());
        (exit, error["code"].as_str().unwrap().to_owned(), error["rule"].as_str().map(str::to_owned))
    };
    let rules = [
        ("max.call = '0.001'", "max.call"),
        ("max.day = '0.001999'", "max.day"),
        ("allow.hosts = ['https://registry.example.com']", "allow.hosts"),
        ("allow.payees = []", "allow.payees"),
        ("allow.assets = []", "allow.assets"),
        ("allow.schemes = ['batch-settlement']", "allow.schemes"),
    ];
    for (policy, rule) in rules {
        assert_eq!(refused(policy, "0.01"), (3, "policy-refused".into(), Some(rule.into())), "{policy}");
    }
    // The command line's bound is another one, and does not loosen the policy's.
    assert_eq!(refused("max.call = '1'", "0.001"), (3, "price-above-max".into(), None));
    assert_eq!(refused("max.cal = '1'", "0.01"), (2, "policy-invalid".into(), None));
    let real =
        "max.day = '1'\nallow.assets = ['eip155:8453/erc20:0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913']";
    assert_eq!(refused(real, "0.01"), (3, "wallet-plain".into(), None));
    let spending =
        done(&shell, &["wallet", "spending", "--home", home(&shell, "../elsewhere").to_str().unwrap()]);
    assert_eq!(spending["payments"], serde_json::json!([]));
    assert_eq!(usd(&shell), "1");

    let policy = format!("max = {{ call = '0.002', day = '0.003' }}\nallow.hosts = ['{}']", shell.registry);
    fs::write(home(&shell, "policy.toml"), policy).unwrap();
    done(&shell, &call("0.01"));
    let (exit, error) = failed(&shell.command(&call("0.01")).arg("--json").output().unwrap());
    assert_eq!((exit, &error["rule"]), (3, &"max.day".into()));
    assert!(error["hint"].as_str().unwrap().contains("set `day = \"0.004\"`"), "{error}");
    let spending = done(&shell, &["wallet", "spending"]);
    assert_eq!((&spending["counted"]["usd"], &spending["max"]["usd"]), (&"0.002".into(), &"0.003".into()));
    assert_eq!(spending["payments"][0]["outcome"]["charged"], "2000");
    assert_eq!(usd(&shell), "0.998");
}

#[test]
fn commands_at_once_stay_within_the_days_budget() {
    let (_server, shell) = market();
    fs::write(home(&shell, "policy.toml"), "max.day = '0.006'").unwrap();
    let started: Vec<_> = (0..8)
        .map(|number| {
            let call = format!("to-html(\"# {number}\", commonmark)");
            let args = ["call", "docs:markdown", &call, "--max-price", "0.01", "--json"];
            let mut command = shell.command(&args);
            command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let outputs: Vec<Output> = started.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
    let (paid, refused): (Vec<_>, Vec<_>) = outputs.iter().partition(|output| output.status.success());
    assert_eq!((paid.len(), refused.len()), (3, 5));
    for output in refused {
        assert_eq!(failed(output).1["rule"], "max.day");
    }
    assert_eq!(usd(&shell), "0.994");
}

#[cfg(unix)]
#[test]
fn what_cannot_be_written_down_is_not_paid() {
    let (_server, shell) = market();
    let full = |args: &[&str]| {
        // Files may not grow at all.
        let prepared = shell.command(args);
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\" --json"]);
        command.arg(prepared.get_program()).args(prepared.get_args());
        command.current_dir(shell.folder.path()).env_clear();
        command.envs(prepared.get_envs().filter_map(|(name, value)| Some((name, value?))));
        failed(&command.output().unwrap())
    };
    let (exit, error) = full(&call("0.01"));
    assert_eq!((exit, &error["code"]), (2, &"io".into()), "{error}");
    assert!(error["message"].as_str().unwrap().contains("spending journal"), "{error}");
    assert_eq!(usd(&shell), "1");

    // A wallet that cannot be written stays as it was.
    let wallet = fs::read(home(&shell, "wallet.json")).unwrap();
    fs::write(shell.folder.path().join("password"), "one").unwrap();
    assert_eq!(full(&["wallet", "passwd", "--password-file", "password"]).0, 2);
    assert_eq!(fs::read(home(&shell, "wallet.json")).unwrap(), wallet);
    let other = home(&shell, "../other");
    full(&["wallet", "new", "--home", other.to_str().unwrap()]);
    assert_eq!(fs::read_dir(&other).unwrap().count(), 0, "neither a wallet nor a draft");

    // A damaged journal stops payments, and names itself.
    done(&shell, &call("0.01"));
    let journal = fs::read_dir(home(&shell, "spending")).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.replace("2000", "1000")).unwrap();
    assert_eq!(code(&shell, &call("0.01")), (2, "spending-damaged".into()));
    assert_eq!(code(&shell, &["wallet", "spending"]), (2, "spending-damaged".into()));
    assert_eq!(usd(&shell), "0.998");
}
