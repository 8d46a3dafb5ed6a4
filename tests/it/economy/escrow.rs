//! A payee whom nobody knows: what it earns waits for a year, and is then whose the terms say.

use std::path::Path;
use std::time::Duration;

use glassbox_core::files::Files;
use glassbox_core::ledger::Account;
use glassbox_registry::{PackageFiles, PayeeState, PayoutTerms};
use glassbox_store::{Answer, Fault, Moment};
use serde_json::{Value, json};

use super::{Customer, METER, WIT, goods, net};
use crate::buyer::Reply;
use crate::company::{Agent, operate};
use crate::stage::{COMMONS, MOMENTS, OPERATOR, Stage, Sweep, wallet};

const YEAR: Duration = Duration::from_secs(366 * 24 * 3_600);

const ANA: &str = "acct:ana@shop.example";
const BEN: &str = "acct:ben@shop.example";
const CY: &str = "github:cy";

fn shared(splits: &str) -> PackageFiles {
    let payee = |id: &str, share: u32| format!("[[payee]]\nid = \"{id}\"\nshare = {share}\n");
    let rest = format!(
        "[[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.01\"\n{splits}\
         [security]\ncontact = \"security@shop.example\"\nsupport-until = 2029-12-31\n{}{}{}",
        payee(ANA, 5_000),
        payee(BEN, 2_000),
        payee(CY, 3_000)
    );
    goods("LicenseRef-Shop", "", &rest)
}

/// The same as another release, whose shares that nobody claims are the commons'.
fn for_the_commons() -> PackageFiles {
    let newer = shared("[splits]\nunclaimed = \"commons\"\n");
    let world = WIT.replace("shop:goods@1.0.0", "shop:goods@1.1.0");
    let wit = [("world.wit", world.as_str()), ("deps/meter.wit", METER)];
    PackageFiles {
        manifest: newer.manifest.replace("version = \"1.0.0\"", "version = \"1.1.0\""),
        wit: Files::new(wit.map(|(path, text)| (path.to_owned(), text.into()))).unwrap(),
        ..newer
    }
}

/// Where that is called.
const FOR_THE_COMMONS: &str = "/v1/call/shop/goods/1.1.0/double";

/// A stage on which Ana and Ben are known, and nobody knows Cy.
async fn stage(splits: &str) -> Stage {
    let stage = Stage::without_sweep().await;
    stage.publish(&shared(splits)).await;
    for id in [ANA, BEN] {
        know(&stage, id).await;
    }
    stage
}

async fn know(stage: &Stage, id: &str) {
    let address = wallet(id).address();
    stage.registry.decide_payee(id, PayeeState::Verified, Some(address), "a test").await.unwrap();
}

/// What an account has, in pico.
async fn has(stage: &Stage, id: &str) -> u128 {
    let balance = stage.store().balance(&Account::Payee(id.into())).await.unwrap();
    balance.credits.0 - balance.debits.0
}

async fn waiting(stage: &Stage) -> Value {
    let url = format!("{}/v1/operate/payees", stage.url);
    let reply = stage.http.get(url).bearer_auth(OPERATOR).send().await.unwrap();
    reply.json::<Value>().await.unwrap()["unclaimed"].clone()
}

/// Gives back what a call was charged, until so much of it went back in all, or the whole.
async fn refund(stage: &Stage, called: &Reply, total: Option<&str>) -> Reply {
    let mut body = json!({ "call": called.json()["call"], "reason": "a test" });
    if let Some(total) = total {
        body["total_usd"] = total.into();
    }
    operate(stage, "/refunds", &body).await
}

/// What Ana and Ben have, in pico.
async fn both_have(stage: &Stage) -> u128 {
    has(stage, ANA).await + has(stage, BEN).await
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_year_the_other_payees_have_it_once() {
    for moment in [None, Some(Moment::Before), Some(Moment::After)] {
        let stage = stage("").await;
        let eve = Customer::with(&stage, "eve", "1").await;
        assert_eq!(eve.pays("double", 1).await, 10_000);
        let whole = net(10_000);
        assert_eq!(has(&stage, CY).await, whole * 3 / 10);
        let listed = waiting(&stage).await;
        assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
        assert_eq!(
            (&listed[0]["payee"], &listed[0]["pico"]),
            (&CY.into(), &(whole * 3 / 10).to_string().into())
        );
        // Not a day too early.
        stage.world.advance(YEAR - Duration::from_secs(2 * 24 * 3_600));
        stage.registry.reconcile().await;
        assert_eq!(has(&stage, CY).await, whole * 3 / 10);
        stage.world.advance(Duration::from_secs(2 * 24 * 3_600));
        if let Some(moment) = moment {
            stage.store().inject(Fault { verb: "lapse".into(), moment, abort: false });
        }
        for _ in 0..3 {
            stage.registry.reconcile().await;
        }
        // Five to two of three tenths.
        let (ana, ben) = (has(&stage, ANA).await, has(&stage, BEN).await);
        assert_eq!((has(&stage, CY).await, ana + ben), (0, whole), "{moment:?}");
        assert!(ana.abs_diff(whole * 5 / 7) <= 1 && ben.abs_diff(whole * 2 / 7) <= 1, "{ana} {ben}");
        assert_eq!(waiting(&stage).await, Value::Null);
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_claims_it_before_has_it() {
    let stage = stage("").await;
    let eve = Customer::with(&stage, "eve", "1").await;
    eve.pays("double", 1).await;
    stage.world.advance(YEAR / 2);
    know(&stage, CY).await;
    stage.world.advance(YEAR);
    stage.registry.reconcile().await;
    assert_eq!(has(&stage, CY).await, net(10_000) * 3 / 10);
    stage.registry.pay_out_earnings(&PayoutTerms::default()).await.unwrap();
    assert_eq!(stage.balance(wallet(CY).address()).await, 2_850);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commons_has_it_where_the_terms_say_so() {
    let stage = stage("[splits]\nunclaimed = \"commons\"\n").await;
    let eve = Customer::with(&stage, "eve", "1").await;
    eve.pays("double", 1).await;
    // A suspended payee is known, and keeps what it earned.
    stage.registry.decide_payee(CY, PayeeState::Suspended, None, "a dispute").await.unwrap();
    stage.world.advance(YEAR);
    stage.registry.reconcile().await;
    assert_eq!((has(&stage, CY).await, has(&stage, COMMONS).await), (net(10_000) * 3 / 10, 0));
    stage.registry.decide_payee(CY, PayeeState::Unverified, None, "it is over").await.unwrap();
    stage.world.advance(Duration::from_secs(2 * 24 * 3_600));
    stage.registry.reconcile().await;
    assert_eq!((has(&stage, CY).await, has(&stage, COMMONS).await), (0, net(10_000) * 3 / 10));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_may_have_yet_is_looked_at_again_whatever_fails() {
    for moment in [Moment::Before, Moment::After] {
        let stage = stage("[splits]\nunclaimed = \"commons\"\n").await;
        let eve = Customer::with(&stage, "eve", "1").await;
        eve.pays("double", 1).await;
        let part = net(10_000) * 3 / 10;
        stage.registry.decide_payee(CY, PayeeState::Suspended, None, "a dispute").await.unwrap();
        stage.world.advance(YEAR);
        stage.inject("touch_unclaimed", moment);
        for _ in 0..2 {
            stage.registry.reconcile().await;
        }
        assert_eq!(stage.store().faults_waiting(), 0, "{moment:?}");
        assert_eq!((has(&stage, CY).await, has(&stage, COMMONS).await), (part, 0), "{moment:?}");
        stage.registry.decide_payee(CY, PayeeState::Unverified, None, "it is over").await.unwrap();
        stage.world.advance(Duration::from_secs(2 * 24 * 3_600));
        stage.registry.reconcile().await;
        assert_eq!((has(&stage, CY).await, has(&stage, COMMONS).await), (0, part), "{moment:?}");
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_operator_paid_is_known_from_then_on() {
    let stage = stage("").await;
    let eve = Customer::with(&stage, "eve", "1").await;
    eve.pays("double", 1).await;
    let to = wallet(CY).address();
    let terms = PayoutTerms { addresses: [(CY.to_owned(), to)].into(), ..PayoutTerms::default() };
    stage.registry.pay_out_earnings(&terms).await.unwrap();
    assert_eq!(stage.balance(to).await, 2_850);
    eve.pays("double", 2).await;
    assert_eq!(waiting(&stage).await, Value::Null);
    stage.world.advance(YEAR);
    stage.registry.reconcile().await;
    assert_eq!(has(&stage, CY).await, net(10_000) * 3 / 10);
    stage.registry.pay_out_earnings(&PayoutTerms::default()).await.unwrap();
    assert_eq!(stage.balance(to).await, 2 * 2_850, "where it was paid before");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_about_one_package_keeps_no_share_of_another() {
    let stage = stage("").await;
    let files = shared("");
    let renamed = |text: &str| text.replace("shop:goods", "shop:other");
    let wit = files.wit.iter().map(|(path, bytes)| {
        let text = renamed(std::str::from_utf8(bytes).unwrap());
        (path.to_owned(), text.into_bytes())
    });
    let other = PackageFiles { manifest: renamed(&files.manifest), wit: Files::new(wit).unwrap(), ..files };
    stage.publish(&other).await;
    let eve = Customer::with(&stage, "eve", "1").await;
    assert_eq!(eve.pays("double", 1).await, 10_000);
    eve.post("/v1/call/shop/other/1.0.0/double", &json!({ "args": [1] })).await.output();
    let part = net(10_000) * 3 / 10;
    assert_eq!(has(&stage, CY).await, 2 * part);
    let disputed = "shop:other".parse().unwrap();
    stage.registry.freeze(&disputed, true, "a dispute").await.unwrap();
    stage.world.advance(YEAR);
    stage.registry.reconcile().await;
    assert_eq!(has(&stage, CY).await, part, "that of the other package goes its way");
    stage.registry.freeze(&disputed, false, "it is over").await.unwrap();
    stage.world.advance(Duration::from_secs(2 * 24 * 3_600));
    stage.registry.reconcile().await;
    assert_eq!((has(&stage, CY).await, waiting(&stage).await), (0, Value::Null));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_paid_for_yet_lapses_when_it_is() {
    let stage = Stage::of_company("").await;
    stage.publish(&shared("")).await;
    for id in [ANA, BEN] {
        know(&stage, id).await;
    }
    let later = Agent::new(&stage, "later").await;
    let before =
        Agent::with(&stage, &json!({ "name": "before", "cost_center": "it", "paying": "prepaid" })).await;
    operate(&stage, "/accounts/before/credit", &json!({ "id": "1", "usd": "1" })).await;
    let month = stage.registry.month().to_string();
    for agent in [&later, &before] {
        assert_eq!(agent.post(&super::path("double"), &json!({ "args": [1] })).await.status, 200);
    }
    let part = net(10_000) * 3 / 10;
    assert_eq!(has(&stage, CY).await, 2 * part);
    stage.world.advance(YEAR);
    for _ in 0..2 {
        stage.registry.reconcile().await;
    }
    assert_eq!(has(&stage, CY).await, part);
    assert_eq!(waiting(&stage).await[0]["pico"], part.to_string());
    let settled = operate(&stage, "/accounts/later/settlement", &json!({ "month": month })).await;
    assert_eq!(settled.json()["settled"]["usd"], "0.01");
    stage.world.advance(Duration::from_secs(2 * 24 * 3_600));
    stage.registry.reconcile().await;
    assert_eq!((has(&stage, CY).await, waiting(&stage).await), (0, Value::Null));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plan_earned_waits_until_its_promises_are_judged() {
    for period in ["month", "year"] {
        let stage = Stage::without_sweep().await;
        let plan = format!(
            "[[plan]]\nid = \"gold\"\non = \"support\"\namount = \"8\"\nperiod = \"{period}\"\n\
             sla = {{ uptime = \"99.9\", credit = 2500 }}\n"
        );
        stage.publish(&shared(&plan)).await;
        for id in [ANA, BEN] {
            know(&stage, id).await;
        }
        let eve = Customer::with(&stage, "eve", "8").await;
        let bought =
            eve.post("/v1/packages/shop/goods/1.0.0/licenses", &json!({ "item": "plan:gold" })).await;
        assert_eq!(bought.status, 200, "{}", bought.text);
        let (package, now_ms) = ("shop:goods".parse().unwrap(), stage.registry.now_ms());
        stage.store().count_answer(&package, "eve", Answer::Failed, now_ms).await.unwrap();
        // Of what nobody claims, the payee gives back its part; the heirs have the rest.
        let (whole, part) = (net(6_000_000), net(6_000_000) * 3 / 10);
        if period == "month" {
            stage.world.advance(Duration::from_secs(32 * 24 * 3_600));
            stage.registry.reconcile().await;
            assert_eq!(
                (has(&stage, CY).await, &waiting(&stage).await[0]["pico"]),
                (part, &part.to_string().into())
            );
        }
        stage.world.advance(YEAR);
        for _ in 0..3 {
            stage.registry.reconcile().await;
        }
        let (ana, ben) = (has(&stage, ANA).await, has(&stage, BEN).await);
        assert_eq!((has(&stage, CY).await, ana + ben), (0, whole), "{period}");
        assert_eq!(waiting(&stage).await, Value::Null);
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_back_is_taken_from_the_heirs_of_its_own_charge() {
    let stage = stage("").await;
    stage.publish(&for_the_commons()).await;
    let eve = Customer::with(&stage, "eve", "1").await;
    let called = eve.call("double", 1).await;
    called.output();
    eve.post(FOR_THE_COMMONS, &json!({ "args": [1] })).await.output();
    let (whole, part) = (net(10_000), net(10_000) * 3 / 10);
    for (total, left) in [(Some("0.005"), part * 3 / 2), (None, part)] {
        assert_eq!(refund(&stage, &called, total).await.status, 200);
        assert_eq!(waiting(&stage).await[0]["pico"], left.to_string(), "{total:?}");
    }
    stage.world.advance(YEAR);
    for _ in 0..2 {
        stage.registry.reconcile().await;
    }
    // What is left was earned by the other release.
    assert_eq!((has(&stage, CY).await, has(&stage, COMMONS).await), (0, part));
    assert_eq!(both_have(&stage).await, whole - part);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lapsed_and_goes_back_comes_from_those_who_have_it() {
    for moment in MOMENTS {
        let stage = stage("").await;
        stage.publish(&for_the_commons()).await;
        let eve = Customer::with(&stage, "eve", "1").await;
        let called = eve.call("double", 1).await;
        called.output();
        let (whole, part) = (net(10_000), net(10_000) * 3 / 10);
        stage.world.advance(YEAR);
        stage.registry.reconcile().await;
        assert_eq!((has(&stage, CY).await, both_have(&stage).await), (0, whole));
        // What is earned from now on is for other heirs, and none of it goes back.
        eve.post(FOR_THE_COMMONS, &json!({ "args": [1] })).await.output();
        assert_eq!(refund(&stage, &called, Some("0.003333")).await.status, 200);
        assert_eq!(has(&stage, CY).await, part, "{moment:?}");
        let ask = async || refund(&stage, &called, None).await;
        assert_eq!(stage.ask_twice("refund", moment, ask).await.json()["total"]["usd"], "0.01");
        assert_eq!((has(&stage, CY).await, both_have(&stage).await), (part, whole - part), "{moment:?}");
        assert_eq!(waiting(&stage).await[0]["pico"], part.to_string(), "{moment:?}");
        stage.world.advance(YEAR);
        stage.inject("lapse", moment);
        for _ in 0..3 {
            stage.registry.reconcile().await;
        }
        assert_eq!((has(&stage, CY).await, has(&stage, COMMONS).await), (0, part), "{moment:?}");
        assert_eq!((stage.store().faults_waiting(), both_have(&stage).await), (0, whole - part));
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_known_by_now_does_not_pay_for_what_lapsed_before() {
    let stage = stage("").await;
    let eve = Customer::with(&stage, "eve", "1").await;
    let called = eve.call("double", 1).await;
    called.output();
    stage.world.advance(YEAR);
    stage.registry.reconcile().await;
    let later = eve.call("double", 2).await;
    later.output();
    know(&stage, CY).await;
    let (whole, part) = (net(10_000), net(10_000) * 3 / 10);
    assert_eq!((has(&stage, CY).await, both_have(&stage).await), (part, 2 * whole - part));
    assert_eq!(refund(&stage, &called, None).await.status, 200);
    assert_eq!((has(&stage, CY).await, both_have(&stage).await), (part, whole - part));
    // What it claimed itself is its own to give back.
    assert_eq!(refund(&stage, &later, None).await.status, 200);
    assert_eq!((has(&stage, CY).await, both_have(&stage).await), (0, 0));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_for_does_not_lapse_to_heirs_of_what_was_not() {
    let stage = Stage::of_company("").await;
    stage.publish(&shared("")).await;
    stage.publish(&for_the_commons()).await;
    for id in [ANA, BEN] {
        know(&stage, id).await;
    }
    let later = Agent::new(&stage, "later").await;
    let before =
        Agent::with(&stage, &json!({ "name": "before", "cost_center": "it", "paying": "prepaid" })).await;
    operate(&stage, "/accounts/before/credit", &json!({ "id": "1", "usd": "1" })).await;
    let month = stage.registry.month().to_string();
    later.post(&super::path("double"), &json!({ "args": [1] })).await.output();
    stage.world.advance(Duration::from_secs(24 * 3_600));
    before.post(FOR_THE_COMMONS, &json!({ "args": [1] })).await.output();
    let (whole, part) = (net(10_000), net(10_000) * 3 / 10);
    stage.world.advance(YEAR);
    for _ in 0..2 {
        stage.registry.reconcile().await;
    }
    // The older one stands on an invoice.
    assert_eq!((has(&stage, CY).await, has(&stage, COMMONS).await), (part, part));
    assert_eq!(both_have(&stage).await, 2 * (whole - part));
    assert_eq!(waiting(&stage).await[0]["pico"], part.to_string());
    operate(&stage, "/accounts/later/settlement", &json!({ "month": month })).await;
    stage.world.advance(Duration::from_secs(2 * 24 * 3_600));
    stage.registry.reconcile().await;
    assert_eq!((has(&stage, CY).await, both_have(&stage).await), (0, 2 * whole - part));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_before_charges_were_noted_goes_back_and_lapses() {
    let stage = stage("").await;
    let called = Customer::with(&stage, "eve", "1").await.call("double", 1).await;
    called.output();
    let forget = |store: &Path| {
        let database = rusqlite::Connection::open(store.join("glassbox.sqlite")).unwrap();
        assert_eq!(database.execute("DELETE FROM unclaimed_charges", []).unwrap(), 1);
    };
    let stage = stage.reopen_changed(Sweep::Off, forget).await;
    assert_eq!(refund(&stage, &called, Some("0.005")).await.status, 200);
    let half = net(10_000) / 2;
    assert_eq!(waiting(&stage).await[0]["pico"], (half * 3 / 10).to_string());
    stage.world.advance(YEAR);
    stage.registry.reconcile().await;
    assert_eq!((has(&stage, CY).await, both_have(&stage).await), (0, half));
    stage.assert_sound().await;
}
