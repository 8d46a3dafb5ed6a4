//! `glassbox fork`: what it writes is tested, published, called and paid like any package, and pays what it came from.

use std::fs;
use std::path::Path;

use glassbox_core::Pico;
use glassbox_core::acts::{Act as _, Yank};
use glassbox_core::manifest::Manifest;
use glassbox_core::receipt::Receipt;
use glassbox_core::split::Receiver;
use glassbox_registry::PackageFiles;
use serde_json::{Value, json};

use crate::command::Shell;
use crate::composition::leaf;
use crate::names::act;
use crate::packages::{bench, example, publisher};
use crate::stage::Stage;

/// What a forker adds: a cent for each call.
const PRICE: &str = "\n[[price]]\nid = \"run\"\nunit = \"call\"\namount = \"0.01\"\n\
    [security]\ncontact = \"a@you.example\"\nsupport-until = 2029-12-31\n\
    [[payee]]\nid = \"acct:you\"\nshare = 10000\n";

/// What is left of a cent after a fee of 5 %, in pico.
const NET: u128 = 9_500_000_000;

/// Makes an example free, to be paid by whoever derives from it.
fn free(name: &str) -> PackageFiles {
    let files = example(name);
    let manifest = files.manifest.split("\n[[price]]").next().unwrap();
    let manifest = manifest.split("\n[[payee]]").next().unwrap();
    PackageFiles { manifest: format!("{manifest}\n[[payee]]\nid = \"acct:root\"\nshare = 10000\n"), ..files }
}

fn append(path: &Path, text: &str) {
    fs::write(path, fs::read_to_string(path).unwrap() + text).unwrap();
}

fn read(shell: &Shell, path: &str) -> Vec<u8> {
    fs::read(shell.folder.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns what the payees get by a receipt, by name: others through their packages.
fn shares(receipt: &Receipt) -> Vec<(String, u128)> {
    let payees = receipt.split.iter().filter_map(|share| match &share.to {
        Receiver::Operator => None,
        Receiver::Payee(id) => {
            let Pico(amount) = share.amount;
            let through = share.through.as_ref().map(|package| format!(" through {package}"));
            Some((format!("{id}{}", through.unwrap_or_default()), amount))
        }
    });
    payees.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_of_open_code_is_publishable_at_once_and_pays_what_is_asked() {
    let stage = Stage::of_today().await;
    let root = example("markdown");
    stage.publish(&root).await;
    let shell = Shell::new(&stage.url);
    let made = shell.ok(&["fork", "docs:markdown", "you:marked"]);
    assert_eq!((&made["parent"], &made["share"]), (&json!("docs:markdown@1.0.0"), &json!(1_000)), "{made}");
    assert_eq!(made["component"], true);
    assert_eq!(read(&shell, "marked/dist/component.wasm"), root.component);
    assert_eq!(read(&shell, "marked/src/lib.rs"), root.source.as_ref().unwrap().iter().next().unwrap().1);
    shell.refused(&["fork", "docs:markdown", "you:marked"], "folder-exists");
    let cases = root.tests.iter().map(|(_, text)| String::from_utf8_lossy(text).matches("[[case]]").count());
    let passed = shell.ok(&["test", "marked"])["passed"].as_u64().unwrap();
    assert_eq!(passed as usize, cases.sum::<usize>());

    append(&shell.folder.path().join("marked/glassbox.toml"), PRICE);
    shell.ok(&["publish", "marked"]);
    let page = stage.get("/v1/packages/you/marked/0.1.0").await.json();
    assert_eq!(page["derived_from"][0]["release"], "docs:markdown@1.0.0");
    assert_eq!(page["derived_from"][0]["share"], 1_000);
    let buyer = stage.buyer("payer", 1).await;
    let path = "/v1/call/you/marked/0.1.0/to-html";
    let reply = buyer.pay(path, json!(["# One", "commonmark"]), "first").await;
    assert_eq!(reply.output(), "<h1>One</h1>\n");
    let (_, receipt) = reply.receipt();
    let ana = "acct:ana@docs.example through docs:markdown".to_owned();
    let ben = "acct:ben@docs.example through docs:markdown".to_owned();
    let expected =
        [(ana, NET / 10 * 7 / 10), (ben, NET / 10 * 3 / 10), ("acct:you".to_owned(), NET - NET / 10)];
    assert_eq!(shares(&receipt), expected);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_is_told_where_a_royalty_reaches_nobody() {
    let stage = Stage::of_today().await;
    let required = "[upstream]\nroyalty = { share = 1000, mode = \"required\" }\n";
    let paid = format!("{required}{}", crate::composition::payee("kept"));
    stage.publish(&crate::derived::own("lost", required)).await;
    stage.publish(&crate::derived::own("kept", &paid)).await;
    let shell = Shell::new(&stage.url);
    for (parent, name, warned) in [("lab:lost", "you:lost", true), ("lab:kept", "you:kept", false)] {
        shell.ok(&["fork", parent, name, name.trim_start_matches("you:")]);
        let output = shell.run(&["publish", name.trim_start_matches("you:")]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{said}");
        assert_eq!(said.contains("names no payee"), warned, "{parent}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrapper_passes_every_call_on_and_pays_for_it() {
    let stage = Stage::of_today().await;
    for name in ["markdown", "checksum"] {
        stage.publish(&free(name)).await;
    }
    let shell = Shell::new(&stage.url);
    let buyer = stage.buyer("payer", 1).await;
    // Strings, enumerations and lists of records; and bytes.
    for (parent, name, path, args, output) in [
        (
            "docs:markdown",
            "mark",
            "outline",
            json!(["# One\n\n## Two"]),
            json!([
                { "level": 1, "text": "One", "anchor": "one" },
                { "level": 2, "text": "Two", "anchor": "two" }
            ]),
        ),
        ("bits:checksum", "sum", "crc32", json!([[104, 101, 108, 108, 111]]), json!(907_060_870)),
    ] {
        let new = format!("you:{name}");
        let made = shell.ok(&["fork", parent, &new, "--wrapper", "--share", "2500"]);
        assert_eq!((&made["wrapper"], &made["share"]), (&json!(true), &json!(2_500)));
        assert_eq!(shell.ok(&["test", name])["failed"], 0, "all that the parent's tests say");
        append(&shell.folder.path().join(name).join("glassbox.toml"), PRICE);
        shell.ok(&["publish", name]);
        let reply = buyer.pay(&format!("/v1/call/you/{name}/0.1.0/{path}"), args, name).await;
        assert_eq!(reply.output(), output);
        let (_, receipt) = reply.receipt();
        let called: Vec<String> = receipt.inner.iter().map(|node| node.release.to_string()).collect();
        assert_eq!(called, [format!("{parent}@1.0.0")]);
        let expected =
            [(format!("acct:root through {parent}"), NET / 4), ("acct:you".to_owned(), NET - NET / 4)];
        assert_eq!(shares(&receipt), expected);
    }
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_forked_or_wrapped_is_refused_before_anything_is_written() {
    let stage = Stage::of_today().await;
    let licensed = |name: &str, terms: &str| {
        let files = leaf(name, terms);
        PackageFiles { manifest: files.manifest.replace("Apache-2.0", "LicenseRef-Lab"), ..files }
    };
    let price = PRICE.replace("acct:you", "acct:ana");
    let bare = {
        let files = bench("1.0.0");
        let manifest = files.manifest.split("\n[[price]]").next().unwrap();
        let manifest = manifest.replace("execute = ", "import = true\nexecute = ");
        PackageFiles { manifest, ..files }
    };
    let shut = leaf("shut", "");
    let shut = PackageFiles { manifest: shut.manifest.replace("import = true", ""), ..shut };
    for package in [
        &licensed("closed", "[upstream]\nallow-forks = false\n"),
        &licensed("priced", &price),
        &licensed("metered", &price.replace("unit = \"call\"", "unit = \"byte-in\"")),
        &leaf("yanked", ""),
        &bare,
        &shut,
    ] {
        stage.publish(package).await;
    }
    let yank = Yank {
        release: "lab:yanked@1.0.0".parse().unwrap(),
        yanked: true,
        reason: "old".into(),
        sequence: 1,
    };
    let yanked = act(&stage, "/v1/packages/lab/yanked/1.0.0/yank", yank.sign(&publisher())).await;
    assert_eq!(yanked.status, 201, "{}", yanked.text);
    let shell = Shell::new(&stage.url);
    let refused = |args: &[&str], code: &str| shell.refused(&[&["fork"], args].concat(), code);
    refused(&["lab:closed", "you:it"], "fork-denied");
    refused(&["lab:yanked@1.0.0", "you:it"], "parent-yanked");
    refused(&["lab:priced", "lab:priced"], "name-invalid");
    refused(&["lab:nobody", "you:it"], "package-not-found");
    refused(&["lab:metered", "you:it", "--wrapper"], "dependency-unit");
    refused(&["lab:shut", "you:it", "--wrapper"], "dependency-not-importable");
    let said = refused(&["lab:bench", "you:it", "--wrapper"], "not-wrappable");
    assert!(said["message"].as_str().unwrap().contains("in no interface"), "{said}");
    refused(&["lab:priced", "you:list"], "name-invalid");
    assert!(!shell.folder.path().join("it").exists());

    // Where the component may not be had, all the rest comes along.
    let made: Value = shell.ok(&["fork", "lab:priced", "you:it"]);
    assert_eq!(made["component"], false, "{made}");
    let manifest = Manifest::parse(&String::from_utf8(read(&shell, "it/glassbox.toml")).unwrap()).unwrap();
    assert_eq!(manifest.derived_from[0].release.to_string(), "lab:priced@1.0.0");
    assert_eq!(manifest.package.license, "LicenseRef-Lab");
    let tests = licensed("priced", &price).tests;
    assert_eq!(read(&shell, "it/tests/it.toml"), tests.iter().next().unwrap().1);
}
