//! A search for programs that take far more time for their fuel than others: nothing may run free.
//!
//! Programs come from three sources: loop bodies drawn from all operators, shapes that are known to hide time, and
//! modules by `wasm-smith`. The worst bodies are changed over and over to find still worse ones. Each program goes on
//! until its fuel ends, so that what comes before its loop does not count.
//!
//! Machines are noisy, so no time is asserted but one: that no program takes hundreds of times as long for its fuel as
//! others do in the same run. `cargo xtask search-costs` prints the table. What holds for any program is asserted in the
//! ordinary tests, over the first few programs of the same search.

mod body;
mod operators;
mod shapes;
mod smith;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use glassbox_sandbox::{FailureKind, Outcome, SandboxError};

use self::body::Body;
use self::shapes::Shape;
use crate::random::Random;
use crate::stopwatch::{Stopwatch, Taken};

/// A program of the search.
#[derive(Debug, Clone)]
enum Subject {
    Body(Body),
    Shape(Shape),
    Module(Vec<u8>),
}

impl Subject {
    /// Draws the program of a number: half of them bodies, a quarter shapes and a quarter modules.
    fn draw(number: u64) -> Self {
        let mut random = Random(number);
        match number % 4 {
            0 | 1 => Self::Body(Body::draw(number / 2, &mut random)),
            2 => Self::Shape(shapes::draw(number / 4, &mut random)),
            _ => Self::Module(smith::draw(&mut random)),
        }
    }

    fn component(&self) -> Vec<u8> {
        match self {
            Self::Body(body) => body.component(),
            Self::Shape(shape) => shape.component(),
            Self::Module(module) => smith::endless(module),
        }
    }

    /// Says what it is one of many of.
    fn kind(&self) -> String {
        match self {
            Self::Body(body) => format!("operators of the family {}", body.family()),
            Self::Shape(shape) => shape.kind.to_owned(),
            Self::Module(_) => "a module by wasm-smith".to_owned(),
        }
    }

    /// Returns how much of it there is, where that matters.
    fn size(&self) -> usize {
        if let Self::Shape(shape) = self { shape.size } else { 1 }
    }

    /// Shows what it does.
    fn text(&self) -> String {
        match self {
            Self::Body(body) => body.text(),
            Self::Shape(_) => String::new(),
            Self::Module(module) => wasmprinter::print_bytes(module).expect("the module is valid"),
        }
    }
}

/// A program and how long a unit of its fuel takes, which is what the search is ordered by.
struct Found {
    picoseconds: u64,
    ended: String,
    number: u64,
    /// How often it was changed since it was drawn.
    changes: usize,
    subject: Subject,
}

/// The fuel of a program in the table: some milliseconds, and a start takes a hundredth of one.
const FUEL: u64 = 20_000_000;

/// How many programs of each kind and end are in the table.
const WORST: usize = 3;

/// How many lines of a program are shown. Bodies are short, and of modules one sees what they begin with.
const LINES: usize = 40;

impl Found {
    /// Measures a program, unless it is refused, as limits of the profile do with some shapes.
    fn measure(stopwatch: &Stopwatch, number: u64, changes: usize, subject: Subject) -> Option<Self> {
        let taken = stopwatch.take(&subject.component(), FUEL, 2).ok()?;
        let quickest = taken.iter().min_by_key(|taken| taken.cpu)?;
        let (picoseconds, ended) = (quickest.picoseconds(), quickest.ended());
        Some(Self { picoseconds, ended, number, changes, subject })
    }
}

/// Prints the worst of each kind, and what the worst one does.
fn show(all: &[Found]) {
    let median = all[all.len() / 2].picoseconds;
    println!("{} programs; the median takes {median} ps for a unit of fuel\n", all.len());
    println!(
        "{:>9} {:>9}  {:<15} {:>6} {:>7} {:>6}  of",
        "ps a unit", "x median", "ended", "number", "changes", "size"
    );
    let mut seen: BTreeMap<_, usize> = BTreeMap::new();
    let mut texts = String::new();
    for Found { picoseconds, ended, number, changes, subject } in all {
        let kind = subject.kind();
        let before = seen.entry((kind.clone(), ended)).or_default();
        *before += 1;
        if *before <= WORST {
            let ratio = *picoseconds as f64 / median.max(1) as f64;
            let size = subject.size();
            println!("{picoseconds:>9} {ratio:>9.1}  {ended:<15} {number:>6} {changes:>7} {size:>6}  {kind}");
        }
        if *before == 1 && !matches!(subject, Subject::Shape(_)) {
            texts += &format!("\nnumber {number}, changed {changes} times: {picoseconds} ps a unit\n");
            subject.text().lines().take(LINES).for_each(|line| texts += &format!("    {line}\n"));
        }
    }
    println!("{texts}");
}

/// Draws two thirds of `count` programs, and spends the rest on changing the worst body of each family in turn.
fn search(count: usize) -> Vec<Found> {
    let stopwatch = Stopwatch::new();
    let drawn = (count * 2 / 3).max(1) as u64;
    let measure = |number| Found::measure(&stopwatch, number, 0, Subject::draw(number));
    let mut all: Vec<Found> = (0..drawn).filter_map(measure).collect();
    all.sort_by_key(|found| Reverse(found.picoseconds));
    let mut families = BTreeMap::new();
    for (place, found) in all.iter().enumerate() {
        if let Subject::Body(body) = &found.subject {
            families.entry(body.family()).or_insert(place);
        }
    }
    let mut random = Random(drawn);
    for place in families.values().copied().cycle().take(count.saturating_sub(drawn as usize)) {
        let worst = &mut all[place];
        let Subject::Body(body) = &worst.subject else { continue };
        let subject = Subject::Body(body.mutated(&mut random));
        if let Some(found) = Found::measure(&stopwatch, worst.number, worst.changes + 1, subject)
            && found.picoseconds > worst.picoseconds
        {
            *worst = found;
        }
    }
    all.sort_by_key(|found| Reverse(found.picoseconds));
    all
}

#[test]
fn table() {
    // Minutes of work whose result is for people.
    let Some(count) = std::env::var_os("GLASSBOX_SEARCH") else { return };
    let count = count.to_str().and_then(|count| count.parse().ok()).expect("GLASSBOX_SEARCH is a number");
    show(&search(count));
}

/// What holds for every program, however strange.
#[test]
fn programs_end_as_they_did_before() {
    const PROGRAMS: u64 = 320;
    const FUEL: u64 = 200_000;
    let stopwatch = Stopwatch::new();
    let (mut accepted, mut exhausted) = (0, 0);
    for number in 0..PROGRAMS {
        let subject = Subject::draw(number);
        // What is larger takes the compiler seconds.
        if subject.size() > 2_000 {
            continue;
        }
        let started = Instant::now();
        let taken = match stopwatch.take(&subject.component(), FUEL, 2) {
            Ok(taken) => taken,
            // Some shapes are larger than any component may be.
            Err(SandboxError::TooMany { .. }) if matches!(subject, Subject::Shape(_)) => continue,
            Err(error) => panic!("number {number}: {error}\n{}", subject.text()),
        };
        let [Taken { run: first, .. }, Taken { run: second, .. }] = &taken[..] else {
            unreachable!("two tries")
        };
        assert!(first.fuel_used <= FUEL, "number {number}: {first:?}");
        let agree = (&first.outcome, first.fuel_used, first.memory_peak_bytes)
            == (&second.outcome, second.fuel_used, second.memory_peak_bytes);
        assert!(agree, "number {number}: {first:?} and then {second:?}");
        if let Outcome::Failed(failure) = &first.outcome {
            let theirs = [
                FailureKind::OutOfFuel,
                FailureKind::Trap,
                FailureKind::StackExhausted,
                FailureKind::MemoryExceeded,
            ];
            assert!(theirs.contains(&failure.kind), "number {number}: {failure:?}");
            exhausted += usize::from(failure.kind == FailureKind::OutOfFuel);
        }
        accepted += 1;
        // A guard against hanging alone: the slowest takes seconds, most of them for the compiler.
        assert!(started.elapsed() < Duration::from_secs(120), "number {number}: {:?}", started.elapsed());
    }
    eprintln!("{accepted} of {PROGRAMS} accepted, {exhausted} used up their fuel");
    // Otherwise the search looks at programs that do nothing.
    assert!(accepted > PROGRAMS * 9 / 10 && exhausted > accepted as usize * 2 / 3);
}

/// Nothing runs free: a new way to hide time shows here.
#[test]
fn no_program_takes_far_longer_than_others() {
    const PROGRAMS: u64 = 160;
    const FUEL: u64 = 4_000_000;
    const RATIO_MAX: u64 = 200;
    /// Kinds that are known to, and bounded otherwise.
    const KNOWN: [&str; 0] = [];
    let stopwatch = Stopwatch::new();
    let measure = |number| {
        let subject = Subject::draw(number);
        // What is larger takes the compiler seconds.
        let taken = (subject.size() <= 2_000).then(|| stopwatch.take(&subject.component(), FUEL, 3))?;
        // Some shapes are larger than any component may be.
        let quickest = taken.ok()?.iter().map(Taken::picoseconds).min()?;
        Some((quickest, number, subject.kind()))
    };
    let mut all: Vec<_> = (0..PROGRAMS).filter_map(measure).collect();
    // Otherwise it is a search for what is refused.
    assert!(all.len() as u64 > PROGRAMS * 3 / 4, "{} of {PROGRAMS} ran", all.len());
    all.sort();
    let (median, ..) = all[all.len() / 2];
    let (slowest, ..) = all[all.len() - 1];
    eprintln!("{} programs; a unit of fuel takes {median} ps, and {slowest} ps at most", all.len());
    let far: Vec<_> = all
        .iter()
        .filter(|(picoseconds, _, kind)| *picoseconds > RATIO_MAX * median && !KNOWN.contains(&kind.as_str()))
        .collect();
    assert!(far.is_empty(), "the median is {median} ps: {far:?}");
}

/// A change gives another program that is accepted, too, however often it is repeated.
#[test]
fn changed_bodies_are_accepted() {
    let mut random = Random(1);
    let mut body = Body::draw(1, &mut random);
    for change in 0..2_000 {
        body = body.mutated(&mut random);
        if change % 20 == 0 {
            let component = body.component();
            glassbox_sandbox::inspect(&component).unwrap_or_else(|error| panic!("{error}\n{}", body.text()));
        }
    }
}
