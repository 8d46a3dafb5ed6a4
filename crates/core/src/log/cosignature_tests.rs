use proptest::prelude::*;

use super::cosignature::{Cosignature, Cosigner, CosignerKey, attach};
use super::*;
use crate::Digest;
use crate::key::SecretKey;

/// Made by another implementation, of the keys with the seeds 3 (the log's) and 9 (the witness').
const NOTE: &str = "\
example.org/log
5
SBNJTRN+FjG7owHVrKtue7eqdM4RhdRWVl71HXN2d7I=
map sha256:60be9861750facbfad8758254a2f76c0cfe78d54459a3bc187d49b1401fcd8e8

— example.org/log kPLAtBsT3ccAVkGBJveFS4jJ3Klmj+ZA+0OWSAa9pcZWTeQEOrVpJQR8oQBuNnWNnpb8UasoDH72fu/R9ZiB/5JMtws=
— example.org/log SyCmywAAAABrAjCAs2617dpLx6Mw+24k+T8+4n8Cyl3QAHjbGJYzExwscP70S/emO10yp5ZeTOPonYzym2f6TsfJ85D+SAcWlpBPDw==
— witness.example/w1 JLXZ/gAAAABrAjCHIJsb2eNzjLywOS7ehZ7UssdWAE27vI0NWB6jQlIidKvHjCEq/VnH/ux62e/13Vz6Jcw42hyZyeIgm5X9uf6kBw==
";
const WITNESS: &str = "witness.example/w1+24b5d9fe+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY";
const LOG: &str = "example.org/log+90f2c0b4+Ae1JKMYo0cLG6ukDOJBZlWEpWSc6XGP5NjbBRhSshzfR";
const TIME: u64 = 1_795_305_600;

/// From the text of C2SP tlog-cosignature.
const SPECIFIED: &str = "\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
";

fn log() -> LogKey {
    LogKey::new("example.org/log", SecretKey::from_seed(&[3; 32])).expect("a valid name")
}

fn witness() -> Cosigner {
    Cosigner::new("witness.example/w1", SecretKey::from_seed(&[9; 32])).expect("a valid name")
}

#[test]
fn a_checkpoint_is_signed_as_another_implementation_signs_it() {
    let note = log().sign(5, Digest::of("root"), Digest::of("map"), TIME);
    let line = witness().cosign(&note, TIME + 7).expect("a note");
    assert_eq!(attach(&note, &[line]).expect("a line"), NOTE);
    assert_eq!((log().verifier_key(), witness().key().to_string()), (LOG.into(), WITNESS.into()));
    let opened = SignedCheckpoint::open(NOTE, LOG).expect("signed");
    assert_eq!((opened.checkpoint.size, opened.time_s), (5, Some(TIME)));
    assert_eq!(opened.map, Some(Digest::of("map")));
    let key: CosignerKey = WITNESS.parse().expect("a key");
    assert_eq!((key.name(), key.id()), ("witness.example/w1", 0x24b5_d9fe));
    assert_eq!(key.verify(NOTE).expect("signed"), Some(TIME + 7));
}

#[test]
fn the_specifications_example_reads() {
    let note = note::open(SPECIFIED).expect("a note");
    let time_s = |line| Cosignature::read(line).map(|cosignature| cosignature.time_s);
    let found: Vec<_> = note.signatures.iter().map(|line| (line.name(), line.id(), time_s(line))).collect();
    let witness = ("witness.example.com/w1", 0x8d66_cf3f, Some(1_679_315_147));
    assert_eq!(found, [("example.com/behind-the-sofa", 0x033d_e0ae, None), witness]);
}

#[test]
fn a_cosigner_who_did_not_sign_did_not_and_a_false_line_is_refused() {
    let key = witness().key().clone();
    assert_eq!(key.verify(SPECIFIED).expect("a note"), None);
    // The same key under another name is another cosigner.
    let other = CosignerKey::new("witness.example/w2", SecretKey::from_seed(&[9; 32]).public());
    assert_eq!(other.expect("a valid name").verify(NOTE).expect("a note"), None);
    // A line for another tree is no line for this one.
    let moved = log().sign(6, Digest::of("root"), Digest::of("map"), TIME);
    let stolen = NOTE.lines().last().map(|line| format!("{line}\n")).expect("lines");
    let moved = attach(&moved, &[stolen]).expect("well formed");
    assert!(matches!(key.verify(&moved), Err(LogError::NotSigned(_))));
    // The log's own time cannot be changed, nor carried over; without it there is none.
    let plain: String = NOTE.lines().take(6).map(|line| format!("{line}\n")).collect();
    assert_eq!(SignedCheckpoint::open(&plain, LOG).expect("signed").time_s, None);
    let timed = NOTE.replace("SyCmywAAAABrAjCA", "SyCmywAAAABrAjCB");
    assert!(SignedCheckpoint::open(&timed, LOG).is_err());
    assert!(LogKey::new("cosignature/v1", SecretKey::from_seed(&[3; 32])).is_none());
}

#[test]
fn a_new_line_takes_the_place_of_the_old_one_and_nothing_else_comes_in() {
    let again = witness().cosign(NOTE, TIME + 60).expect("a note");
    let renewed = attach(NOTE, std::slice::from_ref(&again)).expect("a line");
    assert_eq!(renewed.lines().count(), NOTE.lines().count());
    assert_eq!(witness().key().verify(&renewed).expect("signed"), Some(TIME + 60));
    assert_eq!(attach(NOTE, &[]).expect("nothing to do"), NOTE);
    for bad in
        ["", "\n", "garbage\n", "— a b\n", again.trim_end(), &format!("\n{again}"), &format!("x\n\n{again}")]
    {
        assert!(attach(NOTE, &[bad.into()]).is_err(), "{bad:?}");
    }
}

#[test]
fn only_the_one_spelling_of_a_key_is_read() {
    for bad in [
        "",
        "witness.example/w1",
        "witness.example/w1+24b5d9fe",
        &WITNESS.replace("24b5d9fe", "24B5D9FE"),
        &WITNESS.replace("24b5d9fe", "24b5d9ff"),
        &WITNESS.replace("w1", "w2"),
        &WITNESS.replace("+BP", "+AP"),
        &format!("{WITNESS}="),
        LOG,
    ] {
        assert!(bad.parse::<CosignerKey>().is_err(), "{bad}");
    }
    assert!(SignedCheckpoint::open(NOTE, WITNESS).is_err());
}

proptest! {
    #[test]
    fn what_was_cosigned_verifies_and_nothing_near_it_does(
        size in any::<u64>(), time in 0..=i64::MAX as u64, seed in any::<[u8; 32]>(), at in any::<prop::sample::Index>(),
        bit in 0..8_u8,
    ) {
        let witness = Cosigner::new("w", SecretKey::from_seed(&seed)).expect("a valid name");
        let note = log().sign(size, Digest::of(seed), Digest::of("map"), time);
        let note = attach(&note, &[witness.cosign(&note, time).expect("a note")]).expect("a line");
        prop_assert_eq!(witness.key().verify(&note).expect("signed"), Some(time));
        prop_assert_eq!(SignedCheckpoint::open(&note, LOG).expect("signed").time_s, Some(time));
        let mut bytes = note.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        // One bit elsewhere, and either cosigner or log did not sign it.
        if let Ok(changed) = String::from_utf8(bytes) {
            let both = SignedCheckpoint::open(&changed, LOG).is_ok_and(|signed| signed.time_s == Some(time))
                && witness.key().verify(&changed).is_ok_and(|seen| seen == Some(time));
            prop_assert!(!both, "{}", changed);
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}", lines in prop::collection::vec(".{0,80}", 0..4)) {
        let _ = (attach(&text, &lines), attach(NOTE, &lines), text.parse::<CosignerKey>());
    }
}
