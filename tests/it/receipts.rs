//! Receipts in the log, from the call to a stranger's verifier; and what becomes of an executor that lies.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use glassbox_api::ContradictionRequest;
use glassbox_core::acts::{Act as _, ReceiptBatch};
use glassbox_core::dsse::{Envelope, Subject};
use glassbox_core::key::SecretKey;
use glassbox_core::log::{Cosigner, Entry, Kind, KnownLog, LogKey, LogPolicy};
use glassbox_core::receipt::audit::{BILL_EXACT, FUEL_EXACT, LOGGED, REPLAYED, VerificationResult};
use glassbox_core::receipt::{
    Batch, BatchTree, Bundle, Certificate, Level, Opening, Outcome, Place, Proof, Receipt, Trust,
};
use glassbox_core::value::Value as Typed;
use glassbox_core::{Digest, limits};
use glassbox_registry::ReceiptProof;
use glassbox_store::Moment;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::buyer::{Buyer, bench};
use crate::command::Shell;
use crate::packages;
use crate::stage::{PATIENCE, Stage, Sweep, keys};

/// Lets the first receipt wait for as long as it does.
pub(crate) async fn sweep(stage: &Stage) {
    stage.world.advance(Duration::from_millis(limits::RECEIPT_BATCH_MS as u64));
    stage.registry.reconcile().await;
}

/// Pays for `double(n)` and returns the receipt that came with the answer.
async fn double(buyer: &Buyer, n: u64) -> Bundle {
    buyer.pay(&bench("double"), json!([n]), &n.to_string()).await.receipt().0
}

fn digest(bundle: &Bundle) -> Digest {
    bundle.receipt.payload_digest().unwrap()
}

async fn prove(stage: &Stage, bundle: &Bundle) -> Option<Value> {
    let answer = stage.get(&format!("/v1/verify/{}", digest(bundle))).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let answer = answer.json();
    assert_eq!(answer["logged"], answer.get("proof").is_some(), "{answer}");
    answer.get("proof").cloned()
}

/// Puts the proof that the registry gives into a bundle, and insists that it is one.
pub(crate) async fn complete(stage: &Stage, bundle: &Bundle) -> Bundle {
    let proof = prove(stage, bundle).await.expect("it is logged");
    let proof = Some(serde_json::from_value(proof).unwrap());
    let bundle = Bundle { proof, ..bundle.clone() };
    let log = KnownLog::new(&stage.registry.log_verifier_key(), None).unwrap();
    let trust = Trust { executor: Some(stage.registry.executor()), policy: Some(LogPolicy::of_log(log)) };
    let (report, _) = bundle.verify_by(&trust);
    assert_eq!(report.level(), Some(Level::L1), "{report:?}");
    assert!(report.checks.iter().any(|check| check.name == "price"), "{report:?}");
    bundle
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_for_is_logged_in_batches_and_proved_to_whoever_holds_the_receipt() {
    let stage = Stage::without_sweep().await;
    let buyer = stage.buyer("payer", 1).await;
    let mut receipts = Vec::new();
    for n in 1..=3 {
        receipts.push(double(&buyer, n).await);
    }
    // Too few, and not for long enough: the log says nothing of them.
    stage.registry.reconcile().await;
    assert!(prove(&stage, &receipts[0]).await.is_none());
    assert_eq!(stage.registry.checkpoint().size, 1);
    sweep(&stage).await;
    assert_eq!(stage.registry.checkpoint().size, 2, "one entry for all");
    for (index, receipt) in receipts.iter().enumerate() {
        let proof = complete(&stage, receipt).await.proof.unwrap();
        assert_eq!((proof.batch.from, proof.batch.count, proof.batch.place.index), (0, 3, index as u64));
        assert_eq!((proof.entry.index, proof.terms.as_ref().unwrap().place.index), (1, 0));
    }
    // The next batch goes on where this one ended, and names it.
    let fourth = double(&buyer, 4).await;
    sweep(&stage).await;
    let proof = complete(&stage, &fourth).await.proof.unwrap();
    assert_eq!((proof.batch.from, proof.batch.count), (3, 1));
    assert!(proof.batch.previous.is_some());
    // The stored reply has it too. A sweep without receipts adds nothing.
    let call = fourth.verify(None).1.unwrap().call;
    let reply = stage.get(&format!("/v1/receipts/{call}")).await.json();
    assert_eq!(reply["receipt"]["proof"]["entry"]["index"], 2);
    sweep(&stage).await;
    assert_eq!(stage.registry.checkpoint().size, 3);
    stage.get(&format!("/v1/verify/{}", Digest::of("x"))).await.assert_problem(404, "receipt-not-found");
    stage.get("/v1/verify/x").await.assert_problem(400, "path-invalid");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_cannot_be_written_is_logged_once_by_the_next_sweep() {
    for verb in ["log_batch", "publish_log"] {
        for moment in [Moment::Before, Moment::After] {
            let stage = Stage::without_sweep().await;
            let buyer = stage.buyer("payer", 1).await;
            let receipt = double(&buyer, 21).await;
            stage.inject(verb, moment);
            sweep(&stage).await;
            let stage = stage.reopen(Sweep::Off).await;
            stage.registry.reconcile().await;
            let case = format!("{verb} {moment:?}");
            assert_eq!(stage.registry.checkpoint().size, 2, "{case}");
            complete(&stage, &receipt).await;
            assert_eq!(stage.store().faults_waiting(), 0, "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_whose_call_cannot_be_posted_is_counted_once() {
    for moment in [Moment::Before, Moment::After] {
        let stage = Stage::without_sweep().await;
        let buyer = stage.buyer("payer", 1).await;
        let body = json!({ "args": [21] });
        let payment = buyer.sign(&bench("double"), &body, "first").await;
        stage.inject("post_call", moment);
        buyer.send(&bench("double"), &body, Some(&payment)).await;
        let receipt = buyer.insist(&bench("double"), &body, &payment).await.receipt().0;
        sweep(&stage).await;
        let proof = complete(&stage, &receipt).await.proof.unwrap();
        assert_eq!((proof.batch.from, proof.batch.count), (0, 1), "{moment:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_may_have_a_receipt_checked() {
    let stage = Stage::without_sweep().await;
    stage.registry.register_executor().await.unwrap();
    let buyer = stage.buyer("payer", 1).await;
    let receipt = double(&buyer, 21).await;
    let page = stage.post("/v1/verify", &receipt).await.json();
    assert_eq!((&page["holds"], &page["level"]), (&json!(true), &json!("L0")), "{page}");
    sweep(&stage).await;
    let page = stage.post("/v1/verify", &complete(&stage, &receipt).await).await.json();
    assert_eq!((&page["holds"], &page["level"]), (&json!(true), &json!("L1")), "{page}");
    let names: Vec<&str> =
        page["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"inclusion") && names.contains(&"executor"), "{names:?}");
    let mut forged = serde_json::to_value(&receipt).unwrap();
    forged["opening"]["output"] = json!(1);
    let page = stage.post("/v1/verify", &forged).await.json();
    assert_eq!((&page["holds"], &page["level"]), (&json!(false), &Value::Null));
    forged["opening"]["note"] = json!("said by nobody");
    stage.post("/v1/verify", &forged).await.assert_problem(400, "receipt-invalid");
}

/// Signs a receipt of the same call again, with the executor's own key: another output, or another fuel.
fn lie(bundle: &Bundle, output: u32, fuel_used: u64) -> Bundle {
    let signed = bundle.receipt.verify::<Receipt>(&keys().executor.public()).unwrap().predicate;
    let mut opening = bundle.opening.clone();
    let ty = opening.function_type.clone();
    let mut salt = [0; 32];
    hex::decode_to_slice(&opening.salt, &mut salt).unwrap();
    opening.output = Some(json!(output));
    let n = opening.args["n"].as_u64().unwrap();
    let (given, returned) = (Typed::U32(n as u32), Typed::U32(output));
    let returned = Opening::output_digest(&salt, &ty, Some(&returned)).unwrap();
    let receipt = Receipt {
        input: Opening::input_digest(&salt, &ty, &[given]).unwrap(),
        outcome: Outcome::Returned { output: returned },
        fuel_used,
        ..signed
    };
    Bundle::new(receipt, opening, &keys().executor)
}

fn accusation(receipts: &[&Bundle]) -> ContradictionRequest {
    let receipts = receipts.iter().map(|bundle| (*bundle).clone()).collect();
    ContradictionRequest { format: Certificate::FORMAT.into(), receipts }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_executor_that_lies_is_found_out_and_stopped_without_an_operators_hand() {
    for rerun in [false, true] {
        for (output, more_fuel) in [(43, 0), (42, 1)] {
            let case = format!("run again: {rerun}, output {output}, {more_fuel} more fuel");
            let stage = Stage::without_sweep().await;
            stage.registry.register_executor().await.unwrap();
            let buyer = stage.buyer("payer", 1).await;
            let honest = double(&buyer, 21).await;
            let fuel_used = honest.verify(None).1.unwrap().fuel_used;
            let lying = lie(&honest, output, fuel_used + more_fuel);
            let certificate = if rerun { accusation(&[&lying]) } else { accusation(&[&honest, &lying]) };
            let did = stage.registry.executor().to_string();
            let standing = stage.get(&format!("/v1/executors/{did}")).await.json();
            assert_eq!(standing["quarantined"], false, "{case}");

            let accused = stage.post("/v1/contradictions", &certificate).await;
            assert_eq!(accused.status, 201, "{case}: {}", accused.text);
            let digest = accused.json()["certificate"].as_str().unwrap().to_owned();
            // Everybody can read the certificate, and check it for themselves.
            let file = stage.get(&format!("/v1/executors/{did}/contradictions/{digest}")).await;
            assert_eq!(Digest::of(&file.bytes).to_string(), digest);
            let read = Certificate::from_value(file.json()).unwrap();
            let (report, found) = read.verify();
            assert!(report.holds(), "{case}: {report:?}");
            assert_eq!(found.unwrap().executor, stage.registry.executor());
            // It is in the log, under the operator's key.
            let newest = stage.registry.checkpoint().size - 1;
            let (entry, _) = stage.store().prove_entry(newest).await.unwrap().unwrap();
            assert_eq!(serde_json::from_slice::<Entry>(&entry).unwrap().kind, Kind::Contradiction);

            let standing = stage.get(&format!("/v1/executors/{did}")).await.json();
            assert_eq!(standing["quarantined"], true, "{case}");
            // It runs nothing more, paid or free, and what was paid is free again.
            let payment = buyer.sign(&bench("double"), &json!({ "args": [5] }), "second").await;
            let refused = buyer.send(&bench("double"), &json!({ "args": [5] }), Some(&payment)).await;
            refused.assert_problem(503, "executor-quarantined");
            // Its receipts count no longer, the honest ones neither: nobody can tell which those are.
            let page = stage.post("/v1/verify", &honest).await.json();
            assert_eq!(page["holds"], false, "{case}: {page}");
            assert_eq!(honest.verify(None).0.level(), Some(Level::L0), "by itself it still holds");
            // Again, it is known already; and a restart forgets nothing.
            let again = stage.post("/v1/contradictions", &certificate).await;
            assert_eq!((again.status, &again.json()["new"]), (200, &json!(false)), "{case}");
            let stage = stage.reopen(Sweep::Off).await;
            let buyer = buyer.at(&stage);
            let refused = buyer.send(&bench("double"), &json!({ "args": [5] }), Some(&payment)).await;
            refused.assert_problem(503, "executor-quarantined");
            stage.assert_sound().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_did_not_lie_is_not_stopped() {
    let stage = Stage::without_sweep().await;
    let buyer = stage.buyer("payer", 1).await;
    let honest = double(&buyer, 21).await;
    let lying = lie(&honest, 43, honest.verify(None).1.unwrap().fuel_used);
    // Nobody is stopped here who was never registered here.
    let unknown = stage.post("/v1/contradictions", &accusation(&[&honest, &lying])).await;
    unknown.assert_problem(404, "executor-not-found");
    stage.registry.register_executor().await.unwrap();
    stage.registry.register_executor().await.unwrap();
    assert_eq!(stage.registry.checkpoint().size, 2, "registered once");
    for receipts in [vec![&honest], vec![&honest, &honest], vec![]] {
        let refused = stage.post("/v1/contradictions", &accusation(&receipts)).await;
        refused.assert_problem(422, "contradiction-refused");
    }
    let mut forged = lying.clone();
    forged.opening.output = Some(json!(44));
    let refused = stage.post("/v1/contradictions", &accusation(&[&honest, &forged])).await;
    refused.assert_problem(422, "contradiction-refused");
    // A call that names code which nobody has cannot be run again, by anybody.
    let signed = honest.receipt.verify::<Receipt>(&keys().executor.public()).unwrap().predicate;
    let elsewhere = Receipt { component: Digest::of("nowhere"), ..signed };
    let elsewhere = Bundle::new(elsewhere, honest.opening.clone(), &keys().executor);
    let refused = stage.post("/v1/contradictions", &accusation(&[&elsewhere])).await;
    refused.assert_problem(422, "contradiction-undecided");
    let did = stage.registry.executor();
    assert_eq!(stage.get(&format!("/v1/executors/{did}")).await.json()["quarantined"], false);
    assert_eq!(double(&buyer, 4).await.opening.output, Some(json!(8)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accusation_that_cannot_be_written_stops_the_executor_the_next_time() {
    for moment in [Moment::Before, Moment::After] {
        let stage = Stage::without_sweep().await;
        stage.registry.register_executor().await.unwrap();
        let buyer = stage.buyer("payer", 1).await;
        let honest = double(&buyer, 21).await;
        let certificate = accusation(&[&honest, &lie(&honest, 43, 1)]);
        stage.inject("log_of_executor", moment);
        assert_eq!(stage.post("/v1/contradictions", &certificate).await.status, 500);
        let again = stage.post("/v1/contradictions", &certificate).await;
        assert_eq!(again.status, if moment == Moment::Before { 201 } else { 200 }, "{}", again.text);
        let stage = stage.reopen(Sweep::Off).await;
        let did = stage.registry.executor();
        assert_eq!(stage.get(&format!("/v1/executors/{did}")).await.json()["quarantined"], true);
    }
}

/// Logs a receipt as a lying executor would: it is what the executor says, so its log has it.
async fn log_lie(stage: &Stage, lying: Bundle) -> Bundle {
    let executor = stage.registry.executor();
    let from = stage.store().waiting_receipts(&executor, 1).await.unwrap().from;
    let tree = BatchTree::of([digest(&lying)]);
    let batch = ReceiptBatch { executor, from, count: 1, root: tree.root() };
    let statement = batch.clone().sign(&keys().executor);
    let signature = statement.signatures[0].sig.clone();
    let index = stage.store().log_batch(batch, statement).await.unwrap().expect("none waits");
    stage.registry.reconcile().await;
    let (entry, proof) = stage.store().prove_entry(index).await.unwrap().expect("it is shown");
    let previous = serde_json::from_slice::<Entry>(&entry).unwrap().previous;
    let batch = Batch { from, count: 1, signature, previous, place: tree.place(0).unwrap() };
    let proof = Proof {
        batch,
        entry: Place { index, hashes: proof.hashes },
        terms: None,
        checkpoint: proof.checkpoint,
        keys: vec![stage.registry.log_verifier_key()],
    };
    let logged = Bundle { proof: Some(Box::new(proof)), ..lying };
    let report = logged.verify(None).0;
    assert_eq!(report.level(), Some(Level::L1), "nothing shows by itself that it is a lie: {report:?}");
    logged
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_believes_a_receipt_as_far_as_the_readers_policy_does() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    let honest = double(&buyer, 21).await;
    sweep(&stage).await;
    let witness = Cosigner::new("witness.example/w1", SecretKey::from_seed(&[9; 32])).unwrap();
    stage.registry.know_witnesses(vec![witness.key().clone()]);
    let asked = stage.registry.add_checkpoint(0).await.unwrap().unwrap();
    let line = witness.cosign(&asked.checkpoint, 1_795_305_600).unwrap();
    stage.registry.show_cosignatures(asked.checkpoint, vec![line]).await.unwrap();

    let shell = Shell::new(&stage.url);
    let path = |name: &str| shell.folder.path().join(name);
    std::fs::write(path("r.json"), serde_json::to_vec(&honest).unwrap()).unwrap();
    assert!(shell.run(&["receipt", "fetch", "r.json"]).status.success());
    let verify = |policy: &str| -> (bool, Value) {
        std::fs::write(path("policy"), policy).unwrap();
        let output = shell.run(&["verify", "r.json", "--log-policy", "policy", "--json"]);
        (output.status.success(), serde_json::from_slice(&output.stdout).unwrap())
    };
    let check = |said: &Value| {
        let checks = said["checks"].as_array().unwrap();
        checks.iter().find(|check| check["name"] == "log").unwrap_or_else(|| panic!("{said}")).clone()
    };
    let log = format!("log {}\n", stage.registry.log_verifier_key());
    let cosigned = format!("{log}witness w1 {}\nquorum w1\n", witness.key());
    for believed in [&format!("{log}quorum none\n"), &cosigned] {
        let (holds, said) = verify(believed);
        assert!(holds && said["level"] == "L1" && check(&said)["holds"] == true, "{said}");
    }
    let other = Cosigner::new("witness.example/w2", SecretKey::from_seed(&[8; 32])).unwrap();
    let strangers = LogKey::new("other.example", SecretKey::from_seed(&[7; 32])).unwrap();
    for (policy, why) in [
        (format!("{log}witness w2 {}\nquorum w2\n", other.key()), "no witness of the policy"),
        (format!("log {}\nquorum none\n", strangers.verifier_key()), "that the policy knows"),
    ] {
        let (holds, said) = verify(&policy);
        assert!(!holds && check(&said)["detail"].as_str().unwrap().contains(why), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_finds_a_lie_by_running_a_sample_again() {
    let stage = Stage::empty().await;
    stage.registry.register_executor().await.unwrap();
    stage.publish(&packages::downloadable("1.1.0", None)).await;
    let buyer = stage.buyer("payer", 1).await;
    let path = bench("double").replace("1.0.0", "1.1.0");
    let honest = buyer.pay(&path, json!([21]), "first").await.receipt().0;
    sweep(&stage).await;
    let shell = Shell::new(&stage.url);
    let write = |name: &str, bundle: &Bundle| {
        std::fs::create_dir_all(shell.folder.path().join("kept")).unwrap();
        let path = shell.folder.path().join("kept").join(name);
        std::fs::write(path, serde_json::to_vec(bundle).unwrap()).unwrap();
    };
    let told = |args: &[&str]| -> (bool, Value) {
        let output = shell.run(args);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let json = serde_json::from_str(&said);
        (output.status.success(), json.unwrap_or_else(|error| panic!("{args:?}: {error}: {said}{output:?}")))
    };
    write("honest.json", &honest);
    let (done, said) = told(&["receipt", "fetch", "kept/honest.json", "--json"]);
    assert!(done && said["level"] == "L1", "{said}");
    let (done, said) = told(&["verify", "kept/honest.json", "--replay", "--json"]);
    assert!(done && said["level"] == "L2", "{said}");
    let (done, said) = told(&["audit", "receipts", "kept", "--one-in", "1", "--out", "results", "--json"]);
    assert!(done && said["chosen"][0]["found"] == "same", "{said}");
    let result = std::fs::read(shell.folder.path().join("results/honest.svr.json")).unwrap();
    let result: Envelope = serde_json::from_slice(&result).unwrap();
    let signed = result.verify::<VerificationResult>(&result.claimed_key().unwrap()).unwrap();
    assert_eq!(signed.subject, [Subject::new("receipt", digest(&honest))]);
    assert_eq!(signed.predicate.properties, [LOGGED, REPLAYED, FUEL_EXACT, BILL_EXACT]);

    let lying = lie(&honest, 43, honest.verify(None).1.unwrap().fuel_used);
    write("lie.json", &log_lie(&stage, lying).await);
    let (done, _) = told(&["verify", "kept/lie.json", "--json"]);
    assert!(done, "nothing shows by itself that it is a lie");
    let audit = ["audit", "receipts", "kept", "--one-in", "1", "--out", "results", "--submit", "--json"];
    let (done, said) = told(&audit);
    assert!(!done && said["chosen"][1]["found"] == "different", "{said}");
    assert_eq!(said["chosen"][1]["submitted"], true);
    let did = stage.registry.executor();
    assert_eq!(stage.get(&format!("/v1/executors/{did}")).await.json()["quarantined"], true);
    // The certificate is enough for anybody who can get the component.
    let (proved, said) = told(&["verify", "results/lie.contradiction.json", "--json"]);
    assert!(proved && said["contradiction"] == true, "{said}");
    assert_eq!(said["executor"], did.to_string());
}

fn conformance() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

/// Runs the verifier that knows nothing but the protocol's page.
pub(crate) async fn stranger(args: &[&Path]) -> (bool, String) {
    let mut command = Command::new(if cfg!(windows) { "python" } else { "python3" });
    command.arg(conformance().join("verify.py")).args(args).stdin(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends").unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_verifier_agrees() {
    let (agrees, said) = stranger(&[Path::new("--vectors")]).await;
    assert!(agrees, "{said}");
    // Fresh from a registry: signed, then logged, then forged.
    let stage = Stage::without_sweep().await;
    let buyer = stage.buyer("payer", 1).await;
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bundle: &Bundle| {
        let path = folder.path().join(name);
        std::fs::write(&path, serde_json::to_vec(bundle).unwrap()).unwrap();
        path
    };
    let body = json!({ "args": [1_000], "fuel": 50_000_000 });
    let payment = buyer.sign(&bench("burn"), &body, "burn").await;
    let signed = buyer.send(&bench("burn"), &body, Some(&payment)).await.receipt().0;
    sweep(&stage).await;
    let logged = complete(&stage, &signed).await;
    let (agrees, said) = stranger(&[&write("signed.json", &signed), &write("logged.json", &logged)]).await;
    assert!(agrees, "{said}");
    let mut forged = logged.clone();
    forged.proof.as_mut().unwrap().batch.from += 1;
    let (agrees, said) = stranger(&[&write("forged.json", &forged)]).await;
    assert!(!agrees && said.contains("does not hold: inclusion"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logged_bundle_is_small() {
    let stage = Stage::without_sweep().await;
    let buyer = stage.buyer("payer", 1).await;
    let receipt = double(&buyer, 21).await;
    sweep(&stage).await;
    let mut logged = complete(&stage, &receipt).await;
    let terms = logged.proof.as_mut().unwrap().terms.take();
    let size = |json: serde_json::Result<Vec<u8>>| json.unwrap().len();
    let (whole, values) = (size(serde_json::to_vec(&logged)), size(serde_json::to_vec(&logged.opening)));
    let terms = size(serde_json::to_vec(&terms));
    assert!(whole - values < 5 * 1_024, "{whole} with {values} of values, and {terms} of the publisher's");
    assert!(matches!(stage.registry.prove_receipt(digest(&receipt)).await.unwrap(), ReceiptProof::Logged(_)));
}
