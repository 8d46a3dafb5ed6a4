//! The settler over a chain that is not ours: what it makes of other words for the same refusal.

use alloy_primitives::{B256, Bytes, Log, U256};
use async_trait::async_trait;
use glassbox_core::Atomic;
use glassbox_pay::chain::{Call, CallError, Chain, Standing, Submission, TransferEvent};
use glassbox_pay::eip712::Domain;
use glassbox_pay::{Address, ErrorCode, Facilitator, Network, PayError, Settlement, Settler, devnet};

use crate::stage::{START_S, Stage, call, wallet};

/// A chain that answers everything alike.
#[derive(Clone)]
struct Alike {
    called: Result<Bytes, CallError>,
    submitted: Submission,
}

#[async_trait]
impl Chain for Alike {
    fn label(&self) -> &str {
        "another chain"
    }

    fn network(&self) -> Network {
        devnet::NETWORK
    }

    fn submitter(&self) -> Address {
        wallet("treasury").address()
    }

    async fn now_s(&self) -> Result<u64, PayError> {
        Ok(START_S)
    }

    async fn block(&self) -> Result<u64, PayError> {
        Ok(7)
    }

    async fn call(&self, _call: &Call) -> Result<Bytes, CallError> {
        self.called.clone()
    }

    async fn submit(&self, _id: &str, _call: &Call) -> Submission {
        self.submitted.clone()
    }

    async fn standing(&self, _transaction: B256) -> Result<Standing, PayError> {
        Ok(Standing::Missing)
    }

    async fn logs(&self, _transaction: B256) -> Result<Option<Vec<Log>>, PayError> {
        Ok(None)
    }

    async fn input(&self, _transaction: B256) -> Result<Option<Bytes>, PayError> {
        Ok(None)
    }

    async fn transfers(&self, _account: Address, _from_block: u64) -> Result<Vec<TransferEvent>, PayError> {
        Ok(Vec::new())
    }
}

fn settler(called: Result<Bytes, CallError>, submitted: Submission) -> Settler<Alike> {
    let token = Domain {
        name: devnet::SIGNING_NAME.to_owned(),
        version: devnet::SIGNING_VERSION.to_owned(),
        chain_id: devnet::NETWORK.chain_id,
        verifying_contract: devnet::ASSET,
    };
    Settler::new(Alike { called, submitted }, wallet("treasury"), token)
}

/// What reverts with a text.
fn text(text: &str) -> Bytes {
    let mut words = vec![B256::with_last_byte(32), U256::from(text.len()).into()];
    for part in text.as_bytes().chunks(32) {
        words.push(B256::right_padding_from(part));
    }
    call("Error(string)", &words).into()
}

#[tokio::test]
async fn the_texts_of_the_deployed_dollar_are_understood() {
    let stage = Stage::new().await;
    let offered = stage.offer(2_000);
    let payload = stage.sign(&offered, 1);
    for (said, code) in [
        ("ERC20: transfer amount exceeds balance", ErrorCode::InsufficientFunds),
        ("FiatTokenV2: authorization is not yet valid", ErrorCode::ValidAfter),
        ("FiatTokenV2: authorization is expired", ErrorCode::ValidBefore),
        ("FiatTokenV2: authorization is used or canceled", ErrorCode::NonceAlreadyUsed),
        ("FiatTokenV2: invalid signature", ErrorCode::Signature),
        ("Blacklistable: account is blacklisted", ErrorCode::TransactionFailed),
        ("", ErrorCode::TransactionFailed),
    ] {
        let output = text(said);
        let rail = settler(Err(CallError::Reverted(output.clone())), Submission::Reverted { output });
        let tried = rail.verify(&payload, &offered).await.unwrap_err();
        let settled = rail.settle(&payload, &offered, Atomic(2_000)).await;
        if code == ErrorCode::NonceAlreadyUsed {
            // Somebody may have submitted it, and this chain does not say.
            assert!(matches!(settled, Settlement::Unknown { .. }), "{settled:?}");
            assert_eq!(tried.code, code);
            continue;
        }
        let Settlement::Rejected(refused) = settled else { panic!("{settled:?}") };
        assert_eq!(refused.code, code, "{said}");
        if code == ErrorCode::TransactionFailed {
            assert_eq!(tried.code, ErrorCode::SimulationFailed);
            assert!(tried.message.contains(said), "{tried}");
        } else {
            assert_eq!(tried, refused);
        }
    }
    // Whatever bytes a contract answers, they are read or not, and never more.
    for length in [0, 1, 3, 4, 35, 36, 68, 99] {
        let mut output = text("ERC20: transfer amount exceeds balance").to_vec();
        output.truncate(length);
        for output in [output.clone(), [output, vec![0xff; 64]].concat()] {
            let rail = settler(
                Err(CallError::Reverted(output.into())),
                Submission::Reverted { output: Bytes::new() },
            );
            assert!(rail.verify(&payload, &offered).await.is_err());
        }
    }
}

#[tokio::test]
async fn a_chain_that_cannot_be_asked_decides_nothing() {
    let stage = Stage::new().await;
    let offered = stage.offer(2_000);
    let payload = stage.sign(&offered, 1);
    let down = settler(
        Err(CallError::Unavailable("no route".to_owned())),
        Submission::Unknown { detail: "timed out".to_owned() },
    );
    let code = down.verify(&payload, &offered).await.unwrap_err().code;
    assert_eq!(code, ErrorCode::UnexpectedVerifyError);
    let unknown = |settlement| matches!(settlement, Settlement::Unknown { .. });
    assert!(unknown(down.settle(&payload, &offered, Atomic(2_000)).await));
    assert!(unknown(down.pay_out("id", stage.payee, Atomic(1)).await));
    assert!(unknown(down.claim("id", &[stage.claim(1)]).await));
    assert!(unknown(down.refund_channel("id", &stage.claim(1), Atomic(1)).await));
    assert!(matches!(down.balance(stage.payee).await, Err(PayError::Unavailable(_))));
    assert!(matches!(down.channel(B256::ZERO).await, Err(PayError::Unavailable(_))));
}

#[tokio::test]
async fn a_transaction_without_the_transfer_is_no_payment() {
    let stage = Stage::new().await;
    let offered = stage.offer(2_000);
    let payload = stage.sign(&offered, 1);
    // A call to where there is no contract succeeds, and answers nothing.
    let nothing = Submission::Mined { transaction: B256::ZERO, block: 7, logs: Vec::new() };
    let empty = settler(Ok(Bytes::new()), nothing);
    let settled = empty.settle(&payload, &offered, Atomic(2_000)).await;
    let Settlement::Rejected(refused) = settled else { panic!("{settled:?}") };
    assert_eq!(refused.code, ErrorCode::InvalidTransactionState);
    assert!(matches!(empty.channel(B256::ZERO).await, Err(PayError::Unavailable(_))));
    assert!(matches!(empty.balance(stage.payee).await, Err(PayError::Unavailable(_))));
    for garbage in [vec![0xff; 32], vec![0xff; 96], vec![0; 64], vec![0x20; 500]] {
        let submitted = Submission::Unknown { detail: String::new() };
        let rail = settler(Ok(garbage.into()), submitted);
        assert!(rail.channel(B256::ZERO).await.is_err());
    }
}
