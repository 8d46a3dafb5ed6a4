//! Who may do what to a name: policies of namespaces, rotation, recovery, revocation, domains, look-alikes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use axum::{Json, Router, routing};
use glassbox_core::acts::{
    Act, Delay, KeyRevocation, NamespacePolicy, PolicyCancellation, Quarantine, TermsChange, Threshold, Yank,
};
use glassbox_core::dsse::Envelope;
use glassbox_core::hashed::Document as _;
use glassbox_core::key::SecretKey;
use glassbox_core::manifest::Terms;
use glassbox_core::{Namespace, limits};
use glassbox_registry::{Package, PackageFiles};
use glassbox_store::Moment;
use serde_json::{Value, json};

use crate::buyer::Reply;
use crate::packages::{self, bench, publisher};
use crate::stage::{Stage, Sweep, keys};

const HOUR: Duration = Duration::from_secs(3_600);

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn namespace(name: &str) -> Namespace {
    name.parse().unwrap()
}

/// Signs an act with every key.
pub(crate) fn signed<A: Act>(act: A, keys: &[&SecretKey]) -> Envelope {
    let mut envelope = act.sign(keys[0]);
    keys.iter().for_each(|key| envelope.add_signature(key).unwrap());
    envelope
}

/// Sends an act.
pub(crate) async fn act(stage: &Stage, path: &str, statement: Envelope) -> Reply {
    stage.post(path, &json!({ "statement": statement })).await
}

async fn log_size(stage: &Stage) -> u64 {
    stage.store().log_state().await.unwrap().unwrap().size
}

/// The next policy of `lab`: two more controllers, two of three to change keys and to publish, delays, recovery keys.
fn policy(sequence: u64) -> NamespacePolicy {
    NamespacePolicy {
        controllers: [publisher(), key(21), key(22)].iter().map(SecretKey::public).collect(),
        threshold: Threshold { publish: 2, price: 1, yank: 1, rotate: 2, recover: 2 },
        recovery: [key(31), key(32)].iter().map(SecretKey::public).collect(),
        delay: Delay { rotate_hours: 72, recover_hours: 336 },
        sequence,
        ..NamespacePolicy::of_one_key(namespace("lab"), publisher().public())
    }
}

/// A registry with `lab:bench@1.0.0`, whose namespace has that policy.
async fn stage() -> Stage {
    let stage = Stage::without_sweep().await;
    let reply = act(&stage, "/v1/namespaces/lab/policy", policy(1).sign(&publisher())).await;
    assert_eq!((reply.status, &reply.json()["new"]), (201, &json!(true)), "{}", reply.text);
    stage
}

/// Signs a package with every key; the first is accountable.
fn statement(package: &PackageFiles, keys: &[&SecretKey]) -> Envelope {
    let mut release = Package::check(package.clone()).unwrap().statement();
    release.authorship.accountable = Some(keys[0].public());
    let mut envelope = release.sign(keys[0]);
    keys.iter().for_each(|key| envelope.add_signature(key).unwrap());
    envelope
}

async fn publish(stage: &Stage, version: &str, keys: &[&SecretKey]) -> Reply {
    let package = bench(version);
    stage.post("/v1/publish", &packages::request(&package, statement(&package, keys))).await
}

async fn shown(stage: &Stage) -> Value {
    stage.get("/v1/namespaces/lab").await.json()
}

async fn runs(stage: &Stage, version: &str) -> bool {
    let path = format!("/v1/call/lab/bench/{version}/gift");
    stage.post(&path, &json!({ "args": [1] })).await.status == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_takes_the_threshold_of_its_namespace() {
    let stage = stage().await;
    let (own, second, stranger) = (publisher(), key(21), key(99));
    publish(&stage, "1.1.0", &[&own]).await.assert_problem(403, "threshold-missed");
    publish(&stage, "1.1.0", &[&own, &stranger]).await.assert_problem(403, "threshold-missed");
    publish(&stage, "1.1.0", &[&stranger]).await.assert_problem(403, "namespace-taken");
    publish(&stage, "1.1.0", &[&stranger, &own, &second]).await.assert_problem(403, "namespace-taken");

    // Several signatures need one key that answers, and each must hold.
    let package = bench("1.1.0");
    let mut nobody = packages::sign(&package, &own);
    nobody.add_signature(&second).unwrap();
    let reply = stage.post("/v1/publish", &packages::request(&package, nobody)).await;
    reply.assert_problem(422, "statement-invalid");
    let mut broken = statement(&package, &[&own, &second]);
    broken.signatures[1].sig = broken.signatures[0].sig.clone();
    let reply = stage.post("/v1/publish", &packages::request(&package, broken)).await;
    reply.assert_problem(422, "statement-invalid");

    let reply = publish(&stage, "1.1.0", &[&own, &second]).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let entry: Value = serde_json::from_str(reply.json()["entry"].as_str().unwrap()).unwrap();
    assert_eq!(entry["statement"]["signatures"].as_array().unwrap().len(), 2);
    let release = stage.get("/v1/packages/lab/bench/1.1.0").await.json();
    assert_eq!(release["authorship"]["accountable"], own.public().to_string());
    assert!(runs(&stage, "1.1.0").await && runs(&stage, "1.0.0").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_is_seen_first_and_the_stolen_old_key_is_refused_after() {
    let stage = stage().await;
    let (own, second, new) = (publisher(), key(21), key(23));
    let mut next = policy(2);
    next.controllers[0] = new.public();
    let path = "/v1/namespaces/lab/policy";
    act(&stage, path, next.clone().sign(&own)).await.assert_problem(403, "threshold-missed");
    let reply = act(&stage, path, signed(next.clone(), &[&own, &second])).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let waiting = shown(&stage).await;
    assert_eq!(waiting["pending"]["change"]["by"], "controllers");
    assert_eq!(waiting["pending"]["effective_at"], "2027-01-18T08:00:00Z");
    let third = signed(NamespacePolicy { sequence: 3, ..next }, &[&own, &second]);
    act(&stage, path, third).await.assert_problem(409, "policy-pending");

    stage.world.advance(71 * HOUR);
    assert_eq!(publish(&stage, "1.1.0", &[&own, &second]).await.status, 201);
    stage.world.advance(HOUR);
    assert_eq!(shown(&stage).await["policy"]["controllers"][0], new.public().to_string());
    // Whoever has the old key has nothing: not alone, and not as one of two.
    publish(&stage, "1.2.0", &[&own]).await.assert_problem(403, "namespace-taken");
    publish(&stage, "1.2.0", &[&own, &second]).await.assert_problem(403, "namespace-taken");
    publish(&stage, "1.2.0", &[&second, &own]).await.assert_problem(403, "threshold-missed");
    let mut stolen = policy(3);
    stolen.controllers = vec![own.public()];
    stolen.threshold = Threshold { publish: 1, rotate: 1, ..stolen.threshold };
    act(&stage, path, signed(stolen, &[&own, &second])).await.assert_problem(403, "threshold-missed");
    assert_eq!(publish(&stage, "1.2.0", &[&new, &second]).await.status, 201);
    // What it signed before stays, also after a restart.
    let stage = stage.reopen(Sweep::Off).await;
    assert!(runs(&stage, "1.0.0").await && runs(&stage, "1.1.0").await);
    publish(&stage, "1.3.0", &[&own, &second]).await.assert_problem(403, "namespace-taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_is_seen_for_its_delay_and_the_controllers_cancel_it() {
    let stage = stage().await;
    let (own, second) = (publisher(), key(21));
    let taken =
        NamespacePolicy { controllers: [41, 42, 43].map(|seed| key(seed).public()).into(), ..policy(2) };
    let path = "/v1/namespaces/lab/policy";
    act(&stage, path, signed(taken.clone(), &[&key(31)])).await.assert_problem(403, "threshold-missed");
    let change = signed(taken.clone(), &[&key(31), &key(32)]);
    let logged = act(&stage, path, change.clone()).await;
    assert_eq!(logged.status, 201, "{}", logged.text);
    // It is in the log for every monitor to see, and says when.
    let waiting = shown(&stage).await;
    assert_eq!(waiting["pending"]["change"]["by"], "recovery");
    assert_eq!(waiting["pending"]["effective_at"], "2027-01-29T08:00:00Z");

    let cancellation = PolicyCancellation {
        namespace: namespace("lab"),
        change: change.payload_digest().unwrap(),
        reason: "it was not us".into(),
    };
    let cancel = "/v1/namespaces/lab/cancel";
    let by_recovery = signed(cancellation.clone(), &[&key(31), &key(32)]);
    act(&stage, cancel, by_recovery).await.assert_problem(403, "threshold-missed");
    let other = PolicyCancellation { change: glassbox_core::Digest::of("another"), ..cancellation.clone() };
    act(&stage, cancel, signed(other, &[&own, &second])).await.assert_problem(409, "policy-not-pending");
    let cancelled = signed(cancellation, &[&own, &second]);
    assert_eq!(act(&stage, cancel, cancelled.clone()).await.status, 201);
    assert!(shown(&stage).await.get("pending").is_none());
    // Sent again, neither does anything.
    for (path, statement) in [(cancel, cancelled), (path, change)] {
        let again = act(&stage, path, statement).await;
        assert_eq!((again.status, &again.json()["new"]), (200, &json!(false)), "{}", again.text);
    }
    stage.world.advance(400 * HOUR);
    assert!(shown(&stage).await.get("pending").is_none());
    assert_eq!(publish(&stage, "1.1.0", &[&own, &second]).await.status, 201);

    // Left alone, one takes effect: the keys were lost.
    let recovered = signed(NamespacePolicy { sequence: 3, ..taken }, &[&key(31), &key(32)]);
    assert_eq!(act(&stage, path, recovered).await.status, 201);
    stage.world.advance(336 * HOUR);
    publish(&stage, "1.2.0", &[&own, &second]).await.assert_problem(403, "namespace-taken");
    assert_eq!(publish(&stage, "1.2.0", &[&key(41), &key(42)]).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_counts_no_longer_and_its_releases_stay() {
    let stage = stage().await;
    let (own, second, third) = (publisher(), key(21), key(22));
    let revocation = |key: &SecretKey| KeyRevocation {
        namespace: namespace("lab"),
        key: key.public(),
        reason: "the laptop was stolen".into(),
    };
    let path = "/v1/namespaces/lab/revocations";
    act(&stage, path, revocation(&own).sign(&second)).await.assert_problem(403, "threshold-missed");
    act(&stage, path, revocation(&key(99)).sign(&key(99))).await.assert_problem(422, "key-not-found");
    let elsewhere = act(&stage, "/v1/namespaces/docs/revocations", revocation(&own).sign(&own)).await;
    elsewhere.assert_problem(422, "statement-differs");
    let index = log_size(&stage).await;
    let reply = act(&stage, path, signed(revocation(&own), &[&second, &third])).await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    let revoked = &shown(&stage).await["revoked"][0];
    assert_eq!((&revoked["key"], &revoked["index"]), (&json!(own.public()), &json!(index)));
    publish(&stage, "1.1.0", &[&own, &second]).await.assert_problem(403, "namespace-taken");
    publish(&stage, "1.1.0", &[&second, &own]).await.assert_problem(403, "threshold-missed");
    assert_eq!(publish(&stage, "1.1.0", &[&second, &third]).await.status, 201);
    assert!(runs(&stage, "1.0.0").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_can_do_nothing_but_quarantine() {
    let stage = stage().await;
    let (own, operator) = (publisher(), keys().operator);
    assert_eq!(stage.get("/v1/registry").await.json()["operator"], operator.public().to_string());
    let refused = async |path: &str, statement: Envelope| {
        act(&stage, path, statement).await.assert_problem(403, "operator-key");
    };
    let free = NamespacePolicy::of_one_key(namespace("free"), operator.public());
    refused("/v1/namespaces/free/policy", free.clone().sign(&operator)).await;
    refused("/v1/namespaces/lab/policy", policy(2).sign(&operator)).await;
    refused("/v1/namespaces/lab/policy", signed(policy(2), &[&own, &key(21), &operator])).await;
    // Nor can others make it one of their keys.
    let mut named = policy(2);
    named.recovery.push(operator.public());
    refused("/v1/namespaces/lab/policy", signed(named, &[&own, &key(21)])).await;
    let reason = || "because".to_owned();
    let change = glassbox_core::Digest::of("any");
    let cancellation = PolicyCancellation { namespace: namespace("lab"), change, reason: reason() };
    refused("/v1/namespaces/lab/cancel", cancellation.sign(&operator)).await;
    let revocation = KeyRevocation { namespace: namespace("lab"), key: own.public(), reason: reason() };
    refused("/v1/namespaces/lab/revocations", revocation.sign(&operator)).await;
    let release = "lab:bench@1.0.0".parse().unwrap();
    let yank = Yank { release, yanked: true, reason: reason(), sequence: 1 };
    refused("/v1/packages/lab/bench/1.0.0/yank", yank.clone().sign(&operator)).await;
    publish(&stage, "1.1.0", &[&operator]).await.assert_problem(403, "operator-key");
    publish(&stage, "1.1.0", &[&own, &key(21), &operator]).await.assert_problem(403, "operator-key");

    // And nobody else can quarantine, alone or with it.
    let quarantine =
        Quarantine { release: yank.release.clone(), quarantined: true, reason: reason(), sequence: 1 };
    for statement in
        [quarantine.clone().sign(&own), signed(quarantine, &[&operator, &own]), yank.sign(&operator)]
    {
        let code = act(&stage, "/v1/packages/lab/bench/1.0.0/quarantine", statement).await.code();
        assert!(["operator-only", "statement-invalid"].contains(&code.as_str()), "{code}");
    }
    assert_eq!(log_size(&stage).await, 2, "a release and a policy");
    assert!(runs(&stage, "1.0.0").await);
}

/// Domains on this machine: what each says, or nothing.
struct Domains {
    url: String,
    says: Arc<Mutex<Result<Value, StatusCode>>>,
}

impl Domains {
    async fn new() -> Self {
        let says = Arc::new(Mutex::new(Err(StatusCode::NOT_FOUND)));
        let answer = async |State(says): State<Arc<Mutex<Result<Value, StatusCode>>>>| match says
            .lock()
            .unwrap()
            .clone()
        {
            Ok(value) => Json(value).into_response(),
            Err(status) => status.into_response(),
        };
        let app = Router::new().route("/acme.example", routing::get(answer)).with_state(says.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, says }
    }

    fn say(&self, says: Result<Value, StatusCode>) {
        *self.says.lock().unwrap() = says;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_vouches_and_when_it_lapses_keys_are_frozen_and_releases_work() {
    let domains = Domains::new().await;
    let stage = Stage::with_domains(&domains.url).await;
    let own = publisher();
    let vouches = json!({ "namespaces": { "lab": [own.public()] } });
    stage.publish(&bench("1.0.0")).await;
    stage.post("/v1/namespaces/lab/proof", &json!({})).await.assert_problem(422, "domain-not-named");
    let path = "/v1/namespaces/lab/policy";
    let with_domain = NamespacePolicy {
        domain: Some("acme.example".into()),
        sequence: 1,
        ..NamespacePolicy::of_one_key(namespace("lab"), own.public())
    };
    assert_eq!(act(&stage, path, with_domain.clone().sign(&own)).await.status, 201);

    let prove = async || {
        stage.world.advance(Duration::from_secs(61));
        stage.post("/v1/namespaces/lab/proof", &json!({})).await
    };
    assert!(prove().await.json().get("proof").is_none(), "what never held is not logged");
    domains.say(Err(StatusCode::BAD_GATEWAY));
    prove().await.assert_problem(503, "domain-silent");
    domains.say(Ok(vouches.clone()));
    let size = log_size(&stage).await;
    let proved = prove().await.json();
    assert_eq!((&proved["proof"]["holds"], &proved["frozen"]), (&json!(true), &json!(false)));
    assert_eq!(log_size(&stage).await, size + 1, "what was seen is logged");
    // The same again is no news, and a domain that does not answer has said nothing.
    prove().await;
    domains.say(Err(StatusCode::BAD_GATEWAY));
    prove().await.assert_problem(503, "domain-silent");
    assert_eq!(log_size(&stage).await, size + 1);

    // Somebody else has the domain now; the sweep finds out.
    domains.say(Ok(json!({ "namespaces": { "lab": [key(66).public()] } })));
    stage.registry.prove_domains().await;
    assert_eq!(shown(&stage).await["frozen"], false, "asked a minute ago, not a day");
    stage.world.advance(25 * HOUR);
    stage.registry.prove_domains().await;
    assert_eq!(shown(&stage).await["frozen"], true);
    let change = NamespacePolicy { controllers: vec![key(66).public()], sequence: 2, ..with_domain };
    act(&stage, path, change.clone().sign(&own)).await.assert_problem(403, "namespace-frozen");
    assert!(runs(&stage, "1.0.0").await);
    stage.publish(&bench("1.1.0")).await;

    // Where it was noted that the domain is asked, it is not asked at once again; where it was not, it is.
    domains.say(Ok(vouches));
    for (moment, frozen) in [(Moment::After, true), (Moment::Before, false)] {
        stage.world.advance(Duration::from_secs(61));
        let ask = async || stage.post("/v1/namespaces/lab/proof", &json!({})).await;
        let asked = stage.ask_twice("note_domain_asked", moment, ask).await.json();
        assert_eq!(asked["frozen"], frozen, "{moment:?}: {asked}");
    }
    assert_eq!(act(&stage, path, change.sign(&own)).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_could_be_taken_for_another_is_refused() {
    let stage = Stage::empty().await;
    let claim = async |name: &str, key: &SecretKey| {
        let policy = NamespacePolicy::of_one_key(namespace(name), key.public());
        act(&stage, &format!("/v1/namespaces/{name}/policy"), policy.sign(key)).await
    };
    let (ana, eve) = (key(11), key(12));
    for name in ["paypal", "modern", "left-pad"] {
        assert_eq!(claim(name, &ana).await.status, 201);
    }
    for name in ["paypa1", "modem", "leftpad", "pay-pa1"] {
        claim(name, &eve).await.assert_problem(403, "namespace-confusable");
    }
    assert_eq!(claim("leftpad", &ana).await.status, 201, "its own look-alike is nobody's harm");
    stage.get("/v1/namespaces/leftpads").await.assert_problem(404, "namespace-not-found");

    // The own namespace of a key needs nobody, and is nobody else's.
    let own = Namespace::of_key(&ana.public());
    claim(own.as_str(), &eve).await.assert_problem(403, "namespace-taken");
    assert_eq!(claim(own.as_str(), &ana).await.status, 201);
    // A policy is claimed by the keys that it takes to change it.
    let two = NamespacePolicy {
        controllers: vec![ana.public(), eve.public()],
        threshold: Threshold { publish: 1, price: 1, yank: 1, rotate: 2, recover: 1 },
        ..NamespacePolicy::of_one_key(namespace("both"), ana.public())
    };
    let path = "/v1/namespaces/both/policy";
    act(&stage, path, two.clone().sign(&ana)).await.assert_problem(403, "threshold-missed");
    assert_eq!(act(&stage, path, signed(two, &[&ana, &eve])).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_acts_ends_at_so_many_a_minute() {
    let stage = Stage::empty().await;
    let own = publisher();
    let path = "/v1/namespaces/lab/policy";
    for sequence in 0..limits::ACTS_PER_MINUTE_MAX {
        let sequence = u64::from(sequence);
        let policy =
            NamespacePolicy { sequence, ..NamespacePolicy::of_one_key(namespace("lab"), own.public()) };
        assert_eq!(act(&stage, path, policy.sign(&own)).await.status, 201);
    }
    let sequence = u64::from(limits::ACTS_PER_MINUTE_MAX);
    let next = NamespacePolicy { sequence, ..NamespacePolicy::of_one_key(namespace("lab"), own.public()) };
    act(&stage, path, next.clone().sign(&own)).await.assert_problem(503, "busy");
    stage.world.advance(Duration::from_secs(60));
    assert_eq!(act(&stage, path, next.sign(&own)).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_whose_write_fails_is_done_once_when_it_is_sent_again() {
    for moment in [Moment::Before, Moment::After] {
        let stage = Stage::without_sweep().await;
        let own = publisher();
        let release: glassbox_core::ReleaseId = "lab:bench@1.0.0".parse().unwrap();
        let yank = Yank { release: release.clone(), yanked: true, reason: "broken".into(), sequence: 1 };
        let quarantine = Quarantine { release, quarantined: true, reason: "harmful".into(), sequence: 1 };
        let published = Package::check(bench("1.0.0")).unwrap();
        let (own_terms, mut free) = (Terms::of(&published.manifest), Terms::of(&published.manifest));
        free.price.clear();
        let change = TermsChange::new(&published.statement(), own_terms.compute_digest(), free);
        for (verb, path, statement) in [
            ("change_namespace", "/v1/namespaces/lab/policy", policy(1).sign(&own)),
            ("change_terms", "/v1/packages/lab/bench/1.0.0/terms", change.sign(&own)),
            ("mark_release", "/v1/packages/lab/bench/1.0.0/yank", yank.sign(&own)),
            ("mark_release", "/v1/packages/lab/bench/1.0.0/quarantine", quarantine.sign(&keys().operator)),
        ] {
            let size = log_size(&stage).await;
            stage.inject(verb, moment);
            let failed = act(&stage, path, statement.clone()).await;
            assert_eq!((failed.status, failed.code().as_str()), (500, "internal"), "{path} {moment:?}");
            if path.ends_with("quarantine") {
                // It counts from when it was written, whatever its sender was told.
                assert_eq!(runs(&stage, "1.0.0").await, moment == Moment::Before);
            }
            let again = act(&stage, path, statement).await;
            assert_eq!(again.json()["new"], moment == Moment::Before, "{path} {moment:?}: {}", again.text);
            assert_eq!(log_size(&stage).await, size + 1, "{path} {moment:?}");
        }
        assert_eq!(stage.store().faults_waiting(), 0);
        assert!(!runs(&stage, "1.0.0").await);
    }
}
