//! Terms that change after a release was published: cheaper for everybody from then on, dearer for nobody, and what was
//! bought before stays bought.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use glassbox_core::acts::{Act as _, NamespacePolicy, TermsChange, Threshold};
use glassbox_core::dsse::Envelope;
use glassbox_core::hashed::Document as _;
use glassbox_core::log::Kind;
use glassbox_core::manifest::{ChargeOn, Manifest, Place, Terms};
use glassbox_core::receipt::Bundle;
use glassbox_core::release::Release;
use glassbox_core::{Atomic, Digest, limits};
use glassbox_pay::x402;
use glassbox_registry::{Package, PackageFiles};
use glassbox_store::{Moment, NewEntry};
use serde_json::{Value, json};

use crate::buyer::{Reply, bench};
use crate::command::{Server, Shell};
use crate::names::{act, key, signed};
use crate::packages::{self, downloadable, publisher};
use crate::receipts::{complete, stranger, sweep};
use crate::stage::{Stage, Sweep, World, keys};

const TERMS: &str = "/v1/packages/lab/bench/1.0.0/terms";

/// What the publisher of a package signed.
fn release(package: &PackageFiles) -> Release {
    Package::check(package.clone()).unwrap().statement()
}

/// The terms of a package, changed.
fn terms(package: &PackageFiles, change: impl FnOnce(&mut Terms)) -> Terms {
    let mut terms = Terms::of(&Manifest::parse(&package.manifest).unwrap());
    change(&mut terms);
    terms
}

/// The terms of `lab:bench` with `double` for so many millionths of a dollar.
fn double_for(amount: u128) -> Terms {
    terms(&packages::bench("1.0.0"), |terms| terms.price[0].amount = Atomic(amount))
}

/// A change of `lab:bench`.
fn change(from: &Terms, to: &Terms) -> TermsChange {
    TermsChange::new(&release(&packages::bench("1.0.0")), from.compute_digest(), to.clone())
}

/// Makes `double` of `lab:bench` cost `to` in place of `from`.
async fn reprice(stage: &Stage, from: u128, to: u128) -> Reply {
    act(stage, TERMS, change(&double_for(from), &double_for(to)).sign(&publisher())).await
}

async fn size(stage: &Stage) -> u64 {
    stage.store().log_state().await.unwrap().unwrap().size
}

/// Returns what `double` costs at most, by the quote and by the requirements.
async fn asked(stage: &Stage) -> [String; 2] {
    let quote = stage.get("/v1/quote/lab/bench/1.0.0/double").await.json();
    let asked = stage.post(&bench("double"), &json!({ "args": [1] })).await.required();
    [quote["max"]["amount"].as_str().unwrap().to_owned(), asked.accepts[0].amount.clone()]
}

/// Returns what a page or a list says that `double` costs.
fn price_shown(functions: &Value) -> &str {
    let double = functions.as_array().unwrap().iter().find(|function| function["name"] == "double");
    double.unwrap()["price"].as_str().unwrap()
}

fn charged(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()["charged"]["amount"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn cheaper_terms_are_asked_charged_shown_and_proved_from_then_on() {
    let stage = Stage::without_sweep().await;
    let buyer = stage.buyer("payer", 1).await;
    let before = buyer.pay(&bench("double"), json!([1]), "before").await;
    assert_eq!(charged(&before), "2000");

    let changed = reprice(&stage, 2_000, 500).await;
    assert_eq!((changed.status, &changed.json()["new"]), (201, &json!(true)), "{}", changed.text);
    assert_eq!(changed.json()["proof"]["index"], 1);
    // The same again is done already.
    let again = reprice(&stage, 2_000, 500).await;
    assert_eq!((again.status, &again.json()["new"]), (200, &json!(false)), "{}", again.text);
    assert_eq!(asked(&stage).await, ["500", "500"]);
    let digest = double_for(500).compute_digest();
    let page = stage.get("/v1/packages/lab/bench/1.0.0").await.json();
    assert_eq!(price_shown(&page["functions"]), "$0.0005 per call");
    assert_eq!((&page["terms"], &page["terms_changes"]), (&json!(digest), &json!([1])));
    for path in ["/v1/search?q=functions", "/v1/packages"] {
        let found = stage.get(path).await.json();
        assert_eq!(price_shown(&found["results"][0]["functions"]), "$0.0005 per call", "{path}");
    }
    let standing = stage.get("/v1/log/standing/lab:bench").await.json();
    assert_eq!(standing["standing"]["terms"]["1.0.0"], json!(digest));
    assert_eq!(standing["standing"]["latest"], "1.0.0");

    let after = buyer.pay(&bench("double"), json!([2]), "after").await;
    assert_eq!(charged(&after), "500");
    assert_eq!(after.receipt().1.terms, digest);
    assert_eq!(before.receipt().1.terms, double_for(2_000).compute_digest());
    // Also after a restart, and cheaper still.
    let stage = stage.reopen(Sweep::Off).await;
    let buyer = buyer.at(&stage);
    assert_eq!(asked(&stage).await, ["500", "500"]);
    assert_eq!(reprice(&stage, 500, 400).await.status, 201);
    let last = buyer.pay(&bench("double"), json!([3]), "last").await;
    assert_eq!(charged(&last), "400");

    // Each receipt proves its own price, and none another's.
    sweep(&stage).await;
    let mut bundles = Vec::new();
    let folder = tempfile::tempdir().unwrap();
    for (reply, index) in [(&before, 0), (&after, 1), (&last, 2)] {
        let bundle = complete(&stage, &reply.receipt().0).await;
        assert_eq!(bundle.proof.as_ref().unwrap().terms.as_ref().unwrap().place.index, index);
        let path = folder.path().join(format!("{index}.json"));
        std::fs::write(&path, serde_json::to_vec(&bundle).unwrap()).unwrap();
        let (agrees, said) = stranger(&[&path]).await;
        assert!(agrees, "{said}");
        bundles.push(bundle);
    }
    let swapped = |to: usize, from: usize| {
        let mut bundle = bundles[to].clone();
        let terms = bundles[from].proof.as_ref().unwrap().terms.clone();
        bundle.proof.as_mut().unwrap().terms = terms;
        failing(&bundle)
    };
    for (to, from) in [(0, 1), (1, 0), (1, 2), (2, 1)] {
        assert_eq!(swapped(to, from), ["price"], "{from} for {to}");
    }
    stage.assert_sound().await;
}

fn failing(bundle: &Bundle) -> Vec<String> {
    let (report, _) = bundle.verify(None);
    report.checks.into_iter().filter(|check| !check.holds).map(|check| check.name).collect()
}

type Edit = fn(&mut Terms);

#[tokio::test(flavor = "multi_thread")]
async fn dearer_terms_are_refused_by_the_name_of_what_is_dearer() {
    let stage = Stage::without_sweep().await;
    assert_eq!(reprice(&stage, 2_000, 1_000).await.status, 201);
    let stands = double_for(1_000);
    let logged = size(&stage).await;
    let to = |edit: Edit| {
        let mut terms = stands.clone();
        edit(&mut terms);
        change(&stands, &terms)
    };
    let dearer: [(Edit, &str); 6] = [
        // Still cheaper than when it was published.
        (|terms| terms.price[0].amount = Atomic(1_500), "price `double`"),
        (|terms| terms.price[1].minimum = Some(Atomic(200)), "price `burn`"),
        (|terms| terms.price[2].charge_on = ChargeOn::Attempt, "price `boom`"),
        (|terms| terms.price[0].id = "other".into(), "price `other`"),
        (|terms| terms.execute.retain(|place| *place != Place::Remote), "`execute`"),
        (|terms| terms.accepts.truncate(1), "`accepts`"),
    ];
    for (edit, what) in dearer {
        let refused = act(&stage, TERMS, to(edit).sign(&publisher())).await;
        let problem = refused.assert_problem(422, "terms-dearer");
        assert!(problem["detail"].as_str().unwrap().contains(what), "{what}: {problem}");
    }
    // What no manifest may say, what no manifest can say, and what is of something else.
    let send = async |change: TermsChange| act(&stage, TERMS, change.sign(&publisher())).await;
    let unpaid = send(to(|terms| terms.payee.clear())).await.assert_problem(422, "manifest-invalid");
    assert!(unpaid["detail"].as_str().unwrap().contains("nobody to pay"), "{unpaid}");
    let mut other = to(|terms| terms.price[0].amount = Atomic(1));
    other.component = Digest::of("another");
    send(other).await.assert_problem(422, "statement-differs");
    let mut other = to(|terms| terms.price[0].amount = Atomic(1));
    other.terms.release = "lab:bench@1.0.1".parse().unwrap();
    send(other).await.assert_problem(422, "statement-differs");
    let elsewhere = to(|terms| terms.price[0].amount = Atomic(1)).sign(&publisher());
    act(&stage, "/v1/packages/lab/bench/2.0.0/terms", elsewhere)
        .await
        .assert_problem(422, "statement-differs");
    let mut missing = to(|terms| terms.price[0].amount = Atomic(1));
    missing.release = "lab:bench@2.0.0".parse().unwrap();
    act(&stage, "/v1/packages/lab/bench/2.0.0/terms", missing.sign(&publisher()))
        .await
        .assert_problem(404, "release-not-found");
    send(to(|_| {})).await.assert_problem(409, "act-without-effect");
    send(change(&double_for(2_000), &double_for(1))).await.assert_problem(409, "act-out-of-order");
    // Words that nobody reads would be hashed by some and not by others.
    let mut odd = serde_json::to_value(to(|terms| terms.price[0].amount = Atomic(1))).unwrap();
    odd["terms"]["promise"] = json!("free for ever");
    let odd = resigned(&to(|_| {}), &odd);
    act(&stage, TERMS, odd).await.assert_problem(422, "statement-invalid");
    let mut odd = serde_json::to_value(to(|terms| terms.price[0].amount = Atomic(1))).unwrap();
    odd["terms"]["price"][0]["amount"] = json!("0.0000010");
    act(&stage, TERMS, resigned(&to(|_| {}), &odd)).await.assert_problem(422, "statement-invalid");

    assert_eq!((size(&stage).await, asked(&stage).await), (logged, ["1000".into(), "1000".into()]));
}

/// Signs another predicate in the place of an act's own.
fn resigned(act: &TermsChange, predicate: &Value) -> Envelope {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let unsigned = act.clone().sign(&publisher());
    let mut statement: Value = serde_json::from_slice(&unsigned.payload().unwrap()).unwrap();
    statement["predicate"] = predicate.clone();
    let payload = STANDARD.encode(serde_json::to_vec(&statement).unwrap());
    let mut envelope = Envelope { payload, signatures: Vec::new(), ..unsigned };
    envelope.add_signature(&publisher()).unwrap();
    envelope
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_takes_the_threshold_for_prices_and_a_stolen_old_key_is_none_of_it() {
    let stage = Stage::without_sweep().await;
    let (own, second, new) = (publisher(), key(21), key(23));
    let cheaper = || change(&double_for(2_000), &double_for(500));
    act(&stage, TERMS, cheaper().sign(&key(99))).await.assert_problem(403, "threshold-missed");
    act(&stage, TERMS, cheaper().sign(&keys().operator)).await.assert_problem(403, "operator-key");
    let policy = |sequence, controllers: &[&glassbox_core::key::SecretKey]| NamespacePolicy {
        controllers: controllers.iter().map(|key| key.public()).collect(),
        threshold: Threshold { publish: 1, price: 2, yank: 1, rotate: 1, recover: 1 },
        sequence,
        ..NamespacePolicy::of_one_key("lab".parse().unwrap(), own.public())
    };
    let path = "/v1/namespaces/lab/policy";
    assert_eq!(act(&stage, path, policy(1, &[&own, &second]).sign(&own)).await.status, 201);
    let alone = act(&stage, TERMS, cheaper().sign(&own)).await;
    let problem = alone.assert_problem(403, "threshold-missed");
    assert!(problem["detail"].as_str().unwrap().contains("to price takes 2"), "{problem}");
    let stranger = signed(cheaper(), &[&own, &key(99)]);
    act(&stage, TERMS, stranger).await.assert_problem(403, "threshold-missed");
    let mut broken = signed(cheaper(), &[&own, &second]);
    broken.signatures[1].sig = broken.signatures[0].sig.clone();
    act(&stage, TERMS, broken).await.assert_problem(422, "statement-invalid");
    let both = signed(cheaper(), &[&own, &second]);
    assert_eq!(act(&stage, TERMS, both.clone()).await.status, 201);
    assert_eq!(asked(&stage).await, ["500", "500"]);
    // The old key is replaced; whoever has it can neither give the work away nor present what it signed.
    assert_eq!(act(&stage, path, policy(2, &[&new, &second]).sign(&second)).await.status, 201);
    let free = terms(&packages::bench("1.0.0"), |terms| terms.price.clear());
    let given_away = change(&double_for(500), &free);
    let stolen = signed(given_away, &[&own, &second]);
    act(&stage, TERMS, stolen).await.assert_problem(403, "threshold-missed");
    assert_eq!(act(&stage, TERMS, both).await.json()["new"], false);
    assert_eq!(asked(&stage).await, ["500", "500"]);
    let next = signed(change(&double_for(500), &double_for(400)), &[&new, &second]);
    assert_eq!(act(&stage, TERMS, next).await.status, 201);
    assert_eq!(asked(&stage).await, ["400", "400"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_before_a_change_can_be_paid_just_after_it() {
    let stage = Stage::without_sweep().await;
    let buyer = stage.buyer("payer", 1).await;
    let (body, late) = (json!({ "args": [21] }), json!({ "args": [22] }));
    let early = buyer.sign(&bench("double"), &body, "early").await;
    let too_late = buyer.sign(&bench("double"), &late, "late").await;
    assert_eq!(reprice(&stage, 2_000, 500).await.status, 201);
    assert_eq!(reprice(&stage, 500, 400).await.status, 201);
    // It was quoted, and signed: it is charged by that quote, and proves that price.
    let reply = buyer.send(&bench("double"), &body, Some(&early)).await;
    assert_eq!((reply.output(), charged(&reply)), (json!(42), json!("2000")));
    stage.world.advance(Duration::from_millis(limits::QUOTE_KEPT_MS as u64 + 1));
    let refused = buyer.send(&bench("double"), &late, Some(&too_late)).await;
    refused.assert_problem(402, "payment-invalid");
    assert_eq!(refused.required().accepts[0].amount, "400");
    // What costs nothing by now is given for nothing, whatever was signed.
    let signed = buyer.sign(&bench("double"), &late, "again").await;
    let free = terms(&packages::bench("1.0.0"), |terms| terms.price.retain(|price| price.id != "double"));
    let change = change(&double_for(400), &free);
    assert_eq!(act(&stage, TERMS, change.sign(&publisher())).await.status, 201);
    let reply = buyer.send(&bench("double"), &late, Some(&signed)).await;
    assert_eq!((reply.output(), charged(&reply)), (json!(44), json!("0")));
    sweep(&stage).await;
    complete(&stage, &buyer.send(&bench("double"), &body, Some(&early)).await.receipt().0).await;
    assert_eq!(stage.payments().await, 1);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_before_a_change_is_answered_and_not_paid_again() {
    let stage = Stage::without_sweep().await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [21] });
    let payment = buyer.sign(&bench("double"), &body, "first").await;
    // It is paid, and nobody noted that its payer has the answer.
    stage.inject("mark_delivered", Moment::Before);
    let first = buyer.send(&bench("double"), &body, Some(&payment)).await;
    assert_eq!(first.output(), 42);
    assert_eq!(reprice(&stage, 2_000, 500).await.status, 201);
    // A payer that knows nothing of it any more signs anew, for the price of now.
    let second = buyer.sign(&bench("double"), &body, "second").await;
    for _ in 0..2 {
        let reply = buyer.send(&bench("double"), &body, Some(&second)).await;
        assert_eq!((reply.output(), &reply.json()["replayed"]), (json!(42), &json!(true)));
    }
    let again = buyer.send(&bench("double"), &body, Some(&payment)).await;
    assert_eq!((&again.json()["replayed"], charged(&again)), (&json!(true), json!("2000")));
    assert_eq!(again.json()["receipt"], first.json()["receipt"]);
    assert_eq!(stage.payments().await, 1);
    let other = json!({ "args": [22] });
    buyer.send(&bench("double"), &other, Some(&payment)).await.assert_problem(409, "payment-bound");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_that_was_paid_stays_open_after_a_change() {
    let package = downloadable("1.0.0", Some("0.5"));
    let stage = Stage::empty().await;
    stage.publish(&package).await;
    let buyer = stage.buyer("payer", 1).await;
    let path = "/v1/packages/lab/bench/1.0.0/component";
    let get = async |name: &'static str, value: &str| {
        let request = stage.http.get(format!("{}{path}", stage.url)).header(name, value);
        Reply::of(request.send().await.unwrap()).await
    };
    let asked = stage.get(path).await;
    let payment = x402::encode(&buyer.answer(&asked.required(), "first"));
    assert_eq!(get(x402::PAYMENT_SIGNATURE, &payment).await.status, 200);
    let price = |amount: u128| {
        terms(&package, |terms| {
            let copy = terms.price.iter_mut().find(|price| price.id == "copy");
            copy.unwrap().amount = Atomic(amount);
        })
    };
    let change = TermsChange::new(&release(&package), price(500_000).compute_digest(), price(300_000));
    assert_eq!(act(&stage, TERMS, change.sign(&publisher())).await.status, 201);
    let page = stage.get("/v1/packages/lab/bench/1.0.0").await.json();
    assert_eq!(page["download_price"]["amount"], "300000");
    let asked = stage.get(path).await;
    assert_eq!(asked.required().accepts[0].amount, "300000");
    let challenge = x402::extensions::sign_in::read(asked.required().extensions.as_ref()).unwrap();
    let network = asked.required().accepts[0].network.parse().unwrap();
    let signed_in = x402::encode(&challenge.answer(&buyer.wallet, network));
    assert_eq!(get(x402::extensions::sign_in::HEADER, &signed_in).await.status, 200);
    assert_eq!(get(x402::PAYMENT_SIGNATURE, &payment).await.status, 200);
    assert_eq!(stage.payments().await, 1);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_fails_half_way_is_repeated_or_repaired_and_every_price_is_proved() {
    for verb in ["change_terms", "publish_log"] {
        for moment in [Moment::Before, Moment::After] {
            for repair in ["again", "sweep", "restart"] {
                let case = format!("{verb} {moment:?}, then {repair}");
                let stage = Stage::without_sweep().await;
                let buyer = stage.buyer("payer", 1).await;
                stage.inject(verb, moment);
                let failed = reprice(&stage, 2_000, 500).await;
                assert_eq!((failed.status, failed.code().as_str()), (500, "internal"), "{case}");
                // What nobody can see in the log yet holds for nobody yet.
                let during = buyer.pay(&bench("double"), json!([1]), "during").await;
                let index = during.receipt().1.checkpoint.size;
                let expected = if index == 1 { "2000" } else { "500" };
                assert_eq!(charged(&during), expected, "{case}");
                let stage = match repair {
                    "sweep" => {
                        stage.registry.reconcile().await;
                        stage
                    }
                    "restart" => stage.reopen(Sweep::Off).await,
                    _ => stage,
                };
                let happened = (verb, moment) != ("change_terms", Moment::Before);
                let again = reprice(&stage, 2_000, 500).await;
                assert_eq!(again.status, if happened { 200 } else { 201 }, "{case}: {}", again.text);
                assert_eq!(
                    (size(&stage).await, asked(&stage).await),
                    (2, ["500".into(), "500".into()]),
                    "{case}"
                );
                let after = buyer.at(&stage).pay(&bench("double"), json!([2]), "after").await;
                assert_eq!(charged(&after), "500", "{case}");
                sweep(&stage).await;
                complete(&stage, &during.receipt().0).await;
                complete(&stage, &after.receipt().0).await;
                assert_eq!(stage.store().faults_waiting(), 0, "{case}");
                stage.assert_sound().await;
            }
        }
    }
}

/// A registry of today with `lab:bench`, which clients believe.
async fn stage_of_today() -> Stage {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let world = World::at(now.as_millis() as i64);
    let stage = Stage::open(Arc::new(tempfile::tempdir().unwrap()), world, Sweep::Off).await;
    stage.publish(&downloadable("1.0.0", None)).await;
    stage
}

/// Copies a registry and serves the copy.
fn mirror(stage: &Stage, shell: &Shell, folder: &Path) -> Server {
    shell.ok(&["mirror", &stage.url, "--to", folder.to_str().unwrap()]);
    Server::spawn(&["mirror", "serve", folder.to_str().unwrap(), "--listen", "127.0.0.1:0"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_takes_cheaper_terms_out_of_the_log_and_no_dearer_ones_whoever_logged_them() {
    let stage = stage_of_today().await;
    let package = downloadable("1.0.0", None);
    let price = |amount| terms(&package, |terms| terms.price[0].amount = Atomic(amount));
    let make = |from, to| TermsChange::new(&release(&package), price(from).compute_digest(), price(to));
    assert_eq!(act(&stage, TERMS, make(2_000, 500).sign(&publisher())).await.status, 201);
    let shell = Shell::new(&stage.url);
    shell.ok(&["download", "lab:bench", "--out", "cheaper.wasm"]);
    assert_eq!(shell.ok(&["log", "check"])["findings"], json!([]));
    let folder = shell.folder.path().join("mirror");
    let copy = mirror(&stage, &shell, &folder);
    let reader = Shell::new(&copy.url);
    assert_eq!(price_shown(&reader.ok(&["info", "lab:bench"])["functions"]), "$0.0005 per call");
    reader.ok(&["download", "lab:bench", "--out", "cheaper.wasm"]);

    // A registry that lets its publisher go back on it, in the log for all to see.
    let back = make(500, 1_000).sign(&publisher());
    let entry = NewEntry { kind: Kind::Terms, about: "lab:bench".into(), statement: back };
    stage.store().append(vec![entry]).await.unwrap();
    stage.registry.reconcile().await;
    assert_eq!(stage.registry.checkpoint().size, 3);
    // Whoever reads the whole log sees it.
    let checked = shell.run(&["log", "check"]);
    let said = String::from_utf8_lossy(&checked.stdout);
    assert!(
        said.contains("entry 2 about `lab:bench` changes terms for dearer ones: price `double`"),
        "{said}"
    );
    // It cannot say which entries led there, or it says so and is caught.
    shell.refused(&["download", "lab:bench"], "log-unproved");
    shell.ok(&["mirror", &stage.url, "--to", folder.to_str().unwrap()]);
    let refused = reader.refused(&["download", "lab:bench"], "log-dearer");
    assert!(refused["message"].as_str().unwrap().contains("price `double`"), "{refused}");

    // And one that logs a change of terms that never stood, as a stranger may have signed it.
    let unfounded = make(123, 1).sign(&key(99));
    let entry = NewEntry { kind: Kind::Terms, about: "lab:bench".into(), statement: unfounded };
    stage.store().append(vec![entry]).await.unwrap();
    stage.registry.reconcile().await;
    let (exit, found) = shell.json(&["log", "check"]);
    assert_eq!(exit, 1, "{found}");
    shell.ok(&["mirror", &stage.url, "--to", folder.to_str().unwrap()]);
    reader.refused(&["download", "lab:bench"], "log-dearer");
}

#[test]
fn the_command_makes_a_release_cheaper_and_refuses_what_is_not() {
    let mut shell = Shell::new("");
    let server = Server::start(&shell.folder.path().join("data"), &[]);
    shell.registry = server.url.clone();
    let folder = shell.folder.path().join("bench");
    let package = packages::bench("1.0.0");
    for path in ["wit", "tests"] {
        std::fs::create_dir_all(folder.join(path)).unwrap();
    }
    let write = |path: &str, bytes: &[u8]| std::fs::write(folder.join(path), bytes).unwrap();
    let manifest = |price: &str| package.manifest.replacen("0.002", price, 1);
    write("glassbox.toml", package.manifest.as_bytes());
    write("bench.wasm", &package.component);
    package.wit.iter().for_each(|(path, bytes)| write(&format!("wit/{path}"), bytes));
    package.tests.iter().for_each(|(path, bytes)| write(&format!("tests/{path}"), bytes));
    shell.ok(&["publish", "bench"]);
    shell.refused(&["terms", "change", "lab:bench@1.0.0", "bench"], "act-without-effect");
    write("glassbox.toml", manifest("0.0005").as_bytes());
    let changed = shell.ok(&["terms", "change", "lab:bench@1.0.0", "bench"]);
    assert_eq!(changed["new"], true, "{changed}");
    assert_eq!(shell.ok(&["quote", "lab:bench", "double"])["max"]["amount"], "500");
    let copy = shell.folder.path().join("mirror");
    let sync = || shell.ok(&["mirror", &server.url, "--to", copy.to_str().unwrap()]);
    sync();
    let again = sync();
    assert_eq!(again["fetched"], 0, "{again}");
    // By two, and by the manifest's file alone: what waits in a file is sent once somebody signed it.
    write("glassbox.toml", manifest("0.0004").as_bytes());
    let to_file = ["terms", "change", "lab:bench@1.0.0", "bench/glassbox.toml", "--out", "change.json"];
    assert_eq!(shell.ok(&to_file)["signatures"], 1);
    assert!(shell.run(&["sign", "change.json", "--send"]).status.success());
    let info = shell.ok(&["info", "lab:bench"]);
    assert_eq!(price_shown(&info["functions"]), "$0.0004 per call");
    assert_eq!(info["terms_changes"].as_array().unwrap().len(), 2);
    // A mirror follows: the page, and the bundle of the log.
    assert_eq!(sync()["fetched"], 2);
    let served = Server::spawn(&["mirror", "serve", copy.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    let reader = Shell::new(&served.url);
    assert_eq!(price_shown(&reader.ok(&["info", "lab:bench"])["functions"]), "$0.0004 per call");
    reader.ok(&["log", "proof", "lab:bench"]);

    write("glassbox.toml", manifest("0.0006").as_bytes());
    let refused = shell.refused(&["terms", "change", "lab:bench@1.0.0", "bench"], "terms-dearer");
    assert!(refused["message"].as_str().unwrap().contains("price `double`"), "{refused}");
    shell.refused(&["terms", "change", "lab:bench@1.0.1", "bench"], "manifest-differs");
    write("glassbox.toml", manifest("0.0001\"\nper = \"x").as_bytes());
    shell.refused(&["terms", "change", "lab:bench@1.0.0", "bench"], "manifest-invalid");
}
