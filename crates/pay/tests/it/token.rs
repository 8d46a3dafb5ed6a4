//! The token's own rules, called as any program on a chain would call it.

use alloy_primitives::{Address, B256, Bytes, U256, hex, keccak256};
use glassbox_pay::{Wallet, devnet};
use k256::ecdsa::SigningKey;
use revm::context::TxEnv;
use revm::context::result::ExecutionResult;
use revm::database::{CacheDB, EmptyDB};
use revm::state::{AccountInfo, Bytecode};
use revm::{Context, ExecuteCommitEvm, MainBuilder, MainContext};

use crate::stage::{START_S, nonce, wallet};

const CODE: &str = include_str!("../../../../contracts/token.bin-runtime");
const SIX_WORDS: &str = "address,address,uint256,uint256,uint256,bytes32";

/// A token on a chain of its own, at an address and on a chain id that are not the devnet's, to show that the code
/// depends on neither.
struct Token {
    state: CacheDB<EmptyDB>,
    address: Address,
    minter: Address,
}

impl Token {
    fn new() -> Self {
        let (address, minter) = (wallet("token").address(), wallet("minter").address());
        let mut state = CacheDB::new(EmptyDB::default());
        let code = Bytecode::new_raw(hex::decode(CODE.trim()).unwrap().into());
        state.insert_account_info(address, AccountInfo::from_bytecode(code));
        state.insert_account_storage(address, U256::ZERO, U256::from_be_bytes(minter.into_word().0)).unwrap();
        let mut token = Self { state, address, minter };
        token.call(minter, "mint(address,uint256)", &[word(payer().address()), number(1_000)]).unwrap();
        token
    }

    /// Calls a function whose arguments are words; an error is the selector of the revert.
    fn call(&mut self, caller: Address, function: &str, words: &[B256]) -> Result<Bytes, [u8; 4]> {
        let data = [&keccak256(function)[..4], words.concat().as_slice()].concat();
        let call =
            TxEnv::builder().caller(caller).call(self.address).data(data.into()).chain_id(Some(31_337));
        let mut evm = Context::mainnet()
            .with_db(&mut self.state)
            .modify_cfg_chained(|cfg| {
                cfg.chain_id = 31_337;
                cfg.disable_nonce_check = true;
            })
            .modify_block_chained(|block| block.timestamp = U256::from(START_S))
            .build_mainnet();
        match evm.transact_commit(call.gas_limit(1_000_000).build_fill()).unwrap() {
            ExecutionResult::Success { output, .. } => Ok(output.into_data()),
            ExecutionResult::Revert { output, .. } => Err(output[..4].try_into().unwrap()),
            ExecutionResult::Halt { reason, .. } => panic!("{reason:?}"),
        }
    }

    fn read(&mut self, function: &str, words: &[B256]) -> U256 {
        U256::from_be_slice(&self.call(Address::ZERO, function, words).unwrap())
    }

    fn balance(&mut self, account: Address) -> U256 {
        self.read("balanceOf(address)", &[word(account)])
    }

    /// Signs a struct for this token: the words of v, r and s.
    fn sign(&mut self, kind: &str, words: &[B256]) -> [B256; 3] {
        let domain = self.call(Address::ZERO, "DOMAIN_SEPARATOR()", &[]).unwrap();
        let message = keccak256([keccak256(kind).as_slice(), &words.concat()].concat());
        let digest = keccak256([&[0x19, 0x01][..], &domain, message.as_slice()].concat());
        let key = SigningKey::from_slice(&hex::decode(payer().to_hex().as_str()).unwrap()).unwrap();
        let (signature, recovery) = key.sign_prehash_recoverable(digest.as_slice()).unwrap();
        let bytes = signature.to_bytes();
        let v = number(27 + u64::from(recovery.to_byte()));
        [v, B256::from_slice(&bytes[..32]), B256::from_slice(&bytes[32..])]
    }
}

fn payer() -> Wallet {
    wallet("payer")
}

fn word(address: Address) -> B256 {
    address.into_word()
}

fn number(value: u64) -> B256 {
    U256::from(value).into()
}

fn error(signature: &str) -> [u8; 4] {
    keccak256(signature)[..4].try_into().unwrap()
}

fn terms(to: Address, value: u64, number_of_nonce: u64) -> [B256; 6] {
    [
        word(payer().address()),
        word(to),
        number(value),
        number(0),
        number(START_S + 60),
        nonce(number_of_nonce),
    ]
}

fn kind(name: &str) -> String {
    format!(
        "{name}(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
    )
}

/// The arguments of the overload that takes r, s, v as bytes: where they start, how long they are, and they.
fn as_bytes(words: &[B256], [v, r, s]: [B256; 3]) -> Vec<B256> {
    let mut tail = B256::ZERO;
    tail[0] = v[31];
    [words, &[number(32 * (words.len() as u64 + 1)), number(65), r, s, tail]].concat()
}

#[test]
fn authorizations_are_taken_in_both_forms_and_once() {
    let mut token = Token::new();
    let payee = wallet("payee").address();
    let in_words = format!("transferWithAuthorization({SIX_WORDS},uint8,bytes32,bytes32)");
    let in_bytes = format!("transferWithAuthorization({SIX_WORDS},bytes)");
    let used = error("AuthorizationUsedOrCanceled(address,bytes32)");

    let words = terms(payee, 10, 1);
    let signature = token.sign(&kind("TransferWithAuthorization"), &words);
    token.call(payee, &in_words, &[&words[..], &signature].concat()).unwrap();
    assert_eq!(token.call(payee, &in_bytes, &as_bytes(&words, signature)), Err(used));

    let words = terms(payee, 20, 2);
    let signature = token.sign(&kind("TransferWithAuthorization"), &words);
    token.call(payee, &in_bytes, &as_bytes(&words, signature)).unwrap();
    assert_eq!(token.call(payee, &in_words, &[&words[..], &signature].concat()), Err(used));
    assert_eq!(token.balance(payee), U256::from(30));
    assert_eq!(
        token.read("authorizationState(address,bytes32)", &[word(payer().address()), nonce(2)]),
        U256::ONE
    );
    assert_eq!(
        token.read("authorizationState(address,bytes32)", &[word(payer().address()), nonce(3)]),
        U256::ZERO
    );
}

#[test]
fn only_the_payee_receives_and_a_cancelled_nonce_is_spent() {
    let mut token = Token::new();
    let (payee, other) = (wallet("payee").address(), wallet("other").address());
    let receive = format!("receiveWithAuthorization({SIX_WORDS},uint8,bytes32,bytes32)");
    let words = terms(payee, 10, 1);
    let signature = token.sign(&kind("ReceiveWithAuthorization"), &words);
    let arguments = [&words[..], &signature].concat();
    assert_eq!(token.call(other, &receive, &arguments), Err(error("CallerMustBePayee(address)")));
    // One kind of consent is not the other.
    let transfer = format!("transferWithAuthorization({SIX_WORDS},uint8,bytes32,bytes32)");
    assert_eq!(token.call(payee, &transfer, &arguments), Err(error("InvalidSignature()")));
    token.call(payee, &receive, &arguments).unwrap();
    let words = terms(payee, 5, 2);
    let signature = token.sign(&kind("ReceiveWithAuthorization"), &words);
    let in_bytes = format!("receiveWithAuthorization({SIX_WORDS},bytes)");
    token.call(payee, &in_bytes, &as_bytes(&words, signature)).unwrap();
    assert_eq!(token.balance(payee), U256::from(15));

    for (number_of_nonce, function) in [
        (3, "cancelAuthorization(address,bytes32,uint8,bytes32,bytes32)"),
        (4, "cancelAuthorization(address,bytes32,bytes)"),
    ] {
        let cancel = [word(payer().address()), nonce(number_of_nonce)];
        let signature = token.sign("CancelAuthorization(address authorizer,bytes32 nonce)", &cancel);
        let arguments = if function.ends_with(",bytes)") {
            as_bytes(&cancel, signature)
        } else {
            [&cancel[..], &signature].concat()
        };
        token.call(other, function, &arguments).unwrap();
        let words = terms(payee, 10, number_of_nonce);
        let signature = token.sign(&kind("TransferWithAuthorization"), &words);
        let refused = token.call(other, &transfer, &[&words[..], &signature].concat());
        assert_eq!(refused, Err(error("AuthorizationUsedOrCanceled(address,bytes32)")));
    }
}

#[test]
fn a_malleable_or_foreign_signature_is_refused() {
    let mut token = Token::new();
    let payee = wallet("payee").address();
    let transfer = format!("transferWithAuthorization({SIX_WORDS},uint8,bytes32,bytes32)");
    let words = terms(payee, 10, 1);
    let [v, r, s] = token.sign(&kind("TransferWithAuthorization"), &words);
    let order = U256::from_be_bytes(hex!("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"));
    let twin = [number(55 - u64::from(v[31])), r, (order - U256::from_be_bytes(s.0)).into()];
    for wrong in [twin, [number(u64::from(v[31]) - 27), r, s], [v, s, r], [v, B256::ZERO, B256::ZERO]] {
        let refused = token.call(payee, &transfer, &[&words[..], &wrong].concat());
        assert_eq!(refused, Err(error("InvalidSignature()")));
    }
    // The zero address is nobody's, though recovery answers it for a signature of nobody.
    let mut from_zero = words;
    from_zero[0] = B256::ZERO;
    let refused = token.call(payee, &transfer, &[&from_zero[..], &[v, B256::ZERO, B256::ZERO]].concat());
    assert_eq!(refused, Err(error("InvalidSignature()")));
    let mut short = as_bytes(&words, [v, r, s]);
    short[7] = number(64);
    let refused = token.call(payee, &format!("transferWithAuthorization({SIX_WORDS},bytes)"), &short);
    assert_eq!(refused, Err(error("InvalidSignature()")));
    assert_eq!(token.balance(payee), U256::ZERO);
}

#[test]
fn permits_allow_once_and_allowances_are_used_up() {
    let mut token = Token::new();
    let (owner, spender) = (payer().address(), wallet("spender").address());
    let permit = "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)";
    let arguments = |token: &mut Token, value: u64, in_bytes: bool, deadline: u64| {
        let count: B256 = token.read("nonces(address)", &[word(owner)]).into();
        let signed = [word(owner), word(spender), number(value), count, number(deadline)];
        let signature = token.sign(permit, &signed);
        let words = [word(owner), word(spender), number(value), number(deadline)];
        if in_bytes { as_bytes(&words, signature) } else { [&words[..], &signature].concat() }
    };
    let in_words = "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)";
    let first = arguments(&mut token, 50, false, START_S);
    token.call(spender, in_words, &first).unwrap();
    assert_eq!(token.call(spender, in_words, &first), Err(error("InvalidSignature()")), "its nonce is used");
    let late = arguments(&mut token, 50, false, START_S - 1);
    assert_eq!(token.call(spender, in_words, &late), Err(error("ERC2612ExpiredSignature(uint256)")));

    let spend = |value| [word(owner), word(spender), number(value)];
    token.call(spender, "transferFrom(address,address,uint256)", &spend(30)).unwrap();
    let refused = token.call(spender, "transferFrom(address,address,uint256)", &spend(21));
    assert_eq!(refused, Err(error("ERC20InsufficientAllowance(address,uint256,uint256)")));
    let second = arguments(&mut token, 7, true, START_S);
    token.call(spender, "permit(address,address,uint256,uint256,bytes)", &second).unwrap();
    assert_eq!(token.read("allowance(address,address)", &[word(owner), word(spender)]), U256::from(7));
    assert_eq!(token.balance(spender), U256::from(30));
}

#[test]
fn the_faucet_alone_mints_and_the_name_says_what_it_is() {
    let mut token = Token::new();
    let (other, minter) = (wallet("other").address(), token.minter);
    let refused = token.call(other, "mint(address,uint256)", &[word(other), number(1)]);
    assert_eq!(refused, Err(error("CallerMustBeMinter(address)")));
    let overflow = token.call(minter, "mint(address,uint256)", &[word(other), B256::repeat_byte(0xff)]);
    assert_eq!(overflow, Err(error("Panic(uint256)")));
    let over = token.call(other, "transfer(address,uint256)", &[word(minter), number(1)]);
    assert_eq!(over, Err(error("ERC20InsufficientBalance(address,uint256,uint256)")));
    // To oneself nothing is made or lost.
    let oneself = payer().address();
    token.call(oneself, "transfer(address,uint256)", &[word(oneself), number(1_000)]).unwrap();
    assert_eq!(
        (token.balance(oneself), token.read("totalSupply()", &[])),
        (U256::from(1_000), U256::from(1_000))
    );
    let name = token.call(other, "name()", &[]).unwrap();
    assert!(String::from_utf8_lossy(&name).contains("play money"));
    assert_eq!(token.read("decimals()", &[]), U256::from(6));
    assert_ne!(devnet::ASSET, token.address);
}
