//! Delegation: agents hand tokens on to agents, offline and to any depth, and the ledger keeps every budget of the chain.

use glassbox_core::Atomic;
use glassbox_core::key::SecretKey;
use glassbox_core::possession::{self, Covered};
use glassbox_store::Moment;
use glassbox_token::{Caps, Issuer, Token};
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::buyer::{Reply, bench};
use crate::stage::{Stage, Sweep};

/// Somebody with a token, and the key that it is bound to.
#[derive(Clone)]
struct Agent {
    url: String,
    http: reqwest::Client,
    now_s: u64,
    token: Token,
    key: SecretKey,
}

/// A request that can be sent more than once, and not by its sender alone.
#[derive(Clone)]
struct Letter {
    path: String,
    body: Vec<u8>,
    token: String,
    digest: String,
    input: String,
    signature: String,
}

fn key(name: &str) -> SecretKey {
    SecretKey::from_seed(glassbox_core::Digest::of(name).as_bytes())
}

fn double(n: u32) -> Value {
    json!({ "args": [n] })
}

impl Agent {
    /// The owner of a new account with a dollar, whose token is anybody's who has it.
    async fn owner(stage: &Stage) -> Self {
        let (_, token) = stage.registry.grant_credit("ana", Atomic(1_000_000)).await.unwrap();
        let (url, http, now_s) = (stage.url.clone(), stage.http.clone(), stage.world.now_s());
        Self { url, http, now_s, token, key: key("owner") }
    }

    /// Hands the token on, narrowed and bound to another's key.
    fn hand_on(&self, name: &str, caps: Caps) -> Self {
        let caps = Caps { holder: Some(key(name).public()), ..caps };
        let token = match self.token.inspect().unwrap().holder().unwrap() {
            Some(_) => self.token.hand_on(&caps, &self.key).unwrap(),
            None => self.token.attenuate(&caps).unwrap(),
        };
        Self { token, key: key(name), ..self.clone() }
    }

    fn letter(&self, path: &str, body: &Value, nonce: &str) -> Letter {
        let body = serde_json::to_vec(body).unwrap();
        let (digest, token) = (possession::content_digest(&body), self.token.to_string());
        let authorization = format!("Bearer {token}");
        let covered =
            Covered { method: "POST", target: path, authorization: &authorization, content_digest: &digest };
        let nonce = &glassbox_core::Digest::of(nonce).hex()[..32];
        let possession::Signed { input, signature } =
            possession::sign(&covered, &self.key, self.now_s, nonce);
        Letter { path: path.to_owned(), body, token, digest, input, signature }
    }

    async fn send(&self, letter: &Letter) -> Reply {
        let request = self.http.post(format!("{}{}", self.url, letter.path)).body(letter.body.clone());
        let request = request
            .bearer_auth(&letter.token)
            .header(possession::CONTENT_DIGEST, &letter.digest)
            .header(possession::SIGNATURE_INPUT, &letter.input)
            .header(possession::SIGNATURE, &letter.signature);
        Reply::of(request.send().await.unwrap()).await
    }

    async fn call(&self, n: u32, nonce: &str) -> Reply {
        self.send(&self.letter(&bench("double"), &double(n), nonce)).await
    }

    /// Calls until it is told something else than to come again.
    async fn insist(&self, n: u32, nonce: &str) -> Reply {
        loop {
            let reply = self.call(n, nonce).await;
            if reply.status != 503 {
                return reply;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    fn bearing(&self, n: u32) -> RequestBuilder {
        let request = self.http.post(format!("{}{}", self.url, bench("double"))).json(&double(n));
        request.bearer_auth(&self.token)
    }

    async fn revoke(&self, body: &Value) -> Reply {
        self.send(&self.letter("/v1/credit/revoke", body, "revoke")).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_sub_agents_race_for_ten_calls_and_exactly_ten_are_made() {
    let stage = Stage::new().await;
    let owner = Agent::owner(&stage).await;
    let lead = owner.hand_on("lead", Caps { calls_max: Some(10), ..Caps::default() });
    // Five teams of ten, each with four calls and room for three in money, below one budget of ten.
    let mut calls = JoinSet::new();
    for team in 0..5 {
        let budget = Caps { calls_max: Some(4), amount_max: Some(Atomic(6_000)), ..Caps::default() };
        let team_lead = lead.hand_on(&format!("team {team}"), budget);
        for member in 0..10 {
            let agent = team_lead.hand_on(&format!("agent {team}.{member}"), Caps::default());
            calls.spawn(async move {
                let n = team * 10 + member;
                (team, agent.insist(n, "race").await)
            });
        }
    }
    let mut made = [0; 5];
    for (team, reply) in calls.join_all().await {
        match (reply.status, reply.code().as_str()) {
            (200, _) => made[team as usize] += 1,
            (403, "token-spent") => {}
            _ => panic!("{}", reply.text),
        }
    }
    assert_eq!(made.iter().sum::<u32>(), 10, "{made:?}");
    assert!(made.iter().all(|made| *made <= 3), "each ancestor's budget holds: {made:?}");
    lead.call(99, "late").await.assert_problem(403, "token-spent");
    // The owner's token is not part of the lead's budget.
    assert_eq!(Reply::of(owner.bearing(98).send().await.unwrap()).await.output(), 196);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_token_is_of_no_use_without_its_holders_key() {
    let stage = Stage::new().await;
    let agent = Agent::owner(&stage).await.hand_on("agent", Caps::default());
    let bare = Reply::of(agent.bearing(1).send().await.unwrap()).await;
    bare.assert_problem(401, "proof-refused");
    let thief = Agent { key: key("thief"), ..agent.clone() };
    thief.call(1, "theft").await.assert_problem(401, "proof-refused");
    // A thief can append, and gains nothing by it.
    let narrower = Agent { token: agent.token.attenuate(&Caps::default()).unwrap(), ..thief.clone() };
    narrower.call(1, "theft").await.assert_problem(401, "proof-refused");
    // Nor are the account and its replies open to it.
    let shown = stage.http.get(format!("{}/v1/credit", stage.url)).bearer_auth(&agent.token);
    Reply::of(shown.send().await.unwrap()).await.assert_problem(401, "proof-refused");
    let named = agent.bearing(1).header("idempotency-key", "job-1");
    Reply::of(named.send().await.unwrap()).await.assert_problem(401, "proof-refused");
    assert_eq!(agent.call(1, "mine").await.output(), 2);
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_request_is_good_for_itself_once_and_for_a_while() {
    let stage = Stage::new().await;
    let agent = Agent::owner(&stage).await.hand_on("agent", Caps { calls_max: Some(2), ..Caps::default() });
    let letter = agent.letter(&bench("double"), &double(4), "once");
    let first = agent.send(&letter).await;
    // Who listened and sends it again makes no second call.
    let mut again = JoinSet::new();
    for _ in 0..8 {
        let (agent, letter) = (agent.clone(), letter.clone());
        again.spawn(async move { agent.send(&letter).await });
    }
    for reply in again.join_all().await {
        assert_eq!((reply.output(), &reply.json()["replayed"]), (json!(8), &json!(true)));
        assert_eq!(reply.receipt().1.call, first.receipt().1.call);
    }
    // Another body, another path, another time, another token: another request.
    let body = serde_json::to_vec(&double(5)).unwrap();
    let other_body = Letter { body: body.clone(), ..letter.clone() };
    agent.send(&other_body).await.assert_problem(400, "content-digest-differs");
    let other_digest = Letter { digest: possession::content_digest(&body), body, ..letter.clone() };
    agent.send(&other_digest).await.assert_problem(400, "proof-malformed");
    let other_path = Letter { path: bench("burn"), ..letter.clone() };
    agent.send(&other_path).await.assert_problem(400, "proof-malformed");
    let later = Letter { input: letter.input.replace("created=18", "created=19"), ..letter.clone() };
    agent.send(&later).await.assert_problem(400, "proof-malformed");
    // The budget knows one call; the second is signed anew.
    assert_eq!(agent.call(4, "twice").await.json()["replayed"], false);
    agent.call(4, "thrice").await.assert_problem(403, "token-spent");
    // Too late, or too early.
    stage.world.advance(std::time::Duration::from_secs(121));
    agent.send(&letter).await.assert_problem(401, "proof-refused");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_is_taken_back_stops_every_descendant() {
    let stage = Stage::new().await;
    let owner = Agent::owner(&stage).await;
    let lead = owner.hand_on("lead", Caps::default());
    let helper = lead.hand_on("helper", Caps::default());
    let below = helper.hand_on("below", Caps { calls_max: Some(5), ..Caps::default() });
    assert_eq!(below.call(1, "a").await.output(), 2);
    // By the id of a block that the registry need not have seen; nobody but the account's own token may name one.
    let id = helper.token.inspect().unwrap().blocks[2].0.to_string();
    lead.revoke(&json!({ "block": id })).await.assert_problem(401, "token-refused");
    let stranger = Agent::owner(&stage).await;
    assert_eq!(stranger.revoke(&json!({ "block": id })).await.status, 204);
    assert_eq!(below.call(2, "b").await.output(), 4, "another's account is another's");
    assert_eq!(owner.revoke(&json!({ "block": id })).await.status, 204);
    helper.call(3, "c").await.assert_problem(403, "token-spent");
    below.call(3, "c").await.assert_problem(403, "token-spent");
    assert_eq!(lead.call(3, "c").await.output(), 6);
    owner.revoke(&json!({ "block": "12" })).await.assert_problem(400, "block-invalid");
    // By its text, which whoever has it may say, and also where the holder is somebody else.
    let finder = Agent { key: key("finder"), ..lead.clone() };
    assert_eq!(finder.revoke(&json!({})).await.status, 204);
    lead.call(4, "d").await.assert_problem(403, "token-spent");
    // It stays so after a restart.
    let stage = stage.reopen(Sweep::On).await;
    let (url, now_s) = (stage.url.clone(), stage.world.now_s());
    Agent { url, now_s, ..below }.call(5, "e").await.assert_problem(403, "token-spent");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_cap_is_kept_wherever_in_the_chain_it_stands() {
    let stage = Stage::new().await;
    let owner = Agent::owner(&stage).await;
    let component = stage.get("/v1/packages/lab/bench/1.0.0").await.json()["component"].clone();
    let component: glassbox_core::Digest = serde_json::from_value(component).unwrap();
    let other = glassbox_core::Digest::of("other");
    for caps in [
        Caps { expires_at_s: Some(stage.world.now_s()), ..Caps::default() },
        Caps { functions: Some(vec!["burn".into()]), ..Caps::default() },
        Caps { packages: Some(vec!["lab:other".parse().unwrap()]), ..Caps::default() },
        Caps { releases: Some(vec!["lab:bench@1.0.1".parse().unwrap()]), ..Caps::default() },
        Caps { components: Some(vec![other]), ..Caps::default() },
        // A token is for one ledger: that of the registry whose key issued it.
        Caps { audience: Some("https://other.example".into()), ..Caps::default() },
    ] {
        let lead = owner.hand_on("lead", caps.clone());
        let wide = Caps {
            releases: Some(vec!["lab:bench@1.0.0".parse().unwrap()]),
            components: Some(vec![component, other]),
            ..Caps::default()
        };
        let agent = lead.hand_on("agent", wide.clone());
        agent.call(1, "x").await.assert_problem(401, "token-refused");
        let turned = owner.hand_on("lead", wide).hand_on("agent", caps);
        turned.call(1, "x").await.assert_problem(401, "token-refused");
    }
    let fitting = Caps {
        releases: Some(vec!["lab:bench@1.0.0".parse().unwrap()]),
        components: Some(vec![component]),
        functions: Some(vec!["double".into()]),
        audience: Some(stage.url.clone()),
        ..Caps::default()
    };
    assert_eq!(owner.hand_on("agent", fitting).call(1, "y").await.output(), 2);
    // Minted by another ledger for the very same account.
    let account = owner.token.inspect().unwrap().account;
    let foreign = Issuer::from_seed(&[9; 32]).mint(&account, &Caps::default()).unwrap();
    Agent { token: foreign, ..owner }.call(1, "z").await.assert_problem(401, "token-refused");
    stage.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_that_fails_half_way_is_repeated() {
    for moment in [Moment::Before, Moment::After] {
        let stage = Stage::without_sweep().await;
        let owner = Agent::owner(&stage).await;
        let agent = owner.hand_on("agent", Caps::default());
        stage.inject("revoke_block", moment);
        assert_eq!(agent.revoke(&json!({})).await.status, 500);
        assert_eq!(stage.store().faults_waiting(), 0);
        let stopped = agent.call(1, "a").await.code() == "token-spent";
        assert_eq!(stopped, moment == Moment::After);
        assert_eq!(agent.revoke(&json!({})).await.status, 204);
        agent.call(2, "b").await.assert_problem(403, "token-spent");
        stage.assert_sound().await;
    }
}
