//! Payments of every scheme: what we sign is what the stock SDK signs, and nothing in it can be changed.

use alloy_primitives::{B256, U256, hex};
use glassbox_core::Atomic;
use glassbox_pay::eip712::batch::channel_id;
use glassbox_pay::scheme::batch::{Action, ChannelConfig};
use glassbox_pay::wallet::DepositTerms;
use glassbox_pay::x402::extensions;
use glassbox_pay::{Authorization, Claim, PaymentPayload, Rejection, Wallet, devnet, payment};
use serde_json::{Value, json};

use crate::stage::{stock_payment, stock_schemes};

/// The second at which the stock payments were signed.
const NOW_S: u64 = 1_800_000_000;

fn key(name: &str) -> Wallet {
    Wallet::from_hex(stock_schemes()["keys"][name].as_str().unwrap()).unwrap()
}

fn read(payload: &PaymentPayload) -> Result<Authorization, Rejection> {
    payment::read(payload, &payload.accepted)
}

/// Signs what the stock SDK signed, with our wallet.
fn repeat(theirs: &PaymentPayload) -> PaymentPayload {
    let (wallet, offered) = (key("payer"), &theirs.accepted);
    let part = Value::Object(theirs.payload.clone());
    let number = |text: &Value| text.as_str().unwrap().parse::<U256>().unwrap();
    let mut ours = match read(theirs).unwrap() {
        Authorization::Exact(exact) => {
            wallet.sign_exact_with_nonce(offered, None, NOW_S, exact.key.nonce).unwrap()
        }
        Authorization::Upto(upto) => wallet.sign_upto(offered, None, NOW_S, upto.key.nonce).unwrap(),
        Authorization::Batch(batch) => {
            let channel = batch.channel;
            match batch.action {
                Action::Voucher => wallet.sign_voucher(offered, None, &channel, batch.max_claimable).unwrap(),
                Action::Refund(amount) => {
                    wallet.sign_channel_refund(offered, None, &channel, batch.max_claimable, amount).unwrap()
                }
                Action::Deposit(deposit) => {
                    let authorization = &part["deposit"]["authorization"];
                    let salt = match &authorization["erc3009Authorization"]["salt"] {
                        Value::Null => number(&authorization["permit2Authorization"]["nonce"]),
                        salt => number(salt),
                    };
                    let terms = DepositTerms { amount: deposit.amount, salt: B256::from(salt), now_s: NOW_S };
                    wallet.sign_deposit(offered, None, &channel, batch.max_claimable, &terms).unwrap()
                }
            }
        }
    };
    if let Some(theirs) = &theirs.extensions {
        wallet.add_permit(&mut ours, U256::from(3)).unwrap();
        let info = &stock_schemes()["sponsored"];
        extensions::echo(&mut ours, info.as_object());
        assert_eq!(ours.extensions.as_ref(), Some(theirs));
    }
    ours
}

#[test]
fn our_wallet_signs_what_the_stock_sdk_signs() {
    let python: Value = serde_json::from_str(include_str!("../data/stock-schemes-py.json")).unwrap();
    let vectors = [stock_schemes(), python];
    let payments = vectors.iter().flat_map(|vectors| vectors["payments"].as_array().unwrap());
    for vector in payments.filter(|vector| vector["name"] != "batch deposit with a second key") {
        let theirs: PaymentPayload = serde_json::from_value(vector["payload"].clone()).unwrap();
        assert_eq!(repeat(&theirs), theirs, "{}", vector["name"]);
    }
}

#[test]
fn the_channel_of_an_offer_is_that_of_the_stock_sdk() {
    let payload = stock_payment("batch voucher");
    let theirs: ChannelConfig = serde_json::from_value(payload.payload["channelConfig"].clone()).unwrap();
    assert_eq!(key("payer").channel(&payload.accepted, B256::ZERO).unwrap(), theirs);
}

#[test]
fn the_operator_signs_claims_and_refunds_as_the_stock_sdk() {
    let vectors = stock_schemes();
    let payload = stock_payment("batch voucher");
    let Authorization::Batch(batch) = read(&payload).unwrap() else { panic!("it is of a channel") };
    let signed = |at: usize| vectors["operator"][at]["signature"].as_str().unwrap().to_owned();
    let operator = key("operator");
    // The second claim of the stock batch is of an unknown channel, so only the empty batch can be repeated whole.
    assert_eq!(hex::encode_prefixed(operator.sign_claim_batch(devnet::NETWORK, &[])), signed(1));
    let refund = operator.sign_refund(devnet::NETWORK, batch.channel_id, U256::from(7), Atomic(1_000));
    assert_eq!(hex::encode_prefixed(refund), signed(2));
    let claim = Claim {
        channel: batch.channel.clone(),
        max_claimable: batch.max_claimable,
        signature: batch.signature.to_vec(),
        total_claimed: Atomic(1),
    };
    let entry = glassbox_pay::scheme::batch::ClaimEntry {
        channel_id: channel_id(devnet::NETWORK.chain_id, &batch.channel),
        max_claimable: batch.max_claimable.0,
        total_claimed: 1,
    };
    let digest = glassbox_pay::eip712::batch::claim_batch_digest(devnet::NETWORK.chain_id, &[entry]);
    let signature = operator.sign_claim_batch(devnet::NETWORK, &[claim]);
    assert_eq!(glassbox_pay::eip712::recover(digest, &signature), Ok(operator.address()));
}

/// Every text and number in a value, by its path.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(name, value)| leaves(value, &format!("{path}/{name}"), found))
        }
        Value::String(_) | Value::Number(_) => found.push(path.to_owned()),
        other => panic!("{other} at {path}"),
    }
}

/// Texts that differ from one in a single character that means something else: a dozen of them, all over the text.
fn neighbours(text: &str) -> Vec<String> {
    let other = |symbol: char| match symbol {
        '9' => '8',
        'f' | 'F' => 'e',
        'x' => 'y',
        digit => char::from(u8::try_from(digit).unwrap() + 1),
    };
    let change =
        |at: usize| text.chars().enumerate().map(move |(i, it)| if i == at { other(it) } else { it });
    (0..text.len())
        .step_by(text.len() / 12 + 1)
        .chain(text.len().checked_sub(1))
        .map(|at| change(at).collect())
        .collect()
}

#[test]
fn nothing_of_a_payment_can_be_changed() {
    let mut tried = 0;
    for vector in stock_schemes()["payments"].as_array().unwrap() {
        let mut paths = Vec::new();
        leaves(&vector["payload"]["payload"], "/payload", &mut paths);
        if let Some(permit) = vector["payload"].get("extensions") {
            leaves(
                &permit["eip2612GasSponsoring"]["info"],
                "/extensions/eip2612GasSponsoring/info",
                &mut paths,
            );
        }
        // Nobody signs these: how much is asked back, and what the extension says of itself.
        paths.retain(|path| {
            !["/payload/amount", "info/description", "info/version"].iter().any(|it| path.ends_with(it))
        });
        for path in paths {
            let mut check = |changed: Value| {
                let mut payload = vector["payload"].clone();
                *payload.pointer_mut(&path).unwrap() = changed.clone();
                let payload = serde_json::from_value(payload).unwrap();
                assert!(read(&payload).is_err(), "{}: {path} = {changed}", vector["name"]);
                tried += 1;
            };
            match vector["payload"].pointer(&path).unwrap() {
                Value::String(text) => neighbours(text).into_iter().for_each(|text| check(text.into())),
                number => check(json!(number.as_u64().unwrap() + 1)),
            }
            check(json!(null));
            check(json!({}));
            check(json!(""));
        }
    }
    assert!(tried > 1_500, "{tried}");
}
