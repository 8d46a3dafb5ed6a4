//! A token that names a holder is of use to nobody else, and passes on by its holder's signature alone.

use glassbox_core::Atomic;
use glassbox_core::key::SecretKey;
use glassbox_token::{Caps, Token, TokenError, Verified};

use super::{Call, all_caps, call, issuer};

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn for_holder(seed: u8) -> Caps {
    Caps { holder: Some(key(seed).public()), ..all_caps() }
}

fn held() -> Token {
    issuer().mint("payer:ana", &for_holder(5)).expect("minted")
}

fn verify(token: &Token) -> Result<Verified, TokenError> {
    issuer().verifier().verify(token)
}

fn is_allowed(token: &Token, seed: Option<u8>) -> bool {
    let call = Call { holder: seed.map(|seed| key(seed).public()), ..call() };
    verify(token).expect("verified").authorize(&call.request()).is_ok()
}

#[test]
fn only_the_holder_may_use_it() {
    let token = held();
    assert_eq!(verify(&token).expect("verified").holder(), Some(&key(5).public()));
    assert!(is_allowed(&token, Some(5)) && !is_allowed(&token, Some(6)) && !is_allowed(&token, None));
    // Narrowed further, it has the same holder.
    let narrower = token.attenuate(&Caps { calls_max: Some(1), ..Caps::default() }).expect("appended");
    assert!(is_allowed(&narrower, Some(5)) && !is_allowed(&narrower, None));
    let refusal = verify(&narrower).expect("verified").authorize(&call().request()).expect_err("unsigned");
    assert_eq!((refusal.index, refusal.rule.cap()), (0, "holder"));
}

#[test]
fn a_chain_of_holders_hands_on_offline() {
    let mut token = issuer().mint("payer:ana", &Caps::default()).expect("minted");
    token = token.attenuate(&for_holder(5)).expect("the first holder is anybody's to name");
    for seed in 5..9 {
        let before = token.clone();
        token = token
            .hand_on(&Caps { holder: Some(key(seed + 1).public()), ..Caps::default() }, &key(seed))
            .expect("handed on");
        assert!(is_allowed(&token, Some(seed + 1)) && !is_allowed(&token, Some(seed)));
        assert!(is_allowed(&before, Some(seed)) && !is_allowed(&before, Some(seed + 1)));
    }
}

#[test]
fn a_thief_can_name_no_other_holder() {
    let mine = Caps { holder: Some(key(66).public()), ..Caps::default() };
    let token = held();
    assert!(matches!(token.attenuate(&mine), Err(TokenError::Block { block: 1, .. })));
    assert!(matches!(token.hand_on(&mine, &key(66)), Err(TokenError::NotHolder { .. })));
    let handed = token.hand_on(&for_holder(6), &key(5)).expect("handed on");
    let signed = verify(&handed).expect("verified").blocks()[1].1.clone();
    // The signature for a helper cannot be taken over into a block that allows more, nor to another place.
    for stolen in [
        Caps { holder: mine.holder, ..signed.clone() },
        Caps { amount_max: Some(Atomic(10u128.pow(18))), ..signed.clone() },
        Caps { packages: None, ..signed.clone() },
        Caps { holder: None, ..signed.clone() },
    ] {
        assert!(matches!(token.attenuate(&stolen), Err(TokenError::Block { block: 1, .. })), "{stolen:?}");
    }
    let elsewhere = held().attenuate(&Caps::default()).expect("appended");
    assert!(matches!(elsewhere.attenuate(&signed), Err(TokenError::Block { block: 2, .. })));
    let unheld = issuer().mint("payer:ana", &Caps::default()).expect("minted");
    assert!(matches!(unheld.attenuate(&signed), Err(TokenError::Block { block: 1, .. })));
    assert!(matches!(unheld.hand_on(&for_holder(6), &key(5)), Err(TokenError::NothingToHandOn(_))));
    assert!(matches!(token.hand_on(&Caps::default(), &key(5)), Err(TokenError::NothingToHandOn(_))));
}

#[test]
fn the_order_of_names_changes_no_signature() {
    let names = ["acme:slug", "acme:pad", "acme:slug"].map(|name| name.parse().expect("a package"));
    let caps = Caps { packages: Some(names.to_vec()), holder: Some(key(6).public()), ..Caps::default() };
    let handed = held().hand_on(&caps, &key(5)).expect("handed on");
    assert!(is_allowed(&handed.to_string().parse().expect("a token"), Some(6)));
}
