//! What is minted and appended is what is read, and each cap has its boundary.

use glassbox_core::key::SecretKey;
use glassbox_core::{Atomic, Digest};
use glassbox_token::{BlockId, Budget, Caps, Issuer, Token, TokenError};

use super::{Call, NOW_S, all_caps, bytes, call, functions, issuer, packages, text};

#[test]
fn a_token_is_read_as_it_was_written() {
    let narrower = Caps { calls_max: Some(1), ..Caps::default() };
    let token = issuer().mint("payer:ana", &all_caps()).expect("minted");
    let token = token.attenuate(&narrower).expect("appended").attenuate(&Caps::default()).expect("appended");
    let said = token.inspect().expect("readable");
    let verified = issuer().verifier().verify(&token).expect("verified");
    assert_eq!(verified.account(), "payer:ana");
    assert_eq!((said.account.as_str(), said.blocks.as_slice()), ("payer:ana", verified.blocks()));
    let caps: Vec<_> = verified.blocks().iter().map(|(_, caps)| caps.clone()).collect();
    assert_eq!(caps, [all_caps(), narrower, Caps::default()]);
}

#[test]
fn extremes_are_read_as_they_were_written() {
    let long = "a".repeat(glassbox_core::limits::TOKEN_NAME_BYTES_MAX);
    for caps in [
        Caps { amount_per_call_max: Some(Atomic(0)), ..Caps::default() },
        Caps { amount_per_call_max: Some(Atomic(10u128.pow(18))), ..Caps::default() },
        Caps {
            amount_max: Some(Atomic(10u128.pow(18))),
            calls_max: Some(i64::MAX as u64),
            ..Caps::default()
        },
        Caps { calls_max: Some(0), expires_at_s: Some(0), ..Caps::default() },
        Caps { expires_at_s: Some(253_402_207_200), ..Caps::default() },
        Caps { functions: functions(&["a,b", "ns:p/i@1.0.0-rc.1+b#f", "{c}"]), ..Caps::default() },
        Caps { audience: Some(long), ..Caps::default() },
    ] {
        let token = issuer().mint("operator", &Caps::default()).expect("minted");
        let token = token.attenuate(&caps).expect("appended");
        assert_eq!(token.inspect().expect("readable").blocks[1].1, caps);
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    let long = "a".repeat(glassbox_core::limits::TOKEN_NAME_BYTES_MAX + 1);
    for (field, caps) in [
        ("amount_max", Caps { amount_max: Some(Atomic(10u128.pow(18) + 1)), ..Caps::default() }),
        ("amount_per_call_max", Caps { amount_per_call_max: Some(Atomic(u128::MAX)), ..Caps::default() }),
        ("calls_max", Caps { calls_max: Some(1 << 63), ..Caps::default() }),
        ("expires_at_s", Caps { expires_at_s: Some(253_402_207_201), ..Caps::default() }),
        ("expires_at_s", Caps { expires_at_s: Some(u64::MAX), ..Caps::default() }),
        ("packages", Caps { packages: packages(&[]), ..Caps::default() }),
        ("functions", Caps { functions: functions(&[]), ..Caps::default() }),
        ("functions", Caps { functions: functions(&["f\"}; rule() <- true"]), ..Caps::default() }),
        ("functions", Caps { functions: functions(&["f\\"]), ..Caps::default() }),
        ("audience", Caps { audience: Some(String::new()), ..Caps::default() }),
        ("audience", Caps { audience: Some(long), ..Caps::default() }),
        ("audience", Caps { audience: Some("https://registry.example\n".into()), ..Caps::default() }),
    ] {
        let refused = issuer().mint("payer:ana", &caps).expect_err(field);
        assert!(matches!(&refused, TokenError::Cap { field: said, .. } if *said == field), "{refused}");
    }
    for account in ["", "payer: ana", "payer:\"", "payer:ä"] {
        assert!(issuer().mint(account, &Caps::default()).is_err(), "{account}");
    }
}

#[test]
fn each_cap_has_its_boundary() {
    for (cap, caps, allowed, refused) in [
        (
            "amount_per_call_max",
            Caps { amount_per_call_max: Some(Atomic(2_000)), ..Caps::default() },
            call(),
            Call { amount_max: 2_001, ..call() },
        ),
        (
            "expires_at_s",
            Caps { expires_at_s: Some(NOW_S), ..Caps::default() },
            Call { now_s: NOW_S - 1, ..call() },
            call(),
        ),
        (
            "expires_at_s",
            Caps { expires_at_s: Some(NOW_S), ..Caps::default() },
            Call { now_s: 0, ..call() },
            Call { now_s: u64::MAX, ..call() },
        ),
        (
            "packages",
            Caps { packages: packages(&["acme:slug"]), ..Caps::default() },
            call(),
            Call { release: "acme:slug-two@1.0.0".parse().expect("a release"), ..call() },
        ),
        (
            "releases",
            Caps { releases: Some(vec![call().release]), ..Caps::default() },
            call(),
            Call { release: "acme:slug@1.0.1".parse().expect("a release"), ..call() },
        ),
        (
            "components",
            Caps { components: Some(vec![Digest::of("slug")]), ..Caps::default() },
            Call { release: "other:name@9.0.0".parse().expect("a release"), ..call() },
            Call { component: Some(Digest::of("other")), ..call() },
        ),
        (
            "components",
            Caps { components: Some(vec![Digest::of("slug")]), ..Caps::default() },
            call(),
            Call { component: None, ..call() },
        ),
        (
            "functions",
            Caps { functions: functions(&["slugify"]), ..Caps::default() },
            call(),
            Call { function: "slugify-all".parse().expect("a function"), ..call() },
        ),
        (
            "functions",
            Caps { functions: functions(&["acme:slug/api@1.0.0#slugify"]), ..Caps::default() },
            call(),
            Call { function: "acme:slug/api@1.0.1#slugify".parse().expect("a function"), ..call() },
        ),
        (
            "audience",
            Caps { audience: Some("https://registry.example".into()), ..Caps::default() },
            call(),
            Call { audience: "https://registry.example:8443".into(), ..call() },
        ),
    ] {
        let open = issuer().mint("payer:ana", &Caps::default()).expect("minted");
        let token = open.attenuate(&caps).expect("appended");
        let verified = issuer().verifier().verify(&token).expect("verified");
        assert_eq!(verified.authorize(&allowed.request()), Ok(Vec::new()), "{cap}");
        let refusal = verified.authorize(&refused.request()).expect_err(cap);
        assert_eq!((refusal.index, refusal.block), (1, verified.blocks()[1].0), "{cap}");
        assert_eq!(refusal.rule.cap(), cap);
        assert!(refusal.to_string().starts_with("block 1 of the token "), "{refusal}");
    }
}

#[test]
fn every_total_on_the_way_is_a_budget() {
    let total = |amount| Caps { amount_max: Some(Atomic(amount)), ..Caps::default() };
    let counted = Caps { calls_max: Some(3), ..Caps::default() };
    let token = issuer().mint("payer:ana", &total(50_000)).expect("minted");
    let token = token.attenuate(&Caps::default()).expect("appended").attenuate(&counted).expect("appended");
    // More than above: the ledger refuses what does not fit every one.
    let token = token.attenuate(&total(90_000)).expect("appended");
    let verified = issuer().verifier().verify(&token).expect("verified");
    let id = |index: usize| verified.blocks()[index].0;
    let budget = |index, amount: Option<u128>, calls_max| Budget {
        block: id(index),
        amount_max: amount.map(Atomic),
        calls_max,
    };
    assert_eq!(
        verified.authorize(&call().request()).expect("allowed"),
        [budget(0, Some(50_000), None), budget(2, None, Some(3)), budget(3, Some(90_000), None)]
    );
}

#[test]
fn siblings_have_ids_of_their_own_and_share_their_parents() {
    let parent = issuer().mint("payer:ana", &all_caps()).expect("minted");
    let ids = |token: &Token| -> Vec<BlockId> {
        token.inspect().expect("readable").blocks.into_iter().map(|(id, _)| id).collect()
    };
    let (one, two) =
        (parent.attenuate(&all_caps()).expect("one"), parent.attenuate(&all_caps()).expect("two"));
    assert_eq!(ids(&one)[0], ids(&two)[0]);
    assert_ne!(ids(&one)[1], ids(&two)[1]);
    let again = issuer().mint("payer:ana", &all_caps()).expect("minted");
    assert_ne!(ids(&parent), ids(&again));
}

#[test]
fn texts_make_the_round_trip() {
    let token =
        issuer().mint("payer:ana", &all_caps()).expect("minted").attenuate(&all_caps()).expect("appended");
    let written = token.to_string();
    let read: Token = written.parse().expect("a token");
    assert_eq!((read.to_string(), read.inspect()), (written.clone(), token.inspect()));
    assert_eq!(text(&bytes(&token)), written);
    let id = token.inspect().expect("readable").blocks[1].0;
    assert_eq!(id.to_string().parse(), Ok(id));
    assert_eq!(format!("{token:?}"), format!("Token({:?})", id.to_string()));
    let caps = serde_json::to_string(&all_caps()).expect("JSON");
    assert_eq!(serde_json::from_str::<Caps>(&caps).expect("caps"), all_caps());
    assert!(serde_json::from_str::<Caps>(r#"{"colour_max":"3"}"#).is_err());
    let seed = "01".repeat(32);
    let key = SecretKey::from_hex(&seed).expect("a seed");
    assert_eq!(Issuer::from(&key).public(), issuer().public());
    assert!(!format!("{:?}", issuer()).contains(&seed));
}

#[test]
fn texts_that_are_no_tokens_are_refused() {
    let token = issuer().mint("payer:ana", &Caps::default()).expect("minted").to_string();
    let bare = &token[4..];
    for text in ["", "gbt", "gbt_", "gbt_AAAA", bare, &format!("{token}="), &format!(" {token}"), "gbt_ä"] {
        assert!(text.parse::<Token>().is_err(), "{text}");
    }
    let long = format!("gbt_{}", "A".repeat(6 * 1024));
    assert!(matches!(long.parse::<Token>(), Err(TokenError::TooLong(6148))));
    for text in ["", "00", &"g".repeat(128), &"0".repeat(126)] {
        assert!(text.parse::<BlockId>().is_err(), "{text}");
    }
}

#[test]
fn tokens_are_bounded() {
    let mut token = issuer().mint("payer:ana", &Caps::default()).expect("minted");
    for _ in 1..glassbox_core::limits::TOKEN_BLOCKS_MAX {
        token = token.attenuate(&Caps::default()).expect("appended");
    }
    assert!(issuer().verifier().verify(&token).is_ok());
    assert!(matches!(token.attenuate(&Caps::default()), Err(TokenError::TooManyBlocks(17))));
    let many = (0..400).map(|n| format!("function-with-a-long-name{n}")).collect();
    let refused = issuer().mint("payer:ana", &Caps { functions: Some(many), ..Caps::default() });
    assert!(matches!(refused, Err(TokenError::TooLong(_))), "{refused:?}");
}
