//! The built command: a platform team's day, and a server that ends in the middle of a call.

use std::path::Path;

use serde_json::{Value, json};

use crate::command::{Server, Shell};
use crate::packages;

const COMPANY: &str = r#"
name = "Example Ltd"

[allow]
packages = ["bits:*", "docs:markdown"]
licenses = ["Apache-2.0", "MIT"]

[approval]
above = "0.001"

[cost-center.research]
month = "0.004"

[cost-center.it]
"#;

/// A company's registry of its own process, and a shell at it.
struct Company {
    server: Server,
    shell: Shell,
}

impl Company {
    fn start(args: &[&str]) -> Self {
        let shell = Shell::new("");
        std::fs::write(shell.folder.path().join("company.toml"), COMPANY).unwrap();
        let server = Self::serve(&shell, args);
        let shell = Shell { registry: server.url.clone(), ..shell };
        Self { server, shell }
    }

    fn serve(shell: &Shell, args: &[&str]) -> Server {
        let company = shell.folder.path().join("company.toml");
        let company = ["--company", company.to_str().unwrap()];
        Server::start(&shell.folder.path().join("registry"), &[&company, args].concat())
    }

    /// Ends the process as a power cut does, and starts another on the same folder.
    fn restart(mut self) -> Self {
        self.server.kill();
        let server = Self::serve(&self.shell, &[]);
        let shell = Shell { registry: server.url.clone(), ..self.shell };
        Self { server, shell }
    }

    fn operate(&self, args: &[&str]) -> Value {
        self.shell.ok(&[args, &["--data", "registry"]].concat())
    }

    fn publish(&self, example: &str) {
        let folder = format!("{}/examples/{example}", env!("CARGO_MANIFEST_DIR"));
        self.shell.ok(&["publish", &folder]);
    }

    fn token(&self, account: &str) -> String {
        let made = self.operate(&["account", "token", account, "--label", "a test"]);
        made["token"].as_str().unwrap().to_owned()
    }

    /// Runs a command in the name of an account. Returns its exit code, and what it said.
    fn by(&self, token: &str, args: &[&str]) -> (i32, Value) {
        let mut command = self.shell.command(&[args, &["--json"]].concat());
        let output = command.env("GLASSBOX_ACCOUNT", token).output().unwrap();
        let said = if output.status.success() { &output.stdout } else { &output.stderr };
        let said: Value = serde_json::from_slice(said)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {}", String::from_utf8_lossy(said)));
        (output.status.code().unwrap(), if output.status.success() { said } else { said["error"].clone() })
    }
}

const HTML: [&str; 3] = ["call", "docs:markdown", "to-html(\"# Hi\", commonmark)"];

#[test]
fn a_platform_team_approves_budgets_and_charges_back() {
    let company = Company::start(&[]);
    assert_eq!(company.server.said["company"], "Example Ltd");
    for example in ["checksum", "markdown", "semver"] {
        company.publish(example);
    }
    company.operate(&["account", "add", "ci-bot", "--cost-center", "research"]);
    let ana = ["account", "add", "ana@example.org", "--cost-center", "it", "--person", "--approves"];
    company.operate(&ana);
    let [bot, ana] = [company.token("ci-bot"), company.token("ana@example.org")];

    // Without a token, and for what is not on the list.
    let error = company.shell.refused(&["call", "bits:checksum", "crc32([1])"], "account-required");
    assert!(error["hint"].as_str().unwrap().contains("gba_"), "{error}");
    let (exit, error) = company.by(&bot, &["call", "js:semver", "satisfies(\"1.0.0\", \"^1\")"]);
    assert_eq!(
        (exit, &error["code"], &error["rule"]),
        (1, &json!("company-refused"), &json!("allow.packages"))
    );
    assert_eq!(error["charged"], "0");
    assert_eq!(company.by(&bot, &["call", "bits:checksum", "crc32([1])"]).0, 0);

    // What costs more than the threshold waits for a person, who sees it and decides.
    let (_, error) = company.by(&bot, &HTML);
    assert_eq!(error["rule"], "approval.above", "{error}");
    let (_, listed) = company.by(&ana, &["approvals", "list"]);
    let id = listed["approvals"][0]["id"].as_str().unwrap().to_owned();
    assert!(error["hint"].as_str().unwrap().contains(&id), "{error}");
    assert_eq!(company.by(&bot, &["approvals", "approve", &id]).1["code"], "approver-only");
    assert_eq!(company.by(&ana, &["approvals", "approve", &id]).1["state"], "approved");
    let (exit, called) = company.by(&bot, &HTML);
    assert_eq!((exit, &called["charged"]["usd"]), (0, &json!("0.002")), "{called}");
    let receipt = company.shell.folder.path().join("home/receipts");
    let receipt = receipt.join(format!("{}.json", called["call"].as_str().unwrap()));
    company.shell.ok(&["verify", receipt.to_str().unwrap()]);

    // The operator decides the next, and the budget of the cost centre ends it.
    let more = ["call", "docs:markdown", "to-html(\"# Ho\", commonmark)"];
    company.by(&bot, &more);
    let waiting = company.operate(&["approvals", "list"]);
    let id = waiting["approvals"][0]["id"].as_str().unwrap();
    company.operate(&["approvals", "approve", id]);
    assert_eq!(company.by(&bot, &more).0, 0);
    let (_, error) = company.by(&bot, &["call", "docs:markdown", "to-html(\"# Hu\", commonmark)"]);
    assert_eq!(error["rule"], "cost-center.research.month");
    let (_, own) = company.by(&bot, &["account", "show"]);
    assert_eq!((&own["spent_usd"], &own["owed_usd"]), (&json!("0.004"), &json!("0.004")));

    // Finance has every call, with its receipt.
    let whole = company.operate(&["chargeback"]);
    assert_eq!((&whole["total"]["usd"], whole["calls"].as_array().unwrap().len()), (&json!("0.004"), 3));
    let output = company.shell.run(&["chargeback", "--csv", "--data", "registry"]);
    let csv = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 4, "{csv}");
    assert!(lines.iter().all(|line| line.len() == lines[0].len()), "{csv}");
    let paid = lines.iter().find(|line| line.contains(&called["call"].as_str().unwrap())).unwrap();
    assert_eq!((paid[2], paid[3], paid[8]), ("research", "ci-bot", "0.002"));
    assert!(paid[9].starts_with("sha256:"), "{csv}");
    let audit = company.operate(&["audit", "ledger"]);
    assert_eq!(audit["findings"], json!([]));

    // A token that is taken back ends at once, also after a restart.
    let tokens = company.operate(&["account", "tokens", "ci-bot"]);
    let id = tokens["tokens"][0]["id"].as_str().unwrap();
    let output = company.shell.run(&["account", "revoke", "ci-bot", id, "--data", "registry"]);
    assert!(output.status.success());
    let company = company.restart();
    let (_, error) = company.by(&bot, &["call", "bits:checksum", "crc32([1])"]);
    assert_eq!(error["code"], "account-refused");
    assert_eq!(company.by(&ana, &["call", "bits:checksum", "crc32([1])"]).0, 0);
}

#[test]
fn a_public_package_comes_with_its_terms_and_its_payees_are_credited() {
    let public = Shell::new("");
    let upstream = Server::start(&public.folder.path().join("registry"), &[]);
    let public = Shell { registry: upstream.url.clone(), ..public };
    for example in ["checksum", "markdown"] {
        let folder = public.folder.path().join(example);
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(example), &folder);
        let manifest = std::fs::read_to_string(folder.join("glassbox.toml")).unwrap();
        let open = manifest.replacen("[component]\n", "[component]\noperators = \"any\"\n", 1);
        std::fs::write(folder.join("glassbox.toml"), open).unwrap();
        public.ok(&["publish", example]);
    }
    let company = Company::start(&[]);
    let from = |name: &str| format!("{}/{name}", upstream.address());
    // What its terms keep at its registry stays there.
    public.ok(&["publish", &format!("{}/examples/semver", env!("CARGO_MANIFEST_DIR"))]);
    company.shell.refused(&["republish", &from("js:semver")], "operator-not-allowed");
    let [markdown, checksum] = [from("docs:markdown@1.0.0"), from("bits:checksum")];
    let taken = company.shell.ok(&["republish", &markdown, &checksum]);
    assert_eq!(taken["releases"][0]["release"], "docs:markdown@1.0.0");
    assert_eq!(company.shell.ok(&["republish", &markdown])["releases"][0]["new"], false, "the same again");
    let (theirs, ours) =
        (public.ok(&["info", "docs:markdown"]), company.shell.ok(&["info", "docs:markdown"]));
    for field in ["publisher", "statement", "terms", "component"] {
        assert_eq!(theirs[field], ours[field], "{field}");
    }
    company.shell.refused(&["republish", &from("no:such")], "package-not-found");
    let (exit, said) = company.shell.json(&["republish", "docs:markdown"]);
    assert_eq!((exit, &said["code"]), (2, &json!("usage")), "{said}");

    company.operate(&["account", "add", "ana", "--cost-center", "it", "--person"]);
    let ana = company.token("ana");
    company.by(&ana, &HTML);
    let waiting = company.operate(&["approvals", "list"]);
    company.operate(&["approvals", "approve", waiting["approvals"][0]["id"].as_str().unwrap()]);
    assert_eq!(company.by(&ana, &HTML).0, 0);
    let earned = company.shell.ok(&["earnings", "docs:markdown"]);
    let earned = earned["earnings"].as_array().unwrap();
    assert!(earned.iter().any(|row| row["receiver"] == "acct:ana@docs.example"), "{earned:?}");
}

/// Copies a folder.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true if entry.file_name() == "target" => {}
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), &to).unwrap()),
        }
    }
}

#[test]
fn editions_that_anybody_may_have_come_along() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/economy/packages/audit");
    let public = Shell::new("");
    let upstream = Server::start(&public.folder.path().join("registry"), &[]);
    let public = Shell { registry: upstream.url.clone(), ..public };
    let folder = public.folder.path().join("audit");
    copy(&package, &folder);
    std::fs::create_dir_all(folder.join("dist")).unwrap();
    let manifest = std::fs::read_to_string(folder.join("glassbox.toml")).unwrap();
    let manifest = manifest.replacen("[component]", "[component]\noperators = \"any\"\n#", 1);
    // One version keeps its enterprise edition, the next one gives it away.
    let open: String = manifest
        .lines()
        .filter(|line| !line.starts_with("requires = "))
        .map(|line| match line.starts_with("execute = [\"remote\"]") {
            true => "execute = [\"remote\", \"local\"]\n".to_owned(),
            false => format!("{line}\n"),
        })
        .collect();
    let wit = std::fs::read_to_string(folder.join("wit/world.wit")).unwrap();
    for (version, text) in [("1.0.0", &manifest), ("1.1.0", &open)] {
        std::fs::write(folder.join("glassbox.toml"), text.replacen("1.0.0", version, 1)).unwrap();
        std::fs::write(folder.join("wit/world.wit"), wit.replacen("1.0.0", version, 1)).unwrap();
        for name in ["audit-ce", "audit-ee"] {
            let text = std::fs::read_to_string(folder.join(format!("{name}.wat"))).unwrap();
            let component = wat::parse_str(text.replace("1.0.0", version)).unwrap();
            std::fs::write(folder.join(format!("dist/{name}.wasm")), component).unwrap();
        }
        public.ok(&["publish", "audit"]);
    }
    let mirror = public.folder.path().join("mirror");
    let report = public.ok(&["mirror", &upstream.url, "--to", mirror.to_str().unwrap()]);
    assert_eq!((&report["releases"], &report["not_free"]), (&json!(2), &json!(1)), "{report}");
    let own = std::fs::read(folder.join("dist/audit-ee.wasm")).unwrap();
    let object = glassbox_core::Digest::of(&own).hex();
    assert_eq!(std::fs::read(mirror.join("objects").join(object)).unwrap(), own);

    let company = Company::start(&[]);
    let from = |version: &str| format!("{}/ledgerly:audit@{version}", upstream.address());
    company.shell.refused(&["republish", &from("1.0.0")], "download-not-allowed");
    let taken = company.shell.ok(&["republish", &from("1.1.0")]);
    assert_eq!(taken["releases"][0]["release"], "ledgerly:audit@1.1.0");
}

#[test]
fn a_policy_that_is_not_understood_serves_nothing() {
    let shell = Shell::new("");
    let path = shell.folder.path().join("company.toml");
    for text in ["[alow]\npackages = []", "budget.month = 5", "\u{0}"] {
        std::fs::write(&path, text).unwrap();
        let serve = ["serve", "--data", "registry", "--company", "company.toml", "--listen", "127.0.0.1:0"];
        let (exit, said) = shell.json(&serve);
        assert_eq!((exit, &said["code"]), (2, &json!("company-invalid")), "{said}");
    }
    let (exit, said) = shell.json(&["serve", "--data", "registry", "--company", "nowhere.toml"]);
    assert_eq!((exit, &said["code"]), (2, &json!("io")), "{said}");
}

#[tokio::test]
async fn a_server_that_ends_at_any_write_charges_an_account_once() {
    for verb in ["hold_call", "post_held_call", "mark_delivered"] {
        for moment in ["before", "after"] {
            let point = format!("{verb}:{moment}");
            let mut company = Company::start(&["--crash-at", &point]);
            company.publish("markdown");
            company.operate(&["account", "add", "ana", "--cost-center", "it", "--person"]);
            let token = company.token("ana");
            let http = reqwest::Client::new();
            let args = json!({ "args": ["# Hi", "commonmark"], "nonce": "job-1" });
            let call = async |url: &str| {
                let url = format!("{url}/v1/call/docs/markdown/latest/to-html");
                http.post(url).json(&args).bearer_auth(&token).header("idempotency-key", "job-1").send().await
            };
            // It waits for a person first: that is a write of the same name.
            if verb != "hold_call" {
                assert_eq!(call(&company.server.url).await.unwrap().status(), 403);
                let waiting = company.operate(&["approvals", "list"]);
                company.operate(&["approvals", "approve", waiting["approvals"][0]["id"].as_str().unwrap()]);
            }
            assert!(call(&company.server.url).await.is_err(), "{point}: it was to end before it answered");
            company.server.wait();
            let company = company.restart();
            let mut answered = call(&company.server.url).await.unwrap();
            if answered.status() == 403 {
                let waiting = company.operate(&["approvals", "list"]);
                company.operate(&["approvals", "approve", waiting["approvals"][0]["id"].as_str().unwrap()]);
                answered = call(&company.server.url).await.unwrap();
            }
            assert_eq!(answered.status(), 200, "{point}");
            let whole = company.operate(&["chargeback"]);
            assert_eq!(whole["total"]["usd"], "0.002", "{point}: {whole}");
            assert_eq!(company.operate(&["audit", "ledger"])["findings"], json!([]), "{point}");
        }
    }
    // The example is what this reads it as.
    assert!(packages::example("markdown").manifest.contains("0.002"));
}
