//! The journal of what was spent: over many processes, torn, damaged, and on a full disk.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use glassbox_client::policy::{Asset, Host, Rule, Spend};
use glassbox_client::spending::{Outcome, SpendingError, day_of, next_day, spent, spent_by_host};
use glassbox_client::{Policy, Spending};
use glassbox_core::Atomic;
use jiff::Timestamp;

const HOST: &str = "https://registry.example.com";

/// Names the folder for a test that acts as another process.
const FOLDER: &str = "GLASSBOX_TEST_SPENDING";

fn noon() -> Timestamp {
    "2026-11-21T12:00:00Z".parse().unwrap()
}

fn spend(usd: &str) -> Spend {
    Spend {
        amount_max: Atomic::from_decimal(usd).unwrap(),
        asset: Asset::DEVNET,
        payee: "0x1111111111111111111111111111111111111111".into(),
        host: Host::of(HOST).unwrap(),
        scheme: "exact".into(),
        deposit: false,
        channel: None,
        call: "docs:markdown@1.0.0 to-html".into(),
    }
}

fn policy(text: &str) -> Policy {
    Policy::parse(text).unwrap()
}

fn journal(folder: &Path) -> PathBuf {
    folder.join("2026-11-21.journal")
}

/// Returns what the day counts with.
fn all(spending: &Spending, policy: &Policy) -> String {
    let entries = spending.day(day_of(noon())).unwrap();
    spent(&entries, &spend("1"), policy).all.to_decimal()
}

fn refused_by(result: Result<impl std::fmt::Debug, SpendingError>) -> Rule {
    match result {
        Err(SpendingError::Refused(refusal)) => refusal.rule,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_payment_counts_with_what_it_could_take_until_its_outcome_is_written_down() {
    let folder = tempfile::tempdir().unwrap();
    for spending in [Spending::open(&folder.path().join("a/b")), Spending::in_memory()] {
        let policy = policy(&format!("max.day = '1'\nallow.hosts = ['{HOST}']"));
        let reserve = |usd| spending.reserve(&spend(usd), &policy, noon());
        let first = reserve("0.6").unwrap();
        assert_eq!(all(&spending, &policy), "0.6");
        assert_eq!(refused_by(reserve("0.400001")), Rule::MaxDay);
        let second = reserve("0.4").unwrap();
        assert_eq!(refused_by(reserve("0.000001")), Rule::MaxDay);

        spending.record(&first, Outcome::Charged(Atomic(10_000))).unwrap();
        assert_eq!(all(&spending, &policy), "0.41");
        spending.record(&first, Outcome::NotCharged).unwrap();
        assert_eq!(all(&spending, &policy), "0.41", "an outcome is written down once");
        spending.record(&second, Outcome::NotCharged).unwrap();
        assert_eq!(all(&spending, &policy), "0.01");
        let third = reserve("0.1").unwrap();
        spending.record(&third, Outcome::Charged(Atomic(999_999_999))).unwrap();
        assert_eq!(all(&spending, &policy), "0.11", "no word makes a payment take more than it can");

        let entries = spending.day(day_of(noon())).unwrap();
        assert_eq!((entries.len(), &entries[0].spend), (3, &spend("0.6")));
        assert_eq!(spent_by_host(&entries, &policy)[&Host::of(HOST).unwrap()], Atomic(110_000));
    }
}

#[test]
fn a_registry_that_nobody_named_is_not_taken_at_its_word() {
    let spending = Spending::in_memory();
    let policy = policy("max.day = '1'");
    let reserve = || spending.reserve(&spend("0.5"), &policy, noon());
    for outcome in [Outcome::NotCharged, Outcome::Charged(Atomic(1))] {
        spending.record(&reserve().unwrap(), outcome).unwrap();
    }
    assert_eq!(refused_by(reserve()), Rule::MaxDay);
    // What never left this machine is our own word.
    let spending = Spending::in_memory();
    let reservation = spending.reserve(&spend("1"), &policy, noon()).unwrap();
    spending.record(&reservation, Outcome::NotSent).unwrap();
    assert_eq!(all(&spending, &policy), "0");
}

#[test]
fn hosts_payees_and_days_have_budgets_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let spending = Spending::open(folder.path());
    let policy = policy("max = { day = '3', host-day = '1', payee-day = '2' }");
    let other = Spend { host: Host::of("http://127.0.0.1:8402").unwrap(), ..spend("1") };
    let third = Spend { host: Host::of("http://127.0.0.1:8403").unwrap(), ..spend("1") };
    let stranger = Spend { payee: "0x2222222222222222222222222222222222222222".into(), ..third.clone() };
    let reserve = |spend: &Spend, now| spending.reserve(spend, &policy, now);
    let _first = reserve(&spend("1"), noon()).unwrap();
    assert_eq!(refused_by(reserve(&spend("0.1"), noon())), Rule::MaxHostDay);
    let _second = reserve(&other, noon()).unwrap();
    assert_eq!(refused_by(reserve(&third, noon())), Rule::MaxPayeeDay);
    let _third = reserve(&stranger, noon()).unwrap();
    assert_eq!(refused_by(reserve(&stranger, noon())), Rule::MaxDay);
    let tomorrow = next_day(noon()).unwrap();
    assert_eq!(tomorrow.to_string(), "2026-11-22T00:00:00Z");
    let _fourth = reserve(&spend("1"), tomorrow).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "a journal for each day");
    assert_eq!(spending.day("2026-11-23".parse().unwrap()).unwrap(), []);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "looking makes none");
}

/// Starts this test program again, to be another process that pays once.
fn another(folder: &Path, before: &str) -> Child {
    let this = std::env::current_exe().unwrap();
    Command::new("sh")
        .args(["-c", &format!("{before} exec \"$0\" --exact spending::acts_as_another_process --nocapture")])
        .arg(this)
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn said(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let words = text.lines().find_map(|line| line.split_once("PAID? ")).map(|(_, words)| words.to_owned());
    words.unwrap_or_else(|| panic!("it said nothing: {text}"))
}

#[test]
fn acts_as_another_process() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let paid = Spending::open(folder.as_ref()).reserve(&spend("1"), &policy("max.day = '10'"), noon());
    match paid {
        Ok(_) => println!("PAID? yes"),
        Err(SpendingError::Refused(refusal)) => println!("PAID? {}", refusal.rule),
        Err(error) => println!("PAID? {error}"),
    }
}

#[cfg(unix)]
#[test]
fn twenty_processes_at_once_stay_within_a_budget_of_ten() {
    let folder = tempfile::tempdir().unwrap();
    // None gets the journal before all of them want it.
    let gate = File::create(journal(folder.path())).unwrap();
    gate.lock().unwrap();
    let children: Vec<Child> = (0..20).map(|_| another(folder.path(), "")).collect();
    gate.unlock().unwrap();
    let said: Vec<String> = children.into_iter().map(said).collect();
    let count = |words: &str| said.iter().filter(|said| *said == words).count();
    assert_eq!((count("yes"), count("max.day")), (10, 10), "{said:?}");
    assert_eq!(all(&Spending::open(folder.path()), &Policy::default()), "10");
}

#[test]
fn twenty_threads_at_once_stay_within_a_budget_of_ten() {
    let folder = tempfile::tempdir().unwrap();
    for spending in [Spending::open(folder.path()), Spending::in_memory()] {
        let policy = policy("max.day = '10'");
        let pay = || spending.reserve(&spend("1"), &policy, noon()).is_ok();
        let paid = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..20).map(|_| scope.spawn(pay)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|paid| *paid).count()
        });
        assert_eq!(paid, 10);
    }
}

/// Two payments, of which one has an outcome.
fn written(folder: &Path) -> (Spending, Vec<u8>) {
    let spending = Spending::open(folder);
    let first = spending.reserve(&spend("1"), &Policy::default(), noon()).unwrap();
    spending.record(&first, Outcome::Charged(Atomic(5))).unwrap();
    let _second = spending.reserve(&spend("2"), &Policy::default(), noon()).unwrap();
    (spending, fs::read(journal(folder)).unwrap())
}

#[test]
fn whatever_a_crash_leaves_of_the_last_line_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let (spending, bytes) = written(folder.path());
    let path = journal(folder.path());
    let is_end = |at: usize| bytes.get(at) == Some(&b'\n');
    let near_an_end = |length: &usize| is_end(*length) || length.checked_sub(1).is_some_and(is_end);
    for length in (0..=bytes.len()).filter(|length| length % 7 == 0 || near_an_end(length)) {
        fs::write(&path, &bytes[..length]).unwrap();
        let lines = bytes[..length].iter().filter(|byte| **byte == b'\n').count();
        let entries = spending.day(day_of(noon())).unwrap();
        assert_eq!(entries.len(), [0, 0, 1, 1, 2][lines], "{length} bytes");
        assert_eq!(entries.first().and_then(|entry| entry.outcome).is_some(), lines > 2, "{length} bytes");
        let _next = spending.reserve(&spend("1"), &Policy::default(), noon()).unwrap();
        assert_eq!(spending.day(day_of(noon())).unwrap().len(), entries.len() + 1, "{length} bytes");
    }
}

#[test]
fn any_other_change_is_damage_and_nothing_is_paid() {
    let folder = tempfile::tempdir().unwrap();
    let (spending, bytes) = written(folder.path());
    let path = journal(folder.path());
    let refused = |bytes: &[u8], what: &str| {
        fs::write(&path, bytes).unwrap();
        let refused = spending.reserve(&spend("1"), &Policy::default(), noon());
        assert!(matches!(refused, Err(SpendingError::Damaged { .. })), "{what}: {refused:?}");
        assert_eq!(fs::read(&path).unwrap(), bytes, "{what}: it is left as it is");
    };
    for at in 0..bytes.len() - 1 {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        refused(&changed, &format!("byte {at}"));
    }
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for gone in 0..lines.len() - 1 {
        let mut fewer = lines.clone();
        fewer.remove(gone);
        refused(&fewer.concat(), &format!("without line {gone}"));
        let mut swapped = lines.clone();
        swapped.swap(gone, gone + 1);
        refused(&swapped.concat(), &format!("line {gone} moved"));
    }
    refused(&[lines.concat(), lines[3].to_vec()].concat(), "a line twice");
    refused(b"somebody's notes", "another file");
    refused(b"somebody's notes\n", "another file");
    // The journal of another day.
    fs::write(folder.path().join("2026-11-22.journal"), &bytes).unwrap();
    assert!(matches!(
        spending.day("2026-11-22".parse().unwrap()),
        Err(SpendingError::Damaged { line: 1, .. })
    ));
}

#[cfg(unix)]
#[test]
fn on_a_full_disk_nothing_is_paid_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (spending, bytes) = written(folder.path());
    let path = journal(folder.path());
    // Room for so many blocks of 512 bytes in a file: some of a line fits, or nothing.
    let room = bytes.len() / 512 + 1;
    let before = |blocks: usize| format!("trap '' XFSZ; ulimit -f {blocks};");
    let mut paid = 0;
    while said(another(folder.path(), &before(room))) == "yes" {
        paid += 1;
        assert!(paid < 10, "the disk is never full");
    }
    let full = said(another(folder.path(), &before(room)));
    assert!(full.starts_with("cannot write the spending journal"), "{full}");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.ends_with('\n'), "what was half written is cut off again");
    assert_eq!(spending.day(day_of(noon())).unwrap().len(), 2 + paid);
    assert_eq!(said(another(folder.path(), "")), "yes", "there is room again");
    // A journal cannot even be started.
    let other = folder.path().join("other");
    let full = said(another(&other, &before(0)));
    assert!(full.starts_with("cannot write the spending journal"), "{full}");
    assert_eq!(said(another(&other, "")), "yes");
}

#[test]
fn a_journal_that_somebody_keeps_is_waited_for_and_not_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let (spending, bytes) = written(folder.path());
    let path = journal(folder.path());
    let kept = File::open(&path).unwrap();
    kept.lock().unwrap();
    let refused = spending.reserve(&spend("1"), &Policy::default(), noon());
    assert!(matches!(refused, Err(SpendingError::Busy(_))), "{refused:?}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
    kept.unlock().unwrap();
    let _third = spending.reserve(&spend("1"), &Policy::default(), noon()).unwrap();
}

#[test]
fn what_cannot_be_written_down_is_not_paid() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let spending = Spending::open(&folder.path().join("file"));
    let refused = spending.reserve(&spend("1"), &Policy::default(), noon());
    assert!(matches!(refused, Err(SpendingError::File { action: "make", .. })), "{refused:?}");
    let spending = Spending::open(folder.path());
    fs::create_dir(journal(folder.path())).unwrap();
    let refused = spending.reserve(&spend("1"), &Policy::default(), noon());
    assert!(matches!(refused, Err(SpendingError::File { action: "open", .. })), "{refused:?}");
    let long = Spend { scheme: "x".repeat(5_000), ..spend("1") };
    let other = Spending::open(&folder.path().join("other"));
    assert!(other.reserve(&long, &Policy::default(), noon()).is_err());
    assert_eq!(other.day(day_of(noon())).unwrap(), []);
}
