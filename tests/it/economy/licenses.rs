//! Plans, offers and grants: bought or proved once, and found by every call that their holder pays for.

use std::time::Duration;

use glassbox_core::acts::{Act as _, TermsChange};
use glassbox_core::dsse::Envelope;
use glassbox_core::hashed::Document as _;
use glassbox_core::key::SecretKey;
use glassbox_core::license::{Item, License};
use glassbox_core::manifest::{Manifest, Terms};
use glassbox_core::{Atomic, Digest};
use glassbox_pay::x402;
use glassbox_registry::{Package, PackageFiles};
use glassbox_store::Moment;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Customer, PAYEE, earned, goods, net, priced, stage_with};
use crate::packages::{one_file, publisher};
use crate::stage::{MOMENTS, Stage, keys};

const LICENSES: &str = "/v1/packages/shop/goods/1.0.0/licenses";

const TEAM: &str = "[[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.01\"\n\
    [[plan]]\nid = \"team\"\namount = \"2\"\nunit = \"seat\"\nincludes = [\"execute:*\"]\n\
    quota = { calls = 1 }\n";

fn license(reply: &Value) -> License {
    let envelope: Envelope = serde_json::from_value(reply["license"].clone()).unwrap();
    License::open(&envelope).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_includes_what_its_seats_reach_for() {
    let stage = stage_with(&priced(TEAM)).await;
    let (ana, ben) = (Customer::with(&stage, "ana", "10").await, Customer::with(&stage, "ben", "10").await);
    assert_eq!(ana.pays("double", 1).await, 10_000);
    let bought =
        ana.post(LICENSES, &json!({ "item": "plan:team", "units": 2, "licensee": "Example Ltd" })).await;
    assert_eq!(bought.status, 200, "{}", bought.text);
    let held = license(&bought.json());
    assert_eq!((held.holder.as_str(), held.units, held.amount), (ana.account.as_str(), 2, Atomic(4_000_000)));
    assert_eq!(held.issuer, keys().executor.public());
    assert_eq!(earned(&stage).await, net(4_010_000), "a plan is split like a call");
    // Two seats, one call each; then calls cost what they cost everybody, who paid for no plan from the start.
    for (n, cost) in [(2, 0), (3, 0), (4, 10_000)] {
        assert_eq!(ana.pays("double", n).await, cost, "call {n}");
    }
    let reply = ana.call("double", 5).await;
    assert_eq!(reply.receipt().1.account.plans[0].seats, 2);
    assert_eq!(ben.pays("double", 2).await, 10_000);
    // A month after it was bought it is over, whatever of it is left.
    stage.world.advance(Duration::from_secs(32 * 24 * 3_600));
    assert_eq!(ana.pays("double", 6).await, 10_000);
    stage.assert_sound().await;
    // Earnings say what kind of payer it was, and not who: of the two who pay by credit, one had a plan for a while.
    let classes = stage.get("/v1/earnings?by=payer&receiver=acct:ana@shop.example").await.json();
    let row = |at: usize| {
        let row = &classes["earnings"][at];
        (row["payer"].as_str().unwrap(), row["calls"].as_u64().unwrap(), row["pico"].as_str().unwrap())
    };
    let (credit, licensed) = (net(20_000).to_string(), net(4_030_000).to_string());
    assert_eq!((row(0), row(1)), (("credit", 2, credit.as_str()), ("licensed", 4, licensed.as_str())));
    assert!(!classes.to_string().contains(&ana.account) && !classes.to_string().contains(&ben.account));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_bought_beside_a_plan_takes_nothing_from_it() {
    let beside = "[[price]]\nid = \"rows\"\nexport = \"rows\"\nunit = \"event:row\"\namount = \"0.03\"\nmax-per-call = \"0.3\"\n\
        [[plan]]\nid = \"gold\"\non = \"support\"\namount = \"1\"\nsla = { uptime = \"99.9\", credit = 2500 }\n";
    let each = TEAM.replace("unit = \"call\"", "export = \"double\"\nunit = \"call\"");
    let stage = stage_with(&priced(&format!("{each}{beside}").replace("execute:*", "execute:each"))).await;
    let ana = Customer::with(&stage, "ana", "20").await;
    for (item, units) in [("plan:team", 1), ("plan:gold", 1), ("plan:team", 2)] {
        assert_eq!(ana.post(LICENSES, &json!({ "item": item, "units": units })).await.status, 200, "{item}");
        stage.world.advance(Duration::from_secs(60));
    }
    // Calls that the plan does not include are not of its quota; the seats of both purchases are.
    assert_eq!(ana.pays("rows", 1).await, 30_000);
    for (n, cost) in [(1, 0), (2, 0), (3, 0), (4, 10_000)] {
        assert_eq!(ana.pays("double", n).await, cost, "call {n}");
    }
    stage.assert_sound().await;
}

const CORE: &str = "[edition.ce]\nexports = [\"double\"]\n\
    [edition.ee]\nexports = [\"rows\", \"boom\"]\nrequires = \"plan:team\"\n\
    [[plan]]\nid = \"team\"\namount = \"2\"\nunit = \"seat\"\nincludes = [\"edition:ee\", \"execute:boom\"]\n\
    [[price]]\nid = \"boom\"\nexport = \"boom\"\nunit = \"call\"\namount = \"0.01\"\n\
    free = { quantity = 5, scope = \"anonymous\" }\n\
    [[price]]\nid = \"row\"\nexport = \"rows\"\nunit = \"event:row\"\namount = \"0.001\"\nmax-per-call = \"0.1\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn an_edition_opens_to_whoever_has_its_plan() {
    let stage = stage_with(&priced(CORE)).await;
    let call = |function: &str| super::path(function);
    let free = stage.post(&call("double"), &json!({ "args": [4] })).await;
    assert_eq!(free.output(), json!(8), "the core is free for everybody");
    // Neither a stranger nor a payer calls the rest; what is free for everybody is so for those whom it is open to.
    stage.post(&call("rows"), &json!({ "args": [4] })).await.assert_problem(402, "payment-required");
    stage.post(&call("boom"), &json!({ "args": [4] })).await.assert_problem(403, "license-required");
    let ana = Customer::with(&stage, "ana", "5").await;
    for function in ["rows", "boom"] {
        let refused = ana.call(function, 4).await.assert_problem(403, "license-required");
        assert!(refused["detail"].as_str().unwrap().contains("plan:team"), "{refused}");
    }
    assert_eq!(earned(&stage).await, 0);
    assert_eq!(ana.post(LICENSES, &json!({ "item": "plan:team" })).await.status, 200);
    assert_eq!(ana.pays("rows", 4).await, 4_000, "the plan opens it, and does not include its rows");
    let included = ana.call("boom", 4).await.assert_problem(422, "guest-failed");
    assert_eq!(included["charged"], "0", "{included}");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_for_sale_is_refused_by_name() {
    let stage = stage_with(&priced(TEAM)).await;
    let ana = Customer::with(&stage, "ana", "1").await;
    for (body, status, code) in [
        (json!({ "item": "plan:other" }), 422, "license-not-sold"),
        (json!({ "item": "offer:team" }), 422, "license-not-sold"),
        (json!({ "item": "grant:team" }), 422, "license-not-sold"),
        (json!({ "item": "team" }), 400, "license-invalid"),
        (json!({ "item": "plan:team", "units": 0 }), 400, "license-invalid"),
        (json!({ "item": "plan:team", "licensee": "" }), 400, "license-invalid"),
        (json!({ "item": "plan:team", "units": 1 }), 402, "credit-short"),
    ] {
        ana.post(LICENSES, &body).await.assert_problem(status, code);
    }
    stage.post(LICENSES, &json!({ "item": "plan:team" })).await.assert_problem(402, "payment-required");
    assert_eq!(earned(&stage).await, 0);
    stage.assert_sound().await;
}

/// Makes the dual-licensed package.
fn dual() -> PackageFiles {
    let rest = format!(
        "[source]\npath = \"src/\"\nmachines = \"free\"\n\
         [[offer]]\nid = \"gpl\"\ngrants = \"GPL-3.0-only\"\namount = \"0\"\n\
         [[offer]]\nid = \"commercial\"\ngrants = \"LicenseRef-Shop\"\non = \"download\"\nunit = \"copy\"\n\
         amount = \"49\"\nscope = \"organisation\"\nterm = \"P1Y\"\nupdates = \"P1Y\"\n{PAYEE}"
    );
    let files = goods("GPL-3.0-only OR LicenseRef-Shop", "execute = [\"remote\", \"local\"]", &rest);
    PackageFiles { source: Some(one_file("lib.wat", "(component)")), ..files }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_licence_is_bought_and_verified_offline() {
    let package = dual();
    let stage = stage_with(&package).await;
    let buyer = stage.buyer("company", 60).await;
    let body = json!({ "item": "offer:commercial", "licensee": "Example Ltd" });
    let asked = buyer.send(LICENSES, &body, None).await;
    asked.assert_problem(402, "payment-required");
    let payment = x402::encode(&buyer.answer(&asked.required(), "commercial"));
    let bought = buyer.send(LICENSES, &body, Some(&payment)).await;
    assert_eq!(bought.status, 200, "{}", bought.text);
    assert!(bought.settlement().success);
    let held = license(&bought.json());
    assert_eq!(held.component, Digest::of(&package.component));
    assert_eq!(held.terms, Terms::of(&Manifest::parse(&package.manifest).unwrap()).compute_digest());
    assert_eq!(
        (held.grants.as_deref(), held.licensee.as_deref()),
        (Some("LicenseRef-Shop"), Some("Example Ltd"))
    );
    assert_eq!(earned(&stage).await, net(49_000_000));
    // The same payment again is the same licence; for something else it is none.
    assert_eq!(license(&buyer.send(LICENSES, &body, Some(&payment)).await.json()), held);
    let other = json!({ "item": "offer:commercial", "units": 2 });
    buyer.send(LICENSES, &other, Some(&payment)).await.assert_problem(409, "payment-bound");
    // The free licence is anybody's, and nobody is paid.
    let gpl = stage.post(LICENSES, &json!({ "item": "offer:gpl" })).await.json();
    assert_eq!((license(&gpl).grants.as_deref(), license(&gpl).until), (Some("GPL-3.0-only"), None));
    assert_eq!(earned(&stage).await, net(49_000_000));
    // A changed licence is none.
    let mut forged: Envelope = serde_json::from_value(bought.json()["license"].clone()).unwrap();
    forged.payload = forged.payload.replacen('e', "f", 1);
    assert!(License::open(&forged).is_err());
    stage.assert_sound().await;
}

const FOLD: &str = "[[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.01\"\n\
    [[grant]]\nid = \"academic\"\nprices = [\"each\"]\npercent-off = 75\nquota = { calls = 2 }\nproof = \"license-token\"\n";

/// Signs a grant for somebody.
fn grant(
    stage: &Stage,
    package: &PackageFiles,
    id: &str,
    holder: &str,
    key: &SecretKey,
    days: i64,
) -> Envelope {
    let now = Timestamp::from_second(stage.world.now_s() as i64).unwrap();
    let license = License {
        id: "g".into(),
        release: "shop:goods@1.0.0".parse().unwrap(),
        terms: Terms::of(&Manifest::parse(&package.manifest).unwrap()).compute_digest(),
        component: Digest::of(&package.component),
        item: Item::Grant(id.into()),
        grants: None,
        holder: holder.into(),
        licensee: None,
        units: 1,
        from: now,
        until: Some(now + jiff::SignedDuration::from_hours(24 * days)),
        updates_until: None,
        amount: Atomic(0),
        issuer: key.public(),
    };
    license.sign(key)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_for_whom_the_publisher_names() {
    let package = priced(FOLD);
    let stage = stage_with(&package).await;
    let (ana, ben) = (Customer::with(&stage, "ana", "1").await, Customer::with(&stage, "ben", "1").await);
    let hand_in =
        async |envelope: &Envelope| stage.post("/v1/licenses", &json!({ "license": envelope })).await;
    let stranger = SecretKey::from_seed(&[99; 32]);
    let sign = |id: &str, key: &SecretKey, days| grant(&stage, &package, id, &ana.account, key, days);
    hand_in(&sign("academic", &stranger, 30)).await.assert_problem(403, "license-refused");
    hand_in(&sign("academic", &publisher(), 0)).await.assert_problem(403, "license-refused");
    hand_in(&sign("other", &publisher(), 30)).await.assert_problem(422, "license-not-sold");
    assert_eq!(ana.pays("double", 1).await, 10_000);

    let good = sign("academic", &publisher(), 30);
    assert_eq!((hand_in(&good).await.status, hand_in(&good).await.status), (201, 200));
    // A quarter of the price, as far as the month's quota goes.
    for (n, cost) in [(2, 2_500), (3, 2_500), (4, 10_000)] {
        assert_eq!(ana.pays("double", n).await, cost, "call {n}");
    }
    assert_eq!(ben.pays("double", 2).await, 10_000, "a grant is its holder's");
    stage.world.advance(Duration::from_secs(31 * 24 * 3_600));
    assert_eq!(ana.pays("double", 5).await, 10_000, "and ends");
    assert_eq!(earned(&stage).await, net(10_000 * 4 + 5_000));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_for_an_address_however_it_is_written() {
    let package = priced(FOLD);
    let stage = stage_with(&package).await;
    let buyer = stage.buyer("cy", 1).await;
    let address = crate::stage::wallet("cy").address().to_string();
    assert_ne!(address, address.to_ascii_lowercase());
    let good = grant(&stage, &package, "academic", &address.to_ascii_lowercase(), &publisher(), 30);
    assert_eq!(stage.post("/v1/licenses", &json!({ "license": good })).await.status, 201);
    let reply = super::pays_by_wallet(&buyer, "double", 1, "first").await;
    assert_eq!(reply.receipt().1.charge.amount.0, 2_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_that_cannot_be_written_down_is_handed_in_again() {
    for moment in MOMENTS {
        let package = priced(FOLD);
        let stage = stage_with(&package).await;
        let ana = Customer::with(&stage, "ana", "1").await;
        let good = grant(&stage, &package, "academic", &ana.account, &publisher(), 30);
        let hand_in = async || stage.post("/v1/licenses", &json!({ "license": good })).await;
        let kept = stage.ask_twice("keep_license", moment, hand_in).await;
        assert_eq!(kept.status, if moment == Moment::After { 200 } else { 201 }, "{}", kept.text);
        for (n, cost) in [(1, 2_500), (2, 2_500), (3, 10_000)] {
            assert_eq!(ana.pays("double", n).await, cost, "{moment:?}: call {n}");
        }
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_bought_and_granted_under_earlier_terms_stays_so_after_they_became_cheaper() {
    let academic =
        "[[grant]]\nid = \"academic\"\nprices = [\"each\"]\npercent-off = 75\nproof = \"license-token\"\n";
    let package = priced(&format!("{TEAM}{academic}"));
    let stage = stage_with(&package).await;
    let (ana, ben) = (Customer::with(&stage, "ana", "50").await, Customer::with(&stage, "ben", "1").await);
    let buyer = stage.buyer("company", 60).await;
    let body = json!({ "item": "plan:team" });
    let asked = buyer.send(LICENSES, &body, None).await;
    let payment = x402::encode(&buyer.answer(&asked.required(), "team"));
    let bought = license(&buyer.send(LICENSES, &body, Some(&payment)).await.json());
    assert_eq!(ana.post(LICENSES, &body).await.status, 200);
    let granted = grant(&stage, &package, "academic", &ben.account, &publisher(), 30);

    let own = Terms::of(&Manifest::parse(&package.manifest).unwrap());
    let mut cheaper = own.clone();
    cheaper.price[0].amount = Atomic(8_000);
    cheaper.more.plan[0].amount = Atomic(1_000_000);
    cheaper.more.grant[0].percent_off = 80;
    let release = Package::check(package.clone()).unwrap().statement();
    let change = TermsChange::new(&release, own.compute_digest(), cheaper.clone()).sign(&publisher());
    let changed = crate::names::act(&stage, "/v1/packages/shop/goods/1.0.0/terms", change).await;
    assert_eq!(changed.status, 201, "{}", changed.text);

    // The licence is what it was, also for whoever asks for it again, and its holder's calls are included.
    assert_eq!(license(&buyer.send(LICENSES, &body, Some(&payment)).await.json()), bought);
    assert_eq!(bought.terms, own.compute_digest());
    assert_eq!(ana.pays("double", 1).await, 0);
    // A grant that was signed before counts, by the terms that are in its holder's favour.
    let handed_in = stage.post("/v1/licenses", &json!({ "license": granted })).await;
    assert_eq!(handed_in.status, 201, "{}", handed_in.text);
    assert_eq!(ben.pays("double", 1).await, 1_600);
    // Who buys now pays the new price, and has the new terms on the licence.
    assert_eq!(buyer.send(LICENSES, &body, None).await.required().accepts[0].amount, "1000000");
    let eve = Customer::with(&stage, "eve", "5").await;
    let newer = license(&eve.post(LICENSES, &body).await.json());
    assert_eq!((newer.terms, newer.amount), (cheaper.compute_digest(), Atomic(1_000_000)));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn support_is_sold_and_the_code_stays_free() {
    let rest = format!(
        "[source]\npath = \"src/\"\nmachines = \"free\"\n\
         [[plan]]\nid = \"gold\"\non = \"support\"\namount = \"90\"\nperiod = \"year\"\nscope = \"organisation\"\n\
         sla = {{ response = \"PT4H\", fix-critical = \"P3D\", uptime = \"99.9\", credit = 2500 }}\n\
         backports = [\"1.x\"]\n{PAYEE}"
    );
    let files = goods("MPL-2.0", "execute = [\"remote\", \"local\"]\nimport = true", &rest);
    let stage = stage_with(&PackageFiles { source: Some(one_file("lib.wat", "(component)")), ..files }).await;
    let ana = Customer::with(&stage, "ana", "95").await;
    assert_eq!(ana.post(LICENSES, &json!({ "item": "plan:gold" })).await.status, 200);
    assert_eq!(earned(&stage).await, net(90_000_000));
    // Nobody needs it to call or download.
    let call = stage.post(&super::path("double"), &json!({ "args": [4] })).await;
    assert_eq!(call.output(), json!(8));
    assert_eq!(stage.get("/v1/packages/shop/goods/1.0.0/component").await.status, 200);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tip_is_its_payees_alone() {
    let tips = "/v1/packages/shop/goods/1.0.0/tips";
    let stage = stage_with(&goods("MIT", "", &format!("[tips]\naccept = true\n{PAYEE}"))).await;
    let ana = Customer::with(&stage, "ana", "5").await;
    stage.post(tips, &json!({ "usd": "2" })).await.assert_problem(402, "payment-required");
    let given = ana.post(tips, &json!({ "usd": "2" })).await;
    assert_eq!(
        (given.status, given.json()["charged"]["amount"].as_str()),
        (200, Some("2000000")),
        "{}",
        given.text
    );
    assert_eq!(earned(&stage).await, 2_000_000 * 1_000_000, "the operator takes no part of it");
    ana.post(tips, &json!({ "usd": "0" })).await.assert_problem(400, "amount-invalid");
    stage.assert_sound().await;
    let other = stage_with(&priced("")).await;
    other.post(tips, &json!({ "usd": "2" })).await.assert_problem(422, "tips-not-accepted");
}
