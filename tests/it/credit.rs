//! Prepaid credit: bought once, spent often, narrowed, given back.

use glassbox_core::Atomic;
use glassbox_core::ledger::{Account, Kind};
use glassbox_pay::x402;
use glassbox_token::{Caps, Token};
use serde_json::{Value, json};

use crate::buyer::{Buyer, Reply, bench};
use crate::stage::{MOMENTS, OPERATOR, Stage, Sweep};

/// A holder of a token.
struct Holder<'a> {
    stage: &'a Stage,
    account: String,
    token: Token,
}

/// Buys credit, once.
async fn buy(stage: &Stage, buyer: &Buyer, body: &Value, nonce: &str) -> Reply {
    let asked = stage.post("/v1/credit", body).await;
    assert_eq!(asked.status, 402, "{}", asked.text);
    let payment = x402::encode(&buyer.answer(&asked.required(), nonce));
    buyer.send("/v1/credit", body, Some(&payment)).await
}

impl<'a> Holder<'a> {
    async fn with(stage: &'a Stage, usd: &str) -> Self {
        let buyer = stage.buyer("ana", 10).await;
        let reply = buy(stage, &buyer, &json!({ "usd": usd }), "top-up").await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert!(reply.settlement().success);
        let bought = reply.json();
        let token = bought["token"].as_str().unwrap().parse().unwrap();
        Self { stage, account: bought["account"].as_str().unwrap().to_owned(), token }
    }

    fn narrowed(&self, caps: &Caps) -> Self {
        let token = self.token.attenuate(caps).unwrap();
        Self { stage: self.stage, account: self.account.clone(), token }
    }

    async fn call(&self, function: &str, body: &Value) -> Reply {
        self.call_as(function, body, None).await
    }

    async fn call_as(&self, function: &str, body: &Value, identifier: Option<&str>) -> Reply {
        let mut request = self.stage.http.post(format!("{}{}", self.stage.url, bench(function))).json(body);
        request = request.bearer_auth(&self.token);
        if let Some(identifier) = identifier {
            request = request.header("idempotency-key", identifier);
        }
        Reply::of(request.send().await.unwrap()).await
    }

    async fn balance(&self) -> Value {
        let request = self.stage.http.get(format!("{}/v1/credit", self.stage.url)).bearer_auth(&self.token);
        Reply::of(request.send().await.unwrap()).await.json()
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        let request = self.stage.http.post(format!("{}{path}", self.stage.url)).json(body);
        Reply::of(request.bearer_auth(&self.token).send().await.unwrap()).await
    }
}

fn double(n: u32) -> Value {
    json!({ "args": [n] })
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_is_bought_once_and_spent_often() {
    let stage = Stage::new().await;
    let holder = Holder::with(&stage, "1").await;
    assert_eq!(stage.payments().await, 1);
    for n in 0..5 {
        let reply = holder.call("double", &double(n)).await;
        assert_eq!(reply.output(), json!(2 * n));
        assert!(reply.header("payment-response").is_none());
        let paid = reply.receipt().1.payment.unwrap();
        assert_eq!(
            (paid.scheme.as_str(), paid.payer, paid.amount),
            ("credit", holder.account.clone(), Atomic(2_000))
        );
    }
    // By fuel: what was burnt, and no more.
    let reply = holder.call("burn", &json!({ "args": [10], "fuel": 50_000_000 })).await;
    assert_eq!(reply.json()["charged"]["amount"], "100");
    assert_eq!(stage.payments().await, 1, "no call asked the chain");
    let balance = holder.balance().await;
    assert_eq!((&balance["available_usd"], &balance["held_usd"]), (&json!("0.9899"), &json!("0")));

    // A failed call costs nothing.
    let failed = holder.call("boom", &double(1)).await;
    assert_eq!((failed.status, failed.code().as_str()), (422, "guest-failed"), "{}", failed.text);
    assert_eq!(holder.balance().await["available_usd"], "0.9899");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_filled_again_and_by_one_payment_once() {
    let stage = Stage::new().await;
    let holder = Holder::with(&stage, "1").await;
    let buyer = stage.buyer("bo", 10).await;
    let body = json!({ "usd": "2", "account": holder.account });
    let replies = futures(&stage, &buyer, &body).await;
    for reply in &replies {
        assert_eq!((reply.status, &reply.json()["credited"]["usd"]), (200, &json!("2")), "{}", reply.text);
        assert_eq!(reply.json()["token"], Value::Null, "whoever pays in does not get to spend");
    }
    assert_eq!(holder.balance().await["available_usd"], "3");
    assert_eq!(stage.payments().await, 2);
    // The same words with another payment are another purchase.
    let more = buy(&stage, &buyer, &body, "once more").await;
    assert_eq!(more.status, 200, "{}", more.text);
    assert_eq!(holder.balance().await["available_usd"], "5");
    assert_eq!(stage.payments().await, 3);
    let unknown = stage.post("/v1/credit", &json!({ "usd": "1", "account": "credit:nobody" })).await;
    unknown.assert_problem(404, "account-not-found");
    for usd in [
        "0",
        "-1",
        "1e3",
        "01",
        "10001",
        "0.0000001",
        "",
        "115792089237316195423570985008687907853269984665640564039457584007913129639936",
    ] {
        stage.post("/v1/credit", &json!({ "usd": usd })).await.assert_problem(400, "amount-invalid");
    }
    stage.assert_sound().await;
}

/// Sends one payment eight times at once.
async fn futures(stage: &Stage, buyer: &Buyer, body: &Value) -> Vec<Reply> {
    let asked = stage.post("/v1/credit", body).await.required();
    let payment = x402::encode(&buyer.answer(&asked, "again"));
    let sends: Vec<_> = (0..8)
        .map(|_| {
            let (buyer, body, payment) = (buyer.clone(), body.clone(), payment.clone());
            tokio::spawn(async move { buyer.insist("/v1/credit", &body, &payment).await })
        })
        .collect();
    let mut replies = Vec::new();
    for send in sends {
        replies.push(send.await.unwrap());
    }
    replies
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_name_is_the_same_call_and_another_request_under_it_is_none() {
    let stage = Stage::new().await;
    let holder = Holder::with(&stage, "1").await;
    let first = holder.call_as("double", &double(4), Some("job-17")).await;
    let again = holder.call_as("double", &double(4), Some("job-17")).await;
    assert_eq!((first.output(), again.output()), (json!(8), json!(8)));
    assert_eq!(again.json()["replayed"], true);
    assert_eq!(first.receipt().1.call, again.receipt().1.call);
    holder.call_as("double", &double(5), Some("job-17")).await.assert_problem(409, "payment-bound");
    assert_eq!(holder.balance().await["available_usd"], "0.998");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrowed_token_spends_within_its_caps_and_no_more() {
    let stage = Stage::new().await;
    let holder = Holder::with(&stage, "1").await;
    let helper = holder.narrowed(&Caps { amount_max: Some(Atomic(10_000)), ..Caps::default() });
    // Fifty at once, of which the budget pays five.
    let calls: Vec<_> = (0..50)
        .map(|n| {
            let request = stage.http.post(format!("{}{}", stage.url, bench("double"))).json(&double(n));
            let request = request.bearer_auth(&helper.token);
            tokio::spawn(async move { Reply::of(request.send().await.unwrap()).await })
        })
        .collect();
    let (mut paid, mut refused) = (0, 0);
    for call in calls {
        let reply = call.await.unwrap();
        match (reply.status, reply.code().as_str()) {
            (200, _) => paid += 1,
            (403, "token-spent") => refused += 1,
            // Too many of one payer at once.
            (503, "busy") => {}
            _ => panic!("{}", reply.text),
        }
    }
    assert!(paid <= 5 && refused > 0, "{paid} paid, {refused} refused");
    for n in 50..56 {
        let _ = helper.call("double", &double(n)).await;
    }
    assert_eq!(holder.balance().await["available_usd"], "0.99", "exactly five calls' worth");
    helper.call("double", &double(99)).await.assert_problem(403, "token-spent");

    let cheap = holder.narrowed(&Caps { amount_per_call_max: Some(Atomic(1_999)), ..Caps::default() });
    cheap.call("double", &double(1)).await.assert_problem(401, "token-refused");
    let elsewhere = Caps { packages: Some(vec!["lab:other".parse().unwrap()]), ..Caps::default() };
    holder.narrowed(&elsewhere).call("double", &double(1)).await.assert_problem(401, "token-refused");
    let late = Caps { expires_at_s: Some(stage.world.now_s()), ..Caps::default() };
    holder.narrowed(&late).call("double", &double(1)).await.assert_problem(401, "token-refused");
    let once = holder.narrowed(&Caps { calls_max: Some(1), ..Caps::default() });
    once.call("double", &double(60)).await.output();
    once.call("double", &double(61)).await.assert_problem(403, "token-spent");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_earned_by_credit_is_paid_out_once_its_payment_is_final() {
    let stage = Stage::without_sweep().await;
    let weather = stage.devnet().weather();
    weather.mine(4).await.unwrap();
    weather.finality(4).await.unwrap();
    let payable = async || -> u128 {
        stage.store().payable().await.unwrap().iter().map(|(_, pico)| pico.0 / 1_000_000).sum()
    };
    let settle = async || {
        weather.mine(5).await.unwrap();
        stage.registry.reconcile().await;
    };
    let holder = Holder::with(&stage, "1").await;
    holder.call("double", &double(1)).await.output();
    assert_eq!(payable().await, 0, "a reorganisation may take the deposit, and nobody paid then");
    settle().await;
    assert_eq!(payable().await, 2_000);
    // What is bought later holds nothing back of what was earned before.
    let buyer = stage.buyer("ana", 10).await;
    let body = json!({ "usd": "2", "account": holder.account });
    assert_eq!(buy(&stage, &buyer, &body, "second").await.status, 200);
    assert_eq!(payable().await, 2_000);
    holder.call("double", &double(2)).await.output();
    assert_eq!(payable().await, 2_000);
    settle().await;
    assert_eq!(payable().await, 4_000);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_back_may_be_spent_again_within_the_same_caps() {
    let stage = Stage::new().await;
    let holder = Holder::with(&stage, "1").await;
    let helper = holder.narrowed(&Caps { amount_max: Some(Atomic(4_000)), ..Caps::default() });
    let below = helper.narrowed(&Caps { calls_max: Some(3), ..Caps::default() });
    let call = below.call("double", &double(1)).await.json()["call"].as_str().unwrap().to_owned();
    below.call("double", &double(2)).await.output();
    below.call("double", &double(3)).await.assert_problem(403, "token-spent");
    for _ in 0..2 {
        let body = json!({ "call": call, "reason": "a test" });
        assert_eq!(crate::company::operate(&stage, "/refunds", &body).await.status, 200);
    }
    below.call("double", &double(3)).await.output();
    // The amount is spent once more, and so are the calls: they were made.
    helper.call("double", &double(4)).await.assert_problem(403, "token-spent");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_was_taken_back_pays_nothing_nor_does_what_was_made_of_it() {
    let stage = Stage::new().await;
    let holder = Holder::with(&stage, "1").await;
    let helper = holder.narrowed(&Caps::default());
    let below = helper.narrowed(&Caps::default());
    below.call("double", &double(1)).await.output();
    assert_eq!(helper.post("/v1/credit/revoke", &json!({})).await.status, 204);
    helper.call("double", &double(2)).await.assert_problem(403, "token-spent");
    below.call("double", &double(3)).await.assert_problem(403, "token-spent");
    holder.call("double", &double(4)).await.output();
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_that_runs_out_says_how_to_go_on() {
    let stage = Stage::new().await;
    let holder = Holder::with(&stage, "0.003").await;
    holder.call("double", &double(1)).await.output();
    let reply = holder.call("double", &double(2)).await;
    let problem = reply.assert_problem(402, "credit-short");
    assert!(problem["detail"].as_str().unwrap().contains("0.001"), "{problem}");
    assert!(!reply.required().accepts.is_empty(), "who has a wallet may pay instead");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_goes_back_once_and_only_for_who_owns_the_account() {
    let stage = Stage::new().await;
    let holder = Holder::with(&stage, "1").await;
    holder.call("double", &double(1)).await.output();
    let home = stage.buyer("home", 0).await.wallet.address();
    let wish = json!({ "id": "all", "to": home.to_string(), "usd": "0.998" });
    let helper = holder.narrowed(&Caps::default());
    helper.post("/v1/credit/refund", &wish).await.assert_problem(401, "token-refused");
    let too_much = json!({ "id": "more", "to": home.to_string(), "usd": "0.999" });
    holder.post("/v1/credit/refund", &too_much).await.assert_problem(402, "credit-short");
    assert_eq!(holder.post("/v1/credit/refund", &wish).await.status, 202);
    assert_eq!(holder.post("/v1/credit/refund", &wish).await.status, 202, "the same wish");
    stage.registry.reconcile().await;
    stage.registry.reconcile().await;
    assert_eq!(stage.balance(home).await, 998_000);
    assert_eq!(holder.balance().await["available_usd"], "0");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_top_up_survives_a_crash_at_every_write() {
    for verb in ["hold_call", "record_outcome", "open_credit", "post_call"] {
        for moment in MOMENTS {
            let stage = Stage::without_sweep().await;
            let buyer = stage.buyer("ana", 10).await;
            let body = json!({ "usd": "1" });
            let asked = stage.post("/v1/credit", &body).await.required();
            let payment = x402::encode(&buyer.answer(&asked, "top-up"));
            stage.inject(verb, moment);
            let reply = buyer.send("/v1/credit", &body, Some(&payment)).await;
            assert_eq!(reply.status, 500, "{verb} {moment:?}: {}", reply.text);
            assert_eq!(stage.store().faults_waiting(), 0, "{verb} {moment:?}");
            let stage = stage.reopen(Sweep::Off).await;
            let reply = buyer.at(&stage).insist("/v1/credit", &body, &payment).await;
            assert_eq!(reply.status, 200, "{verb} {moment:?}: {}", reply.text);
            let account = Account::Payer(reply.json()["account"].as_str().unwrap().to_owned());
            let balance = stage.store().balance(&account).await.unwrap();
            assert_eq!(balance.available(), Atomic(1_000_000).to_pico(), "{verb} {moment:?}");
            assert_eq!(stage.payments().await, 1, "{verb} {moment:?}");
            assert_eq!(stage.store().owed(Kind::Refund, 9).await.unwrap(), []);
            stage.assert_sound().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_that_an_operator_gives_while_a_write_fails_opens_nothing_for_nothing() {
    for moment in MOMENTS {
        let stage = Stage::new().await;
        for verb in ["open_credit", "post_transfer"] {
            let give = async || {
                let request = stage.http.post(format!("{}/v1/operate/credit", stage.url));
                let request = request.bearer_auth(OPERATOR).json(&json!({ "label": "ci", "usd": "1" }));
                Reply::of(request.send().await.unwrap()).await
            };
            let given = stage.ask_twice(verb, moment, give).await.json();
            let token = given["token"].as_str().unwrap().parse().unwrap();
            let account = given["account"].as_str().unwrap().to_owned();
            let holder = Holder { stage: &stage, account, token };
            assert_eq!(holder.balance().await["available_usd"], "1", "{verb} {moment:?}");
        }
        stage.assert_sound().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_that_goes_back_while_a_write_fails_goes_back_once() {
    for moment in MOMENTS {
        let stage = Stage::without_sweep().await;
        let holder = Holder::with(&stage, "1").await;
        let home = stage.buyer("home", 0).await.wallet.address();
        let wish = json!({ "id": "all", "to": home.to_string(), "usd": "1" });
        let ask = async || holder.post("/v1/credit/refund", &wish).await;
        assert_eq!(stage.ask_twice("owe", moment, ask).await.status, 202, "{moment:?}");
        stage.registry.reconcile().await;
        stage.registry.reconcile().await;
        assert_eq!(stage.balance(home).await, 1_000_000, "{moment:?}");
        assert_eq!(holder.balance().await["available_usd"], "0", "{moment:?}");
        stage.assert_sound().await;
    }
}
