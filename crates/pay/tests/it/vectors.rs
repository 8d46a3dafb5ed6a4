//! Payments made by the stock SDKs are read, checked and repeated to the byte.

use alloy_primitives::{B256, U256, hex};
use glassbox_core::Atomic;
use glassbox_pay::eip712::batch::{
    ClaimEntry, channel_id, claim_batch_digest, deposit_nonce, refund_digest, voucher_digest,
};
use glassbox_pay::eip712::permit2::{Witness, permit_transfer_digest};
use glassbox_pay::eip712::token::{Permit, permit_digest, receive_digest};
use glassbox_pay::eip712::{Domain, SignatureError, Transfer, recover, transfer_digest};
use glassbox_pay::evm::addresses::{ERC3009_DEPOSIT_COLLECTOR, PERMIT2, PERMIT2_DEPOSIT_COLLECTOR};
use glassbox_pay::scheme::batch::{Action, BatchPayload, DepositMethod};
use glassbox_pay::scheme::permit2;
use glassbox_pay::x402::{decode, encode};
use glassbox_pay::{
    Authorization, PaymentPayload, PaymentRequired, SettleResponse, Wallet, devnet, exact, payment,
};
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../data/stock-payments.json")).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("`{name}` is a text"))
}

#[test]
fn stock_payments_pass_the_check() {
    let vectors = vectors();
    let payments = vectors["payments"].as_array().unwrap();
    assert_eq!(payments.len(), 11);
    for vector in payments {
        let payload: PaymentPayload = decode(text(vector, "payment_signature_header")).unwrap();
        assert_eq!(serde_json::to_value(&payload).unwrap(), vector["payload"], "nothing is lost in reading");
        let valid_before: u64 = payload.exact().unwrap().authorization.valid_before.parse().unwrap();
        let Authorization::Exact(authorization) =
            payment::check(&payload, &payload.accepted, valid_before - 30, 1_000).unwrap()
        else {
            panic!("another scheme")
        };
        assert_eq!(authorization.key.payer.to_checksum(None), text(vector, "address"));
        assert_eq!(authorization.amount, payload.accepted.amount().unwrap());
    }
}

#[test]
fn our_wallet_signs_what_the_stock_wallets_sign() {
    for vector in vectors()["payments"].as_array().unwrap() {
        let payload: PaymentPayload = decode(text(vector, "payment_signature_header")).unwrap();
        let theirs = payload.exact().unwrap();
        let wallet = Wallet::from_hex(text(vector, "private_key")).unwrap();
        assert_eq!(wallet.address().to_checksum(None), text(vector, "address"));
        let valid_before: u64 = theirs.authorization.valid_before.parse().unwrap();
        let now_s = valid_before - payload.accepted.max_timeout_seconds;
        let nonce = theirs.authorization.nonce.parse().unwrap();
        let ours =
            wallet.sign_exact_with_nonce(&payload.accepted, None, now_s, nonce).unwrap().exact().unwrap();
        assert_eq!(ours, theirs);
    }
}

#[test]
fn digests_are_those_of_viem() {
    let vectors = vectors();
    let with_digest =
        vectors["payments"].as_array().unwrap().iter().filter(|vector| vector["digest"].is_string());
    let mut checked = 0;
    for vector in with_digest {
        let exact =
            decode::<PaymentPayload>(text(vector, "payment_signature_header")).unwrap().exact().unwrap();
        let domain = Domain {
            name: devnet::SIGNING_NAME.to_owned(),
            version: devnet::SIGNING_VERSION.to_owned(),
            chain_id: devnet::NETWORK.chain_id,
            verifying_contract: devnet::ASSET,
        };
        let transfer = Transfer {
            from: exact.authorization.from.parse().unwrap(),
            to: exact.authorization.to.parse().unwrap(),
            value: exact.authorization.value.parse().unwrap(),
            valid_after: exact.authorization.valid_after.parse().unwrap(),
            valid_before: exact.authorization.valid_before.parse().unwrap(),
            nonce: exact.authorization.nonce.parse().unwrap(),
        };
        let digest = transfer_digest(&domain, &transfer);
        assert_eq!(digest.to_string(), text(vector, "digest"));
        let signature = hex::decode(&exact.signature).unwrap();
        assert_eq!(recover(digest, &signature), Ok(transfer.from));
        let order =
            U256::from_be_bytes(hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
        let mut twin = signature.clone();
        twin[32..64].copy_from_slice(&(order - U256::from_be_slice(&signature[32..64])).to_be_bytes::<32>());
        twin[64] = 55 - twin[64];
        assert_eq!(recover(digest, &twin), Err(SignatureError::HighS));
        assert_eq!(recover(digest, &signature[..64]), Err(SignatureError::Length));
        checked += 1;
    }
    assert_eq!(checked, 9);
}

#[test]
fn offers_and_answers_are_read_and_written_as_stock() {
    let vectors = vectors();
    for vector in vectors["payments"].as_array().unwrap() {
        if let Some(header) = vector["payment_required_header"].as_str() {
            let required: PaymentRequired = decode(header).unwrap();
            assert_eq!(decode::<Value>(&encode(&required)), decode::<Value>(header));
            assert_eq!(
                required.accepts[0],
                decode::<PaymentPayload>(text(vector, "payment_signature_header")).unwrap().accepted
            );
        }
    }
    for vector in vectors["responses"].as_array().unwrap() {
        let response: SettleResponse = decode(text(vector, "header")).unwrap();
        assert_eq!(serde_json::to_value(&response).unwrap(), vector["response"]);
    }
}

fn token_domain() -> Domain {
    Domain {
        name: devnet::SIGNING_NAME.to_owned(),
        version: devnet::SIGNING_VERSION.to_owned(),
        chain_id: devnet::NETWORK.chain_id,
        verifying_contract: devnet::ASSET,
    }
}

const CHAIN_ID: u64 = devnet::NETWORK.chain_id;

/// Every digest that a payment makes its payer sign, as we hash it, by the name of its type.
fn digests(authorization: &Authorization) -> Vec<(&'static str, B256)> {
    let payer = authorization.payer();
    let permit = |permit: &Option<permit2::Permit>, amount: Atomic| {
        permit.as_ref().map(|permit| {
            let signed = Permit {
                owner: payer,
                spender: PERMIT2,
                value: U256::from(amount.0),
                nonce: permit.nonce,
                deadline: permit.deadline,
            };
            let digest = permit_digest(&token_domain(), &signed);
            assert_eq!(recover(digest, &permit.signature), Ok(payer));
            ("Permit", digest)
        })
    };
    let transfer = "PermitWitnessTransferFrom";
    match authorization {
        Authorization::Exact(exact) => {
            let witness = Witness::Exact { to: exact.to, valid_after: exact.valid_after };
            let digest = permit_transfer_digest(CHAIN_ID, &exact.permit_transfer().unwrap(), &witness);
            let exact::Method::Permit2 { permit: allowance, .. } = &exact.method else { panic!("{exact:?}") };
            [(transfer, digest)].into_iter().chain(permit(allowance, exact.amount)).collect()
        }
        Authorization::Upto(upto) => {
            let (to, facilitator, valid_after) = (upto.to, upto.facilitator, upto.valid_after);
            let witness = Witness::Upto { to, facilitator, valid_after };
            let digest = permit_transfer_digest(CHAIN_ID, &upto.permit_transfer(), &witness);
            [(transfer, digest)].into_iter().chain(permit(&upto.permit, upto.ceiling)).collect()
        }
        Authorization::Batch(batch) => {
            let voucher = voucher_digest(CHAIN_ID, batch.channel_id, batch.max_claimable.0);
            let mut digests = vec![("Voucher", voucher)];
            let Action::Deposit(deposit) = &batch.action else { return digests };
            match &deposit.method {
                DepositMethod::Eip3009 { valid_after, valid_before, salt, .. } => {
                    let nonce = deposit_nonce(batch.channel_id, *salt);
                    assert_eq!(deposit.key.nonce, nonce);
                    let received = Transfer {
                        from: payer,
                        to: ERC3009_DEPOSIT_COLLECTOR,
                        value: U256::from(deposit.amount.0),
                        valid_after: *valid_after,
                        valid_before: *valid_before,
                        nonce,
                    };
                    digests.push(("ReceiveWithAuthorization", receive_digest(&token_domain(), &received)));
                }
                DepositMethod::Permit2 { deadline, permit: allowance, .. } => {
                    let moved = glassbox_pay::eip712::permit2::PermitTransfer {
                        token: batch.channel.token,
                        amount: U256::from(deposit.amount.0),
                        spender: PERMIT2_DEPOSIT_COLLECTOR,
                        nonce: deposit.key.nonce.into(),
                        deadline: *deadline,
                    };
                    let witness = Witness::Deposit { channel_id: batch.channel_id };
                    digests.push((transfer, permit_transfer_digest(CHAIN_ID, &moved, &witness)));
                    digests.extend(permit(allowance, deposit.amount));
                }
            }
            digests
        }
    }
}

#[test]
fn stock_payments_of_every_scheme_are_read_and_hashed_alike() {
    let vectors = crate::stage::stock_schemes();
    let payments = vectors["payments"].as_array().unwrap();
    assert_eq!(payments.len(), 11);
    for vector in payments {
        let name = text(vector, "name");
        let payload: PaymentPayload = serde_json::from_value(vector["payload"].clone()).unwrap();
        assert_eq!(serde_json::to_value(&payload).unwrap(), vector["payload"], "{name}");
        let now_s = vectors["now_s"].as_u64().unwrap();
        let authorization = payment::check(&payload, &payload.accepted, now_s, 30_000).unwrap();
        assert!(name.starts_with(authorization.scheme().as_str().split('-').next().unwrap()), "{name}");
        let ours = digests(&authorization);
        let theirs = vector["signed"].as_array().unwrap();
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for signed in theirs {
            let digest = text(signed, "digest").parse().unwrap();
            assert!(ours.contains(&(text(signed, "type"), digest)), "{name}: {signed}");
            let signature = hex::decode(text(signed, "signature")).unwrap();
            assert_eq!(recover(digest, &signature).unwrap().to_checksum(None), text(signed, "signer"));
        }
    }
}

#[test]
fn stock_batch_payloads_are_repeated() {
    for vector in crate::stage::stock_schemes()["payments"].as_array().unwrap() {
        let payload = &vector["payload"]["payload"];
        if payload["type"].is_string() {
            let read: BatchPayload = serde_json::from_value(payload.clone()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), *payload);
        }
    }
}

#[test]
fn channels_claims_and_refunds_are_hashed_as_stock() {
    let vectors = crate::stage::stock_schemes();
    let channel = &vectors["payments"][4]["payload"]["payload"]["channelConfig"];
    let id = channel_id(CHAIN_ID, &serde_json::from_value(channel.clone()).unwrap());
    assert_eq!(id.to_string(), text(&vectors, "channel_id"));
    let number = |claim: &Value, name| text(claim, name).parse().unwrap();
    let claims: Vec<ClaimEntry> = vectors["claims"]
        .as_array()
        .unwrap()
        .iter()
        .map(|claim| ClaimEntry {
            channel_id: text(claim, "channelId").parse().unwrap(),
            max_claimable: number(claim, "maxClaimableAmount"),
            total_claimed: number(claim, "totalClaimed"),
        })
        .collect();
    let ours = [
        claim_batch_digest(CHAIN_ID, &claims),
        claim_batch_digest(CHAIN_ID, &[]),
        refund_digest(CHAIN_ID, id, U256::from(7), 1_000),
    ];
    let theirs = vectors["operator"].as_array().unwrap();
    assert_eq!(
        ours.map(|digest| digest.to_string()).to_vec(),
        theirs.iter().map(|it| text(it, "digest")).collect::<Vec<_>>()
    );
}
