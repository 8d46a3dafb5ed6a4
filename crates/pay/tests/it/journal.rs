//! The devnet over restarts, crashes and damage.

use std::fs;
use std::path::PathBuf;

use glassbox_core::Atomic;
use glassbox_pay::{Chain, Devnet, ErrorCode, Facilitator, PayError, Scheme, Settlement};

use crate::stage::{Stage, wallet};

struct Kept {
    // Removed when dropped.
    _folder: tempfile::TempDir,
    path: PathBuf,
    answers: Vec<Settlement>,
}

/// Writes a history of a mint, two payments and a pay-out: five lines with the header.
async fn history() -> Kept {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("devnet.journal");
    let stage = Stage::open(Some(&path));
    stage.devnet.faucet(stage.payer.address(), Atomic(10_000)).await.unwrap();
    let offered = stage.rail.offer(Scheme::Exact, Atomic(500), stage.devnet.treasury(), 60);
    let to_treasury = stage.rail.settle(&stage.sign(&offered, 2), &offered, Atomic(500)).await;
    let answers = vec![
        stage.pay(2_000, 1).await,
        to_treasury,
        stage.rail.pay_out("refund:1", stage.payer.address(), Atomic(400)).await,
    ];
    assert!(answers.iter().all(|answer| matches!(answer, Settlement::Settled { .. })), "{answers:?}");
    Kept { _folder: folder, path, answers }
}

#[tokio::test]
async fn a_reopened_devnet_gives_the_same_balances_and_answers() {
    let kept = history().await;
    let stage = Stage::open(Some(&kept.path));
    let has = (stage.balance(stage.payer.address()).await, stage.payee_has().await);
    assert_eq!((has, stage.balance(stage.devnet.treasury()).await), ((7_900, 2_000), 100));
    let offered = stage.rail.offer(Scheme::Exact, Atomic(500), stage.devnet.treasury(), 60);
    assert_eq!(stage.pay(2_000, 1).await, kept.answers[0]);
    assert_eq!(stage.rail.settle(&stage.sign(&offered, 2), &offered, Atomic(500)).await, kept.answers[1]);
    let refund = stage.rail.pay_out("refund:1", stage.payer.address(), Atomic(400)).await;
    assert_eq!(refund, kept.answers[2]);
    assert_eq!(stage.devnet.block().await.unwrap(), 4, "nothing was done twice");
    assert_eq!(fs::read_to_string(&kept.path).unwrap().lines().count(), 5);
}

#[tokio::test]
async fn a_line_torn_anywhere_is_cut_and_the_rest_stands() {
    let kept = history().await;
    let whole = fs::read(&kept.path).unwrap();
    let last_starts = whole[..whole.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
    for length in [last_starts + 1, last_starts + 20, whole.len() - 2, whole.len() - 1] {
        fs::write(&kept.path, &whole[..length]).unwrap();
        let stage = Stage::open(Some(&kept.path));
        assert_eq!(stage.devnet.block().await.unwrap(), 3);
        assert_eq!(stage.balance(stage.devnet.treasury()).await, 500, "the torn pay-out did not happen");
        let refund = stage.rail.pay_out("refund:1", stage.payer.address(), Atomic(400)).await;
        assert_eq!(refund, kept.answers[2], "asked again, it happens as it would have");
        drop(stage);
        assert_eq!(fs::read(&kept.path).unwrap(), whole, "and is written as it would have been");
    }
}

#[tokio::test]
async fn a_torn_header_starts_anew_but_a_foreign_file_is_left_alone() {
    let kept = history().await;
    let whole = fs::read(&kept.path).unwrap();
    fs::write(&kept.path, &whole[..30]).unwrap();
    let stage = Stage::open(Some(&kept.path));
    assert_eq!(stage.devnet.block().await.unwrap(), 0);
    drop(stage);
    for foreign in ["my notes", "my notes\n", "line\nline\n"] {
        fs::write(&kept.path, foreign).unwrap();
        let refused = Devnet::open(Some(&kept.path), wallet("treasury")).unwrap_err();
        assert!(matches!(refused, PayError::JournalDamaged { line: 1, .. }), "{refused}");
        assert_eq!(fs::read_to_string(&kept.path).unwrap(), foreign);
    }
}

#[tokio::test]
async fn damage_before_the_last_line_is_refused() {
    let kept = history().await;
    let whole = fs::read_to_string(&kept.path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let without = |index: usize| {
        let mut rest = lines.clone();
        rest.remove(index);
        rest.join("\n") + "\n"
    };
    // A changed amount, a line taken out, two lines swapped.
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    let changed = whole.replacen("10000", "90000", 1);
    for (damaged, line) in [(changed, 2), (without(1), 2), (without(2), 3), (swapped.join("\n") + "\n", 3)] {
        fs::write(&kept.path, &damaged).unwrap();
        match Devnet::open(Some(&kept.path), wallet("treasury")) {
            Err(PayError::JournalDamaged { line: found, .. }) => assert_eq!(found, line),
            other => panic!("{other:?}"),
        }
        assert_eq!(fs::read_to_string(&kept.path).unwrap(), damaged, "nothing is cut off");
    }
}

#[tokio::test]
async fn a_journal_has_one_writer() {
    let kept = history().await;
    let stage = Stage::open(Some(&kept.path));
    let second = Devnet::open(Some(&kept.path), wallet("treasury"));
    assert!(matches!(second, Err(PayError::JournalInUse(_))));
    drop(stage);
    Stage::open(Some(&kept.path));
}

#[tokio::test]
async fn a_refused_operation_is_not_written() {
    let kept = history().await;
    let before = fs::read(&kept.path).unwrap();
    let stage = Stage::open(Some(&kept.path));
    let _ = stage.pay(1_000_000, 9).await;
    let _ = stage.pay(1, 1).await;
    let _ = stage.rail.pay_out("refund:2", stage.payee, Atomic(1_000_000)).await;
    assert_eq!(fs::read(&kept.path).unwrap(), before);
}

/// A disk that fills up in the middle of a line: nobody knows, until the devnet is opened again.
///
/// A process of its own with a limit on file sizes plays the full disk, since the limit holds for a whole process.
#[cfg(unix)]
#[tokio::test]
async fn a_write_that_fails_is_unknown_and_closes_the_devnet() {
    const PATH: &str = "GLASSBOX_TEST_FULL_DISK";
    if let Some(path) = std::env::var_os(PATH) {
        fill_the_disk(&Stage::open(Some(path.as_ref()))).await;
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("devnet.journal");
    let child = std::process::Command::new("sh")
        // A block has 512 or 1024 bytes, as the shell likes; a payment takes about 700.
        .args(["-c", "trap '' XFSZ; ulimit -f 5; exec \"$0\" --exact --nocapture \"$1\""])
        .arg(std::env::current_exe().unwrap())
        .arg("journal::a_write_that_fails_is_unknown_and_closes_the_devnet")
        .env(PATH, &path)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{said} {}", String::from_utf8_lossy(&child.stderr));
    let settled =
        said.lines().find_map(|line| line.split_once("settled ")?.1.trim().parse::<u64>().ok()).unwrap();
    let torn = fs::read(&path).unwrap();
    assert_ne!(torn.last(), Some(&b'\n'), "the last line is torn");

    let stage = Stage::open(Some(&path));
    assert_eq!(stage.payee_has().await, 10 * u128::from(settled), "what was told stands, and nothing else");
    assert!(
        matches!(stage.pay(10, settled).await, Settlement::Settled { .. }),
        "the unknown one, asked again"
    );
    assert_eq!(stage.payee_has().await, 10 * u128::from(settled + 1));
}

/// Pays until a payment is unknown, and says how many were settled before.
async fn fill_the_disk(stage: &Stage) {
    stage.devnet.faucet(stage.payer.address(), Atomic(1_000)).await.unwrap();
    for number in 0..50 {
        if matches!(stage.pay(10, number).await, Settlement::Settled { .. }) {
            continue;
        }
        for again in [number, number + 1] {
            let answer = stage.pay(10, again).await;
            assert!(matches!(answer, Settlement::Unknown { .. }), "{answer:?}");
        }
        let offered = stage.offer(10);
        let verified = stage.rail.verify(&stage.sign(&offered, number + 2), &offered).await;
        assert_eq!(
            verified.unwrap_err().code,
            ErrorCode::UnexpectedVerifyError,
            "nothing is to be run for it"
        );
        let faucet = stage.devnet.faucet(stage.payee, Atomic(1)).await;
        assert!(matches!(faucet, Err(PayError::JournalBroken(_))));
        assert_eq!(stage.payee_has().await, 10 * u128::from(number));
        println!("settled {number}");
        return;
    }
    panic!("the disk never filled up");
}

/// A journal as it was written when the devnet settled payments itself, with what it answered then.
#[tokio::test]
async fn a_journal_of_the_first_kind_gives_the_same_chain() {
    let kept = history().await;
    fs::write(&kept.path, include_str!("../data/devnet-1.journal")).unwrap();
    let stage = Stage::open(Some(&kept.path));
    let has = (stage.balance(stage.payer.address()).await, stage.payee_has().await);
    assert_eq!((has, stage.balance(stage.devnet.treasury()).await), ((7_900, 2_000), 100));
    let offered = stage.rail.offer(Scheme::Exact, Atomic(500), stage.devnet.treasury(), 60);
    let answers = [
        stage.pay(2_000, 1).await,
        stage.rail.settle(&stage.sign(&offered, 2), &offered, Atomic(500)).await,
        stage.rail.pay_out("refund:1", stage.payer.address(), Atomic(400)).await,
    ];
    let expected = [
        "0xd7308a0bb18b80e0f484ec0849085eca070ba340e40f7c08d309713beca0bf07",
        "0x80a15492a3786390807957e686ca68981095e417aba8c87ec48fd9c52cacf92d",
        "0xaf96694205245d8855f4f38deccc472e99b5e29d1bcbe85e40e0c091d5a62fa2",
    ];
    for (answer, expected) in answers.iter().zip(expected) {
        match answer {
            Settlement::Settled { transaction, .. } => assert_eq!(transaction.to_string(), expected),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(stage.devnet.block().await.unwrap(), 4, "nothing was done twice");
    // And it goes on.
    assert!(matches!(stage.pay(1, 3).await, Settlement::Settled { block: 5, .. }));
    drop(stage);
    assert_eq!(Stage::open(Some(&kept.path)).payee_has().await, 2_001);
}
