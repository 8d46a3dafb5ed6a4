//! Blocklists: what is on one is refused by name, and a list that is not right changes nothing.

use std::time::Duration;

use glassbox_core::Digest;
use glassbox_core::blocklist::{Blocklist, Entry};
use glassbox_core::dsse::Envelope;
use glassbox_core::key::SecretKey;
use glassbox_registry::Package;
use glassbox_store::{Fault, Moment};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::buyer::bench;
use crate::command::{Server, Shell};
use crate::packages::{self, publisher};
use crate::stage::{OPERATOR, Stage, Sweep, wallet};

pub(crate) fn keeper() -> SecretKey {
    SecretKey::from_seed(&[31; 32])
}

fn list(stage: &Stage, sequence: u64, entries: &[(&str, &str)]) -> Blocklist {
    let issued = Timestamp::from_second(stage.world.now_s() as i64).unwrap();
    let entry = |(about, reason): &(&str, &str)| Entry {
        about: about.parse().unwrap(),
        reason: (*reason).to_owned(),
    };
    Blocklist {
        name: "watch".into(),
        sequence,
        issued,
        expires: issued + SignedDuration::from_hours(24),
        entries: entries.iter().map(entry).collect(),
    }
}

async fn take(stage: &Stage, envelope: &Envelope) -> bool {
    let bytes = serde_json::to_vec(envelope).unwrap();
    stage.registry.take_blocklist(&keeper().public(), &bytes).await.unwrap()
}

async fn takes(stage: &Stage, sequence: u64, entries: &[(&str, &str)]) -> bool {
    take(stage, &list(stage, sequence, entries).sign(&keeper())).await
}

/// Puts something on the list.
pub(crate) async fn block(stage: &Stage, about: &str) {
    assert!(takes(stage, 1, &[(about, "malware")]).await);
}

async fn feed(stage: &Stage) -> Value {
    let url = format!("{}/v1/operate/blocklists", stage.url);
    let reply = stage.http.get(url).bearer_auth(OPERATOR).send().await.unwrap();
    reply.json::<Value>().await.unwrap()["feeds"][0].clone()
}

async fn gift(stage: &Stage) -> u16 {
    let reply = stage.post(&bench("gift"), &json!({ "args": [1] })).await;
    if reply.status != 200 {
        let refused = reply.assert_problem(403, "release-quarantined");
        let detail = refused["detail"].as_str().unwrap();
        assert!(detail.contains("watch") && detail.contains("malware"), "{detail}");
    }
    reply.status
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_listed_does_not_run_and_is_not_published() {
    let stage = Stage::with_blocklist(keeper().public()).await;
    let component = Digest::of(&packages::bench("1.0.0").component);
    let (component, key) = (format!("component:{component}"), format!("publisher:{}", publisher().public()));
    for (sequence, about) in (1..).zip(["package:lab:bench", &component, &key]) {
        assert!(takes(&stage, sequence * 2, &[(about, "malware")]).await);
        assert_eq!(gift(&stage).await, 403, "{about}");
        let next = packages::bench("1.1.0");
        let request = packages::request(&next, packages::sign(&next, &publisher()));
        let refused = stage.post("/v1/publish", &request).await.assert_problem(403, "release-quarantined");
        assert!(refused["detail"].as_str().unwrap().contains("watch"), "{refused}");
        // The next list is whole: what is not on it any more runs.
        assert!(takes(&stage, sequence * 2 + 1, &[("package:lab:other", "malware")]).await);
        assert_eq!(gift(&stage).await, 200, "{about}");
    }
    stage.get("/v1/operate/blocklists").await.assert_problem(401, "operator-only");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signed_a_release_answers_for_it_before_and_after() {
    let stage = Stage::with_blocklist(keeper().public()).await;
    let second = SecretKey::from_seed(&[33; 32]);
    let package = packages::bench("1.1.0");
    let mut release = Package::check(package.clone()).unwrap().statement();
    release.authorship.accountable = Some(publisher().public());
    let mut statement = release.sign(&publisher());
    statement.add_signature(&second).unwrap();
    let published = stage.post("/v1/publish", &packages::request(&package, statement)).await;
    assert_eq!(published.status, 201, "{}", published.text);
    let call = async || {
        let path = "/v1/call/lab/bench/1.1.0/gift";
        stage.post(path, &json!({ "args": [1] })).await
    };
    call().await.output();
    // The second key is not the one that is accountable.
    assert!(takes(&stage, 1, &[(&format!("publisher:{}", second.public()), "stolen")]).await);
    call().await.assert_problem(403, "release-quarantined");
    assert_eq!(gift(&stage).await, 200, "what it did not sign runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listed_payee_is_not_paid_out() {
    let stage = Stage::with_blocklist(keeper().public()).await;
    let buyer = stage.buyer("cy", 1).await;
    buyer.pay(&bench("double"), json!([1]), "first").await.output();
    let to = |id: &str| (format!("acct:{id}@lab.example"), wallet(id).address());
    let terms =
        glassbox_registry::PayoutTerms { addresses: [to("ana"), to("ben")].into(), ..Default::default() };
    // By whichever spelling of the id, and of the address that is paid.
    let address = wallet("ana").address().to_string();
    let lower = address.to_ascii_lowercase();
    let ids = ["acct:ana@lab.example", "acct:ANA@Lab.example", &address, &lower, &lower[2..]];
    for (sequence, id) in (1..).zip(ids) {
        assert!(takes(&stage, sequence, &[(&format!("payee:{id}"), "sanctions")]).await);
        let plan = stage.registry.plan_payouts(&terms).await.unwrap();
        let waits: Vec<_> = plan.lines.iter().filter_map(|line| line.waits.as_deref()).collect();
        assert!(
            waits.iter().any(|why| why.contains("watch") && why.contains("sanctions")),
            "{id}: {waits:?}"
        );
    }
    stage.registry.pay_out_earnings(&terms).await.unwrap();
    assert_eq!(stage.balance(wallet("ana").address()).await, 0);
    assert_eq!(stage.balance(wallet("ben").address()).await, 570);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_not_right_changes_nothing_and_is_reported() {
    let stage = Stage::with_blocklist(keeper().public()).await;
    let evil = [("package:lab:bench", "malware")];
    assert!(takes(&stage, 5, &evil).await);
    let refused = async |envelope: Envelope, why: &str| {
        assert!(!take(&stage, &envelope).await);
        let feed = feed(&stage).await;
        let problem = feed["problem"].as_str().unwrap_or_else(|| panic!("{feed}"));
        assert!(problem.contains(why), "{problem}");
        assert_eq!((&feed["sequence"], gift(&stage).await), (&json!(5), 403), "the one before counts on");
    };
    let signed = |list: Blocklist| list.sign(&keeper());
    refused(list(&stage, 6, &[]).sign(&SecretKey::from_seed(&[32; 32])), "signed").await;
    refused(signed(list(&stage, 4, &[])), "number").await;
    refused(signed(list(&stage, 5, &[])), "number").await;
    let mut over = list(&stage, 6, &[]);
    over.expires = over.issued;
    refused(signed(over), "good").await;
    let mut early = list(&stage, 6, &[]);
    early.issued += SignedDuration::from_hours(2);
    early.expires += SignedDuration::from_hours(2);
    refused(signed(early), "good").await;
    refused(signed(list(&stage, 6, &[("payee:x", "")])), "long").await;
    assert!(!stage.registry.take_blocklist(&keeper().public(), b"no envelope").await.unwrap());
    // The same again is no news and no problem; and a list that nobody renews counts on, and says that it is old.
    assert!(!takes(&stage, 5, &evil).await);
    assert_eq!(feed(&stage).await["problem"], Value::Null);
    stage.world.advance(Duration::from_secs(25 * 3_600));
    assert_eq!((&feed(&stage).await["stale"], gift(&stage).await), (&json!(true), 403));
    // A write that fails is done again, and what was taken is there after a power cut: no older one is taken then.
    stage.store().inject(Fault { verb: "keep_blocklist".into(), moment: Moment::After, abort: false });
    let next = list(&stage, 7, &evil).sign(&keeper());
    let bytes = serde_json::to_vec(&next).unwrap();
    assert!(stage.registry.take_blocklist(&keeper().public(), &bytes).await.is_err());
    // Another of the same number is none, also where the answer to the first was lost.
    let other = list(&stage, 7, &[]).sign(&keeper());
    assert!(!take(&stage, &other).await);
    assert_eq!((&feed(&stage).await["sequence"], gift(&stage).await), (&json!(7), 403));
    assert!(!take(&stage, &next).await, "it was kept");
    assert_eq!(feed(&stage).await["problem"], Value::Null);
    let stage = stage.reopen(Sweep::Off).await;
    assert_eq!((&feed(&stage).await["sequence"], gift(&stage).await), (&json!(7), 403));
    assert!(!takes(&stage, 6, &[]).await);
    assert_eq!(gift(&stage).await, 403);
}

#[test]
fn a_list_that_the_command_signed_is_followed() {
    let shell = Shell::new("");
    let key = shell.ok(&["key", "new"])["public"].as_str().unwrap().to_owned();
    let write = |text: &str| std::fs::write(shell.folder.path().join("list.txt"), text).unwrap();
    let sign = ["blocklist", "sign", "list.txt", "--name", "watch", "--out", "watch.json"];
    for broken in ["package:bits:checksum", "packages:bits:checksum malware", "package:bits malware"] {
        write(broken);
        shell.refused(&sign, "blocklist-invalid");
    }
    write("# Seen in May\n\npackage:bits:checksum   malware, by its own word\n");
    let signed = shell.ok(&sign);
    assert_eq!((&signed["entries"], &signed["key"]), (&json!(1), &json!(key)));
    let feed = format!("{key}={}", shell.folder.path().join("watch.json").display());
    let server = Server::start(&shell.folder.path().join("data"), &["--blocklist", &feed]);
    let shell = Shell { registry: server.url.clone(), ..shell };
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/checksum");
    // It is followed once it was read, which may be a moment after the registry is there.
    let refused = (0..100).any(|_| {
        let call = ["call", "bits:checksum", "crc32([1])"];
        let (exit, said) = match shell.json(&["publish", example]) {
            (0, _) => shell.json(&call),
            refused => refused,
        };
        exit == 1 && said["code"] == "release-quarantined"
    });
    assert!(refused);
}
