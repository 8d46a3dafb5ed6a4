//! Support: what a plan promises is measured, and what a broken promise gives back comes from whoever got it.

use std::time::Duration;

use glassbox_core::acts::{Act as _, Advisory};
use glassbox_core::key::SecretKey;
use glassbox_core::ledger::{Account, Kind};
use glassbox_core::limits;
use glassbox_pay::{B256, x402};
use glassbox_registry::{PackageFiles, PayoutTerms};
use glassbox_store::{Answer, Fault, Moment, PayerAnswers};
use serde_json::json;

use super::examples::package;
use super::{COMPONENT, Customer, goods, net};
use crate::buyer::Reply;
use crate::names::act;
use crate::packages::{one_file, publisher};
use crate::payer::spend_elsewhere;
use crate::stage::{Stage, keys};

const DAY: Duration = Duration::from_secs(24 * 3_600);
const LICENSES: &str = "/v1/packages/hat/tls/5.2.3/licenses";
const GOLD: &str = "plan:sla-gold";
const SHOP_LICENSES: &str = "/v1/packages/shop/goods/1.0.0/licenses";

/// What the plan costs, in atomic units, and a quarter of it.
const PAID: u128 = 900_000_000;
const QUARTER: u128 = PAID / 4;

fn fixed() -> PackageFiles {
    let tls = package("tls");
    let (_, wit) = tls.wit.iter().next().unwrap();
    let renamed = |text: &str| text.replace("5.2.3", "5.2.4");
    let wit = renamed(std::str::from_utf8(wit).unwrap());
    PackageFiles { manifest: renamed(&tls.manifest), wit: one_file("world.wit", wit), ..tls }
}

async fn advise(stage: &Stage, modified: &str, critical: bool) {
    advise_on(stage, "hat:tls", modified, critical).await;
}

async fn advise_on(stage: &Stage, package: &str, modified: &str, critical: bool) {
    let told = tell(stage, &publisher(), "GBX-2026-7", package, modified, critical).await;
    assert_eq!(told.status, 201, "{}", told.text);
}

async fn tell(
    stage: &Stage,
    key: &SecretKey,
    id: &str,
    package: &str,
    modified: &str,
    critical: bool,
) -> Reply {
    let advisory: Advisory = serde_json::from_value(json!({
        "package": package,
        "osv": {
            "id": id,
            "modified": modified,
            "summary": "a key may leak",
            "database_specific": { "severity": if critical { "CRITICAL" } else { "LOW" } },
            "affected": [{
                "package": { "ecosystem": "Glassbox", "name": package },
                "ranges": [{ "type": "SEMVER", "events": [{ "introduced": "0" }, { "fixed": "5.2.4" }] }],
            }],
        },
    }))
    .unwrap();
    act(stage, "/v1/advisories", advisory.sign(key)).await
}

async fn earned(stage: &Stage) -> i128 {
    let balance = stage.store().balance(&Account::Payee("did:web:hat.example".into())).await.unwrap();
    balance.credits.0 as i128 - balance.debits.0 as i128
}

async fn has(customer: &Customer<'_>) -> u128 {
    let account = Account::Payer(customer.account.clone());
    customer.stage.store().balance(&account).await.unwrap().available().0 / 1_000_000
}

async fn stage() -> Stage {
    let stage = Stage::without_sweep().await;
    stage.publish(&package("tls")).await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn a_critical_hole_that_stays_open_gives_a_quarter_back_once() {
    for moment in [None, Some(Moment::Before), Some(Moment::After)] {
        let stage = stage().await;
        let ana = Customer::with(&stage, "ana", "901").await;
        assert_eq!(ana.post(LICENSES, &json!({ "item": GOLD })).await.status, 200);
        assert_eq!((has(&ana).await, earned(&stage).await), (1_000_000, net(PAID) as i128));
        stage.world.advance(DAY);
        advise(&stage, "2026-11-23T00:00:00Z", true).await;
        stage.world.advance(DAY * 4);
        // A later word does not set the clock back, and a day too late is too late.
        advise(&stage, "2026-11-27T00:00:00Z", true).await;
        stage.publish(&fixed()).await;
        stage.registry.reconcile().await;
        assert_eq!(has(&ana).await, 1_000_000, "the period is not over");
        stage.world.advance(DAY * 31);
        if let Some(moment) = moment {
            stage.store().inject(Fault { verb: "judge_license".into(), moment, abort: false });
        }
        for _ in 0..3 {
            stage.registry.reconcile().await;
        }
        assert_eq!(has(&ana).await, 1_000_000 + QUARTER, "{moment:?}");
        // Payee and operator both give back of what they got.
        assert_eq!(earned(&stage).await, net(PAID - QUARTER) as i128);
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_mended_in_time_or_not_critical_gives_nothing_back() {
    for critical in [true, false] {
        let stage = stage().await;
        let ana = Customer::with(&stage, "ana", "901").await;
        assert_eq!(ana.post(LICENSES, &json!({ "item": GOLD })).await.status, 200);
        advise(&stage, "2026-11-23T00:00:00Z", critical).await;
        stage.world.advance(DAY * 2);
        if critical {
            stage.publish(&fixed()).await;
        }
        stage.world.advance(DAY * 40);
        stage.registry.reconcile().await;
        assert_eq!((has(&ana).await, earned(&stage).await), (1_000_000, net(PAID) as i128));
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_that_the_operator_tells_of_is_neither_talked_down_nor_drowned() {
    let stage = stage().await;
    let ana = Customer::with(&stage, "ana", "901").await;
    assert_eq!(ana.post(LICENSES, &json!({ "item": GOLD })).await.status, 200);
    let (operator, own) = (keys().operator, publisher());
    let tell = async |key: &SecretKey, id: &str, day: u32, critical: bool| {
        tell(&stage, key, id, "hat:tls", &format!("2026-11-{day}T00:00:00Z"), critical).await
    };
    assert_eq!(tell(&operator, "GBX-2026-7", 20, true).await.status, 201);
    tell(&own, "GBX-2026-7", 25, false).await.assert_problem(403, "advisory-refused");
    for number in 0..=limits::ADVISORIES_PAGE {
        assert_eq!(tell(&own, &format!("GBX-2026-1{number:03}"), 21, false).await.status, 201);
    }
    // The operator has the last word on what anybody says.
    assert_eq!(tell(&operator, "GBX-2026-1000", 26, false).await.status, 201);
    tell(&own, "GBX-2026-1000", 27, false).await.assert_problem(403, "advisory-refused");
    stage.world.advance(DAY * 32);
    stage.registry.reconcile().await;
    assert_eq!((has(&ana).await, earned(&stage).await), (1_000_000 + QUARTER, net(PAID - QUARTER) as i128));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_without_an_answer_break_the_promise_and_the_money_goes_back_as_it_came() {
    let stage = stage().await;
    let buyer = stage.buyer("company", 1_000).await;
    let body = json!({ "item": GOLD });
    let asked = buyer.send(LICENSES, &body, None).await;
    let payment = x402::encode(&buyer.answer(&asked.required(), "gold"));
    assert_eq!(buyer.send(LICENSES, &body, Some(&payment)).await.status, 200);
    assert_eq!(stage.balance(buyer.wallet.address()).await, 1_000_000_000 - PAID);
    // What may go back is not paid out before it is judged.
    let to = crate::stage::wallet("hat").address();
    let addresses = [("did:web:hat.example".to_owned(), to)].into();
    let terms = PayoutTerms { addresses, ..PayoutTerms::default() };
    stage.registry.pay_out_earnings(&terms).await.unwrap();
    assert_eq!(stage.balance(to).await, net(PAID - QUARTER) / 1_000_000);

    // Arguments that trap are the caller's, and have their answer. Who calls counts once an hour, and nobody not at all.
    let ben = Customer::with(&stage, "ben", "901").await;
    let (package, now_ms) = ("hat:tls".parse().unwrap(), stage.registry.now_ms());
    for function in ["handshake", "handshake", "renegotiate"] {
        let (path, body) = (format!("/v1/call/hat/tls/5.2.3/{function}"), json!({ "args": [4] }));
        stage.post(&path, &body).await;
        ben.post(&path, &body).await;
    }
    let counted = stage.store().answers(&package, now_ms, now_ms + 3_600_000).await.unwrap();
    let given = PayerAnswers { payer: ben.account.clone(), given: 1, failed: 0, missing: 0 };
    assert_eq!(counted, [given]);
    // One call that the machine ends, not the arguments.
    stage.store().count_answer(&package, "cy", Answer::Failed, now_ms).await.unwrap();
    stage.world.advance(DAY * 32);
    for _ in 0..2 {
        stage.registry.reconcile().await;
    }
    // Each gives back of its own, and nobody of anybody else's.
    assert_eq!(earned(&stage).await, 0);
    assert_eq!(stage.balance(buyer.wallet.address()).await, 1_000_000_000 - PAID + QUARTER);
    stage.assert_sound().await;
    // What the next plan earns is held back as the first was, and paid once it kept its promises.
    assert_eq!(ben.post(LICENSES, &body).await.status, 200);
    stage.registry.pay_out_earnings(&terms).await.unwrap();
    assert_eq!(stage.balance(to).await, 2 * net(PAID - QUARTER) / 1_000_000);
    stage.world.advance(DAY * 32);
    stage.registry.reconcile().await;
    stage.registry.pay_out_earnings(&terms).await.unwrap();
    assert_eq!(stage.balance(to).await, (net(PAID - QUARTER) + net(PAID)) / 1_000_000);
    stage.assert_sound().await;
}

/// Where the payee of the shop is paid.
fn shop_terms() -> PayoutTerms {
    let addresses = [("acct:ana@shop.example".to_owned(), crate::stage::wallet("shop").address())].into();
    PayoutTerms { addresses, ..PayoutTerms::default() }
}

/// A stage whose shop promises to mend holes within a day, or to give `credit` basis points back.
async fn shop(credit: u32) -> Stage {
    let rest = format!(
        "[tips]\naccept = true\n[[plan]]\nid = \"gold\"\non = \"support\"\namount = \"8\"\n\
         sla = {{ fix-critical = \"P1D\", credit = {credit} }}\n{}",
        super::PAYEE
    );
    let stage = Stage::without_sweep().await;
    stage.publish(&goods("MIT", "", &rest)).await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_breaks_a_promise_to_herself_takes_nobody_elses_money() {
    let stage = shop(10_000).await;
    // She buys her own plan, with a wallet that nobody knows to be hers.
    let buyer = stage.buyer("ana's other wallet", 8).await;
    let body = json!({ "item": "plan:gold" });
    let asked = buyer.send(SHOP_LICENSES, &body, None).await;
    let payment = x402::encode(&buyer.answer(&asked.required(), "gold"));
    assert_eq!(buyer.send(SHOP_LICENSES, &body, Some(&payment)).await.status, 200);
    let _others = Customer::with(&stage, "ben", "100").await;
    let hers = async || {
        let paid_out = stage.balance(crate::stage::wallet("shop").address()).await;
        paid_out + stage.balance(buyer.wallet.address()).await
    };
    stage.registry.pay_out_earnings(&shop_terms()).await.unwrap();
    assert_eq!(hers().await, 0, "all of it may go back");
    advise_on(&stage, "shop:goods", "2026-11-23T00:00:00Z", true).await;
    stage.world.advance(DAY * 32);
    for _ in 0..3 {
        stage.registry.reconcile().await;
    }
    stage.registry.pay_out_earnings(&shop_terms()).await.unwrap();
    assert_eq!(hers().await, 8_000_000, "what she paid, and no more");
    stage.assert_sound().await;
}

/// What waits to go back, as the operator sees it: the sale, and how much.
async fn credits_due(stage: &Stage) -> Vec<(String, String)> {
    let payees = crate::company::ask(stage, "/v1/operate/payees").await.json();
    let due = payees["credits_due"].as_array().cloned().unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    due.iter().map(|due| (text(&due["call"]), text(&due["due"]["usd"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_payees_have_not_goes_back_once_they_have_it_or_the_operator_says_so() {
    for moment in [None, Some(Moment::Before), Some(Moment::After)] {
        for by_operator in [false, true] {
            let case = format!("{moment:?}, by the operator: {by_operator}");
            let stage = shop(5_000).await;
            let gold = Customer::with(&stage, "gold", "8").await;
            assert_eq!(gold.post(SHOP_LICENSES, &json!({ "item": "plan:gold" })).await.status, 200);
            let ben = Customer::with(&stage, "ben", "10").await;
            let tip = async |usd: &str| {
                let tipped = ben.post("/v1/packages/shop/goods/1.0.0/tips", &json!({ "usd": usd })).await;
                assert_eq!(tipped.status, 200, "{}", tipped.text);
            };
            tip("2").await;
            let to = crate::stage::wallet("shop").address();
            stage.registry.pay_out_earnings(&shop_terms()).await.unwrap();
            // Of a gift the operator has nothing.
            let paid_out = net(4_000_000) / 1_000_000 + 2_000_000;
            assert_eq!(stage.balance(to).await, paid_out);
            // The operator gives a gift back that was paid out: the payee has less than it may have to give back.
            let refund = async |call: &str, total: &str| {
                let body = json!({ "call": call, "total_usd": total, "reason": "a test" });
                crate::company::operate(&stage, "/refunds", &body).await
            };
            let transfers = stage.store().transfers(None, 0, 1_000).await.unwrap();
            let paid_by = |customer: &Customer<'_>| {
                let payer = Account::Payer(customer.account.clone());
                let is_theirs = |row: &&glassbox_store::TransferRow| {
                    row.transfer.kind == Kind::Charge && row.transfer.debit == payer
                };
                transfers.iter().find(is_theirs).unwrap().subject.clone()
            };
            let (sale, gift) = (paid_by(&gold), paid_by(&ben));
            assert_eq!(refund(&gift, "2").await.json()["refunded"]["usd"], "2", "{case}");
            advise_on(&stage, "shop:goods", "2026-11-23T00:00:00Z", true).await;
            stage.world.advance(DAY * 32);
            if let Some(moment) = moment {
                stage.inject("judge_license", moment);
            }
            for _ in 0..3 {
                stage.registry.reconcile().await;
            }
            assert_eq!(stage.store().faults_waiting(), 0, "{case}");
            assert_eq!(has(&gold).await, 0, "{case}: it would be somebody else's money");
            assert_eq!(credits_due(&stage).await, [(sale.clone(), "4".to_owned())], "{case}");
            if by_operator {
                assert_eq!(refund(&sale, "1").await.json()["refunded"]["usd"], "1", "{case}");
                assert_eq!(credits_due(&stage).await, [(sale.clone(), "3".to_owned())], "{case}");
                assert_eq!(refund(&sale, "4").await.json()["refunded"]["usd"], "3", "{case}");
            } else {
                // What the payee earns next stays until it is enough, and is tried once an hour.
                tip("2").await;
                stage.registry.pay_out_earnings(&shop_terms()).await.unwrap();
                assert_eq!(stage.balance(to).await, paid_out, "{case}");
                stage.world.advance(DAY);
            }
            for _ in 0..3 {
                stage.registry.reconcile().await;
            }
            assert_eq!((has(&gold).await, credits_due(&stage).await), (4_000_000, Vec::new()), "{case}");
            stage.assert_sound().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_answered_where_it_cannot_be_counted() {
    for (moment, counted) in [(Moment::Before, 0), (Moment::After, 1)] {
        let stage = stage().await;
        let ana = Customer::with(&stage, "ana", "1").await;
        stage.inject("count_answer", moment);
        ana.post("/v1/call/hat/tls/5.2.3/handshake", &json!({ "args": [4] })).await.output();
        assert_eq!(stage.store().faults_waiting(), 0, "{moment:?}");
        let (package, now_ms) = ("hat:tls".parse().unwrap(), stage.registry.now_ms());
        let answers = stage.store().answers(&package, now_ms, now_ms + 3_600_000).await.unwrap();
        assert_eq!(answers.len(), counted, "{moment:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_caller_breaks_the_promise_alone_whatever_else_it_calls_itself() {
    let rest = format!(
        "[[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.01\"\n\
         [[plan]]\nid = \"gold\"\non = \"support\"\namount = \"8\"\nsla = {{ uptime = \"99.9\", credit = 2500 }}\n{}",
        super::PAYEE
    );
    let recursive = COMPONENT.replace(
        r#"(func (export "boom") (param i32) (result i32) unreachable)"#,
        r#"(func $boom (export "boom") (param i32) (result i32) (i32.add (call $boom (local.get 0)) (i32.const 1)))"#,
    );
    let files = goods("LicenseRef-Shop", "", &rest);
    let files = PackageFiles { component: wat::parse_str(recursive).unwrap(), ..files };
    let package = "shop:goods".parse().unwrap();
    // Whoever has no answer at some hours, and whether that breaks the promise to `gold`.
    for (missing, broken) in [
        (["gold", "ana"], false),
        (["ana", "ana's other account"], false),
        (["ana", "nobody who paid"], false),
        (["ana", "ben"], true),
    ] {
        let stage = Stage::without_sweep().await;
        stage.publish(&files).await;
        let gold = Customer::with(&stage, "gold", "9").await;
        let names = ["ana", "ana's other account", "ben"];
        let mut payers = vec![("gold", gold.account.clone())];
        for name in names {
            let wallet = name.split('\'').next().unwrap();
            let customer = Customer::funded_by(&stage, wallet, name, "1").await;
            assert_eq!(customer.pays("double", 1).await, 10_000);
            let deep = customer.call("boom", 1).await;
            assert!(deep.text.contains("stack-exhausted"), "{}", deep.text);
            payers.push((name, customer.account.clone()));
        }
        assert_eq!(gold.pays("double", 1).await, 10_000);
        let now_ms = stage.registry.now_ms();
        let answers = stage.store().answers(&package, now_ms, now_ms + 3_600_000).await.unwrap();
        assert!(answers.iter().all(|of| (of.given, of.failed, of.missing) == (1, 0, 0)), "{answers:?}");
        assert_eq!(gold.post(SHOP_LICENSES, &json!({ "item": "plan:gold" })).await.status, 200);
        for name in missing {
            let known = payers.iter().find(|(known, _)| *known == name);
            let payer = known.map_or(name, |(_, account)| account.as_str());
            for hour in [0, 0, 1, 2] {
                let at = now_ms + hour * 3_600_000;
                stage.store().count_answer(&package, payer, Answer::Missing, at).await.unwrap();
            }
        }
        stage.world.advance(DAY * 32);
        stage.registry.reconcile().await;
        let back = if broken { 2_000_000 } else { 0 };
        assert_eq!(has(&gold).await, 990_000 + back, "{missing:?}");
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_without_the_plan_has_anything_back() {
    let rest = format!(
        "[[price]]\nid = \"each\"\nunit = \"call\"\namount = \"0.01\"\n\
         [[plan]]\nid = \"team\"\namount = \"2\"\nincludes = [\"execute:*\"]\n\
         [[plan]]\nid = \"gold\"\non = \"support\"\namount = \"8\"\nsla = {{ uptime = \"99.9\", credit = 2500 }}\n{}",
        super::PAYEE
    );
    let stage = Stage::without_sweep().await;
    stage.publish(&goods("LicenseRef-Shop", "", &rest)).await;
    let (gold, team) = (Customer::with(&stage, "gold", "8").await, Customer::with(&stage, "team", "8").await);
    let none = Customer::with(&stage, "none", "8").await;
    let licenses = "/v1/packages/shop/goods/1.0.0/licenses";
    for (customer, item) in [(&gold, "plan:gold"), (&team, "plan:team")] {
        assert_eq!(customer.post(licenses, &json!({ "item": item })).await.status, 200);
    }
    assert_eq!((team.pays("double", 1).await, none.pays("double", 1).await), (0, 10_000));
    let (package, now_ms) = ("shop:goods".parse().unwrap(), stage.registry.now_ms());
    stage.store().count_answer(&package, "somebody", Answer::Failed, now_ms).await.unwrap();
    stage.world.advance(DAY * 40);
    for _ in 0..2 {
        stage.registry.reconcile().await;
    }
    assert_eq!((has(&gold).await, has(&team).await, has(&none).await), (2_000_000, 6_000_000, 7_990_000));
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_chain_took_back_is_not_given_back_and_what_it_may_take_back_waits() {
    for is_lost in [true, false] {
        let stage = stage().await;
        let buyer = stage.buyer("company", 1_000).await;
        let weather = stage.devnet().weather();
        weather.mine(4).await.unwrap();
        weather.finality(4).await.unwrap();
        let body = json!({ "item": GOLD });
        let asked = buyer.send(LICENSES, &body, None).await;
        let payment = x402::encode(&buyer.answer(&asked.required(), "gold"));
        assert_eq!(buyer.send(LICENSES, &body, Some(&payment)).await.status, 200);
        let (package, now_ms) = ("hat:tls".parse().unwrap(), stage.registry.now_ms());
        stage.store().count_answer(&package, "somebody", Answer::Failed, now_ms).await.unwrap();
        if is_lost {
            weather.reorg(1).await.unwrap();
            spend_elsewhere(&stage, &buyer, 1_000_000_000, B256::repeat_byte(1)).await;
        }
        stage.world.advance(DAY * 32);
        for _ in 0..2 {
            stage.registry.reconcile().await;
        }
        assert_eq!(earned(&stage).await, net(PAID) as i128, "{is_lost}");
        weather.mine(4).await.unwrap();
        for _ in 0..3 {
            stage.registry.reconcile().await;
            weather.mine(4).await.unwrap();
        }
        let left = if is_lost { net(PAID) } else { net(PAID - QUARTER) };
        assert_eq!(earned(&stage).await, left as i128, "{is_lost}");
        let back = if is_lost { 0 } else { 1_000_000_000 - PAID + QUARTER };
        assert_eq!(stage.balance(buyer.wallet.address()).await, back, "{is_lost}");
        stage.assert_sound().await;
    }
}
