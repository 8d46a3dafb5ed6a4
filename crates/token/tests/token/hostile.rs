//! Holders who append, change and cut what they like. None gets more than the block above allows, and none a panic.

use biscuit_auth::builder::{Scope, fact, int};
use biscuit_auth::{Algorithm, Biscuit, BlockBuilder, KeyPair, PublicKey};
use glassbox_core::Atomic;
use glassbox_token::{Caps, Issuer, Token, TokenError, Verified};
use proptest::prelude::*;

use super::{all_caps, biscuit, bytes, issuer, text};

fn parent() -> Token {
    issuer().mint("payer:ana", &all_caps()).expect("minted")
}

fn verify(bytes: &[u8]) -> Result<Verified, TokenError> {
    issuer().verifier().verify(&text(bytes).parse()?)
}

/// Appends a block as any Biscuit library can.
fn append(block: BlockBuilder) -> Result<Verified, TokenError> {
    let appended = biscuit(&parent()).append(block).expect("Biscuit appends anything");
    verify(&appended.to_vec().expect("bytes"))
}

fn code(source: &str) -> BlockBuilder {
    BlockBuilder::new().code(source).unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn verified_biscuit(token: &Token) -> Biscuit {
    let key = PublicKey::from_bytes(issuer().public().as_bytes(), Algorithm::Ed25519).expect("a key");
    biscuit(token).verify(key).expect("signed")
}

/// Appends a block of any bytes, signed as it must be.
fn append_bytes(token: &Token, block: Vec<u8>) -> Vec<u8> {
    let biscuit = verified_biscuit(token);
    let appended = biscuit.container().append_serialized(&KeyPair::new(), block, None).expect("signed");
    appended.to_vec().expect("bytes")
}

/// Tries changes of every byte of a token of two blocks.
fn changes_of_bytes_are_refused(changes: impl Iterator<Item = u8> + Clone) {
    let caps = Caps { calls_max: Some(3), ..Caps::default() };
    let token = issuer().mint("payer:ana", &caps).expect("minted").attenuate(&caps).expect("appended");
    let sound = bytes(&token);
    assert!(verify(&sound).is_ok());
    for place in 0..sound.len() {
        for change in changes.clone() {
            let mut changed = sound.clone();
            changed[place] ^= change;
            assert!(verify(&changed).is_err(), "byte {place} changed by {change:#04x}");
        }
    }
}

/// All changes of a byte take a minute; `GLASSBOX_EXHAUSTIVE=1` tries them.
#[test]
fn changed_bytes_are_refused() {
    match std::env::var_os("GLASSBOX_EXHAUSTIVE") {
        Some(_) => changes_of_bytes_are_refused(1..=u8::MAX),
        None => changes_of_bytes_are_refused((0..8).map(|bit| 1 << bit).chain([0x18, 0x2a, 0x7f, 0xff])),
    }
}

#[test]
fn every_change_of_a_character_is_refused() {
    let sound = issuer().mint("payer:ana", &Caps::default()).expect("minted").to_string();
    for place in 0..sound.len() {
        for character in ['A', 'B', 'g', '9', '-', '_', '+', '/', '=', ' ', '\u{0}'] {
            let changed = format!("{}{character}{}", &sound[..place], &sound[place + 1..]);
            let read = changed.parse().and_then(|token| issuer().verifier().verify(&token));
            assert!(changed == sound || read.is_err(), "{changed}");
        }
        let cut = sound[..place].parse().and_then(|token| issuer().verifier().verify(&token));
        assert!(cut.is_err(), "{place}");
    }
}

#[test]
fn another_issuer_is_told_apart() {
    let other = Issuer::from_seed(&[2; 32]);
    let token = other.mint("payer:ana", &all_caps()).expect("minted");
    assert!(other.verifier().verify(&token).is_ok());
    let refused = issuer().verifier().verify(&token).expect_err("another issuer");
    assert_eq!(refused, TokenError::Issuer { issuer: issuer().public().to_string() });
}

#[test]
fn blocks_cannot_be_cut_or_moved() {
    let child = parent().attenuate(&Caps { calls_max: Some(1), ..Caps::default() }).expect("appended");
    let grandchild = child.attenuate(&Caps { calls_max: Some(1), ..Caps::default() }).expect("appended");
    let sound = verified_biscuit(&grandchild).container().clone();
    let mut cut = sound.clone();
    cut.blocks.pop();
    let mut moved = sound.clone();
    moved.blocks.swap(0, 1);
    let mut twice = sound.clone();
    twice.blocks.push(sound.blocks[1].clone());
    let mut borrowed = sound.clone();
    borrowed.authority = verified_biscuit(&parent()).container().authority.clone();
    for changed in [cut, moved, twice, borrowed] {
        let refused = verify(&changed.to_vec().expect("bytes"));
        assert!(matches!(refused, Err(TokenError::Issuer { .. } | TokenError::Malformed(_))), "{refused:?}");
    }
}

#[test]
fn what_is_no_known_cap_is_refused() {
    for source in [
        // Who pays, and what was asked, is not the holder's to say.
        "account(\"payer:eve\")",
        "account(\"payer:ana\")",
        "amount(0)",
        "time(1970-01-01T00:00:00Z)",
        "package(\"acme:slug\")",
        "function(\"slugify\")",
        "audience(\"https://registry.example\")",
        // Caps of another version, or misspelt.
        "colour_max(3)",
        "amount_per_call_max(5)",
        "amounts_max(5)",
        "check if amount_max(5)",
        // Numbers that are none.
        "amount_max(-1)",
        "amount_max(1000000000000000001)",
        "amount_max(9223372036854775807)",
        "amount_max(\"5\")",
        "amount_max(5, 6)",
        "amount_max(true)",
        "calls_max(-1)",
        "calls_max(-9223372036854775808)",
        "calls_max({1, 2})",
        "check if amount($amount), $amount <= -5",
        "check if amount($amount), $amount <= 5 + 5",
        // One cap twice, so that two readers could differ.
        "amount_max(5); amount_max(6)",
        "check if audience(\"https://a.example\"); check if audience(\"https://b.example\")",
        // Forms that are nearly right.
        "check if amount($other), $other <= 5",
        "check if amount($amount), $amount < 5",
        "check if amount($amount), $amount <= 5 or time($time)",
        "check if time($time), $time <= 2027-01-01T00:00:00Z",
        "check if package($package), {\"not a package\"}.contains($package)",
        "check if package($package), {5, 6}.contains($package)",
        "check if package($package), {,}.contains($package)",
        "check if audience(\"\")",
        "check if audience(\"two words\")",
        // Datalog of their own.
        "check if true",
        "check if package($package), $package.matches(\".*\")",
        "amount($a) <- time($t), calls_max($a)",
        "n(0); n($k) <- n($k), m($k)",
        "allow(true) <- package($package)",
    ] {
        let refused = append(code(source));
        let known = matches!(
            refused,
            Err(TokenError::Statement { block: 1, .. } | TokenError::Block { block: 1, .. })
        );
        assert!(known, "{source}: {refused:?}");
    }
}

#[test]
fn later_datalog_is_refused() {
    for source in [
        "check all amount($amount), $amount <= 5",
        "reject if amount($amount), $amount > 5",
        "check if amount($amount), $amount <= 5 trusting previous",
        "check if amount($amount), $amount != 5",
        "check if [1, 2, 3].all($x -> [1, 2, 3].all($y -> $x + $y > 0))",
        "amount_max(null)",
        "check if amount($amount) trusting authority",
    ] {
        let refused = append(code(source));
        assert!(matches!(refused, Err(TokenError::Block { block: 1, .. })), "{source}: {refused:?}");
    }
    // A scope of the whole block is nowhere in its sentences.
    let refused = append(code("amount_max(5)").scope(Scope::Previous));
    assert!(matches!(refused, Err(TokenError::Block { block: 1, .. })), "{refused:?}");
}

#[test]
fn names_cannot_pretend_to_be_sentences() {
    for name in ["check if audience(\"https://a.example\");\ncalls_max", "calls_max(9);\ncalls_max", "a b"] {
        let refused = append(BlockBuilder::new().fact(fact(name, &[int(3)])).expect("a fact"));
        assert!(matches!(refused, Err(TokenError::Block { block: 1, .. })), "{name}: {refused:?}");
    }
}

#[test]
fn blocks_of_third_parties_are_refused() {
    let (token, third) = (biscuit(&parent()), KeyPair::new());
    let request = token.third_party_request().expect("a request");
    let block = request.create_block(&third.private(), code("amount_max(5)")).expect("a block");
    let token = token.append_third_party(&block.serialize().expect("bytes")).expect("appended");
    let refused = verify(&token.to_vec().expect("bytes")).expect_err("a third party");
    assert!(matches!(refused, TokenError::Block { block: 1, .. }), "{refused}");
}

#[test]
fn keys_whose_signatures_can_be_rewritten_are_refused() {
    let other = KeyPair::new_with_algorithm(Algorithm::Secp256r1);
    let token = biscuit(&parent()).append_with_keypair(&other, code("calls_max(1)")).expect("appended");
    let refused = verify(&token.to_vec().expect("bytes"));
    assert!(matches!(refused, Err(TokenError::Block { block: 1, .. })), "{refused:?}");
    let token = token.append(code("calls_max(1)")).expect("appended");
    let refused = verify(&token.to_vec().expect("bytes"));
    assert!(matches!(refused, Err(TokenError::Block { block: 1, .. })), "{refused:?}");
}

#[test]
fn a_sealed_token_is_verified_and_not_narrowed() {
    let sealed = biscuit(&parent()).seal().expect("sealed").to_vec().expect("bytes");
    assert_eq!(
        verify(&sealed),
        issuer().verifier().verify(&parent()).map(|_| verify(&sealed).expect("verified"))
    );
    let sealed: Token = text(&sealed).parse().expect("a token");
    assert!(matches!(sealed.attenuate(&Caps::default()), Err(TokenError::Sealed)));
}

#[test]
fn many_and_large_blocks_are_refused_unread() {
    let mut token = biscuit(&parent());
    for _ in 0..glassbox_core::limits::TOKEN_BLOCKS_MAX {
        token = token.append(BlockBuilder::new()).expect("appended");
    }
    let refused = verify(&token.to_vec().expect("bytes"));
    assert!(matches!(refused, Err(TokenError::TooManyBlocks(17))), "{refused:?}");
    let large = format!("check if audience(\"{}\")", "a".repeat(5_000));
    assert!(matches!(append(code(&large)), Err(TokenError::TooLong(_))));
}

/// Whatever is appended, what stands above is as it was.
fn only_appended(token: &Token, bytes: &[u8]) {
    let above = issuer().verifier().verify(token).expect("verified");
    let Ok(read) = verify(bytes) else { return };
    assert_eq!(read.account(), above.account());
    assert_eq!(&read.blocks()[..above.blocks().len()], above.blocks());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn blocks_of_any_bytes_are_read_or_refused(block in proptest::collection::vec(any::<u8>(), 0..200)) {
        only_appended(&parent(), &append_bytes(&parent(), block));
    }

    /// Bytes that are nearly a block reach further than any bytes do.
    #[test]
    fn changed_blocks_are_read_or_refused(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..4),
        source in proptest::sample::select(vec![
            "amount_max(5); check if package($package), {\"a:b\", \"c:d\"}.contains($package)",
            "check if time($time), $time < 2027-01-01T00:00:00Z; check if audience(\"https://a.example\")",
            "n($k) <- m($k), $k + 1 === 2, !($k > 5); check if [1, {\"a\": 2}, hex:00].any($x -> $x == 2)",
        ]),
    ) {
        let token = parent();
        let appended = biscuit(&token).append(code(source)).expect("appended");
        let key = PublicKey::from_bytes(issuer().public().as_bytes(), Algorithm::Ed25519).expect("a key");
        let mut block = appended.verify(key).expect("signed").container().to_proto().blocks[0].block.clone();
        for (place, byte) in changes {
            let place = place.index(block.len());
            block[place] = byte;
        }
        only_appended(&token, &append_bytes(&token, block));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(verify(&bytes).is_err());
    }
}

#[test]
fn what_a_hostile_block_says_is_at_most_a_cap() {
    // Larger than what stands above: it reads as it stands, and the block above still says no.
    let verified =
        append(code("amount_max(1000000000000000000); calls_max(9223372036854775807)")).expect("caps");
    let call = super::Call { amount_max: 5_001, ..super::call() };
    let refusal = verified.authorize(&call.request()).expect_err("too dear");
    assert_eq!((refusal.index, refusal.rule.cap()), (0, "amount_per_call_max"));
    let budgets = verified.authorize(&super::call().request()).expect("allowed");
    assert_eq!(budgets[0].amount_max, Some(Atomic(1_000_000)));
}
