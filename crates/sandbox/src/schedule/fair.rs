//! Who is next: fair queueing by payer, then by package, with fuel as the currency.
//!
//! Every payer has a virtual time: the fuel that its guests have burnt since it joined. The payer that has burnt least
//! is next, and among its packages the one that has burnt least. Whoever joins starts at the virtual time of those who
//! are there, so that nobody saves up turns by staying away.
//!
//! Nothing here runs, waits or knows a clock. The numbers of payers, packages and entries are bounded by the limits on
//! what waits and what is active, so plain scans are fine.

use std::collections::VecDeque;
use std::sync::Arc;

/// Whom a run is for. Payers share the machine evenly, and the packages of one payer share its part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Who pays. All who pay nothing are one payer.
    pub payer: Arc<str>,
    /// What is run.
    pub package: Arc<str>,
}

impl Flow {
    /// Names a flow.
    pub fn new(payer: impl Into<Arc<str>>, package: impl Into<Arc<str>>) -> Self {
        Self { payer: payer.into(), package: package.into() }
    }
}

/// How much may wait and be active.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// The most guests that have started and not ended.
    pub(crate) active_max: usize,
    /// The most of them that are of one payer.
    pub(crate) active_per_payer_max: usize,
    /// The most memory that they may grow to together, in bytes.
    pub(crate) memory_bytes_max: usize,
    /// The most of it that is for guests of one payer. A guest that needs more may have it where its payer has no other.
    pub(crate) memory_bytes_per_payer_max: usize,
    /// The most that wait to start.
    pub(crate) waiting_max: usize,
    /// The most of them that are of one payer.
    pub(crate) waiting_per_payer_max: usize,
}

/// The queue. `T` is a guest that has not started, or one that goes on.
#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    room: Room,
    payers: Vec<Payer<T>>,
    /// The virtual time of whoever was chosen last: where a newcomer starts.
    now: u64,
    waiting: usize,
    active: usize,
    memory_bytes: usize,
}

#[derive(Debug)]
struct Payer<T> {
    name: Arc<str>,
    burnt: u64,
    active: usize,
    memory_bytes: usize,
    waiting: usize,
    packages: Vec<Package<T>>,
    now: u64,
}

#[derive(Debug)]
struct Package<T> {
    name: Arc<str>,
    burnt: u64,
    active: usize,
    fresh: VecDeque<Fresh<T>>,
    ready: VecDeque<T>,
}

/// A guest that waits to start, and the memory that it may grow to.
#[derive(Debug)]
struct Fresh<T> {
    item: T,
    memory_bytes: usize,
}

/// Says that too much waits already, and gives back what was to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full<T>(pub(crate) T);

/// The most payers that are remembered while they have nothing here.
const GONE_MAX: usize = 64;

impl<T> FairQueue<T> {
    pub(crate) fn new(room: Room) -> Self {
        Self { room, payers: Vec::new(), now: 0, waiting: 0, active: 0, memory_bytes: 0 }
    }

    /// Tells whether anything waits to start.
    pub(crate) fn has_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// Adds a guest that wants to start.
    pub(crate) fn push_fresh(&mut self, flow: &Flow, memory_bytes: usize, item: T) -> Result<(), Full<T>> {
        let full = self.waiting >= self.room.waiting_max;
        let room = self.room;
        let payer = self.payer(&flow.payer);
        if full || payer.waiting >= room.waiting_per_payer_max {
            self.forget_idle();
            return Err(Full(item));
        }
        payer.waiting += 1;
        payer.package(&flow.package).fresh.push_back(Fresh { item, memory_bytes });
        self.waiting += 1;
        Ok(())
    }

    /// Adds a guest that goes on, after a turn in which it burnt `fuel`.
    pub(crate) fn push_ready(&mut self, flow: &Flow, fuel: u64, item: T) {
        let package = self.payer(&flow.payer).burn(&flow.package, fuel);
        package.ready.push_back(item);
    }

    /// Takes out who is next, where anybody can have a turn. One that waited to start is active from here on, until
    /// [`finish`](Self::finish).
    pub(crate) fn pop(&mut self) -> Option<T> {
        let candidates = self.payers.iter().enumerate().filter(|(_, payer)| self.next_of(payer).is_some());
        let (index, payer) = candidates.min_by_key(|(_, payer)| payer.burnt)?;
        let (package, starts) = self.next_of(payer)?;
        let payer = &mut self.payers[index];
        self.now = self.now.max(payer.burnt);
        let package = &mut payer.packages[package];
        payer.now = payer.now.max(package.burnt);
        if !starts {
            return package.ready.pop_front();
        }
        let fresh = package.fresh.pop_front()?;
        package.active += 1;
        payer.active += 1;
        payer.memory_bytes += fresh.memory_bytes;
        payer.waiting -= 1;
        self.active += 1;
        self.waiting -= 1;
        self.memory_bytes += fresh.memory_bytes;
        Some(fresh.item)
    }

    /// Ends a guest that had started, after a last turn in which it burnt `fuel`.
    pub(crate) fn finish(&mut self, flow: &Flow, memory_bytes: usize, fuel: u64) {
        let payer = self.payer(&flow.payer);
        payer.active = payer.active.saturating_sub(1);
        payer.memory_bytes = payer.memory_bytes.saturating_sub(memory_bytes);
        let package = payer.burn(&flow.package, fuel);
        package.active = package.active.saturating_sub(1);
        self.active = self.active.saturating_sub(1);
        self.memory_bytes = self.memory_bytes.saturating_sub(memory_bytes);
        self.forget_idle();
    }

    /// Takes out all that wait to start and for which `expired` holds.
    pub(crate) fn expire(&mut self, expired: impl Fn(&T) -> bool) -> Vec<T> {
        let mut out = Vec::new();
        for payer in &mut self.payers {
            for package in &mut payer.packages {
                let (gone, kept) = package.fresh.drain(..).partition(|fresh| expired(&fresh.item));
                package.fresh = kept;
                let gone: VecDeque<Fresh<T>> = gone;
                payer.waiting -= gone.len();
                self.waiting -= gone.len();
                out.extend(gone.into_iter().map(|fresh| fresh.item));
            }
        }
        self.forget_idle();
        out
    }

    /// Returns the package of `payer` that is next, and whether one of it would start; `None` when it has nothing that
    /// can have a turn.
    ///
    /// What waits to start comes before what goes on, so that a payer's short run is not behind its own long ones.
    fn next_of(&self, payer: &Payer<T>) -> Option<(usize, bool)> {
        let may_start = self.active < self.room.active_max && payer.active < self.room.active_per_payer_max;
        let room = self.room;
        let is_within = |fresh: &Fresh<T>, held: usize, max| held.saturating_add(fresh.memory_bytes) <= max;
        // Whoever of the payer's own is first waits for memory of the payer's, and no other of them takes it meanwhile.
        let waiting = payer.packages.iter().filter(|package| !package.fresh.is_empty());
        let first = waiting.min_by_key(|package| package.burnt).and_then(|package| package.fresh.front());
        let has_part = payer.active == 0
            || first
                .is_none_or(|first| is_within(first, payer.memory_bytes, room.memory_bytes_per_payer_max));
        let fits = |fresh: &Fresh<T>| {
            has_part
                && (self.active == 0 || is_within(fresh, self.memory_bytes, room.memory_bytes_max))
                && (payer.active == 0
                    || is_within(fresh, payer.memory_bytes, room.memory_bytes_per_payer_max))
        };
        let starts = |package: &Package<T>| may_start && package.fresh.front().is_some_and(fits);
        let candidates = payer.packages.iter().enumerate();
        let candidates = candidates.filter(|(_, package)| starts(package) || !package.ready.is_empty());
        let (index, package) = candidates.min_by_key(|(_, package)| package.burnt)?;
        Some((index, starts(package)))
    }

    fn payer(&mut self, name: &Arc<str>) -> &mut Payer<T> {
        let index = self.payers.iter().position(|payer| payer.name == *name).unwrap_or_else(|| {
            let (name, burnt) = (name.clone(), self.now);
            let (active, memory_bytes, waiting, packages, now) = Default::default();
            self.payers.push(Payer { name, burnt, active, memory_bytes, waiting, packages, now });
            self.payers.len() - 1
        });
        &mut self.payers[index]
    }

    /// Counts what a turn burnt beyond what was said of it.
    pub(crate) fn add(&mut self, flow: &Flow, fuel: u64) {
        self.payer(&flow.payer).burn(&flow.package, fuel);
        self.forget_idle();
    }

    /// Forgets who has nothing under way, but for those who have burnt more than their share while others are here: who comes
    /// back soon does not join anew.
    fn forget_idle(&mut self) {
        for payer in &mut self.payers {
            payer.packages.retain(|package| package.active > 0 || !package.fresh.is_empty());
        }
        let (now, alone) = (self.now, self.active == 0 && self.waiting == 0);
        let mut kept = 0;
        self.payers.retain(|payer| {
            let is_here = payer.active > 0 || payer.waiting > 0;
            let is_ahead = !alone && payer.burnt > now && kept < GONE_MAX;
            kept += usize::from(!is_here && is_ahead);
            is_here || is_ahead
        });
    }
}

impl<T> Payer<T> {
    fn package(&mut self, name: &Arc<str>) -> &mut Package<T> {
        let index = self.packages.iter().position(|package| package.name == *name).unwrap_or_else(|| {
            let (name, burnt) = (name.clone(), self.now);
            let (fresh, ready) = (VecDeque::new(), VecDeque::new());
            self.packages.push(Package { name, burnt, active: 0, fresh, ready });
            self.packages.len() - 1
        });
        &mut self.packages[index]
    }

    fn burn(&mut self, package: &Arc<str>, fuel: u64) -> &mut Package<T> {
        self.burnt = self.burnt.saturating_add(fuel);
        let package = self.package(package);
        package.burnt = package.burnt.saturating_add(fuel);
        package
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room {
        active_max: 8,
        active_per_payer_max: 4,
        memory_bytes_max: 100,
        memory_bytes_per_payer_max: 50,
        waiting_max: 200,
        waiting_per_payer_max: 150,
    };

    fn flow(payer: &str, package: &str) -> Flow {
        Flow::new(payer, package)
    }

    /// A guest: whose it is, and how many turns it still needs.
    type Guest = (Flow, u32);

    /// Runs one turn of whoever is next, and returns whose it was.
    fn turn(queue: &mut FairQueue<Guest>) -> Option<Flow> {
        let (flow, turns) = queue.pop()?;
        match turns {
            0 | 1 => queue.finish(&flow, 1, 10),
            _ => queue.push_ready(&flow, 10, (flow.clone(), turns - 1)),
        }
        Some(flow)
    }

    #[test]
    fn a_newcomer_does_not_wait_behind_a_hundred() {
        let mut queue = FairQueue::new(ROOM);
        let spinner = flow("spinner", "a");
        for _ in 0..100 {
            queue.push_fresh(&spinner, 1, (spinner.clone(), 1_000)).expect("room");
        }
        for _ in 0..50 {
            turn(&mut queue);
        }
        let other = flow("other", "a");
        for _ in 0..20 {
            queue.push_fresh(&other, 1, (other.clone(), 1)).expect("room");
            let turns = (0..3).map(|_| turn(&mut queue).expect("busy")).collect::<Vec<_>>();
            assert!(turns.contains(&other), "{turns:?}");
        }
    }

    #[test]
    fn payers_share_evenly_and_so_do_the_packages_of_one() {
        let mut queue = FairQueue::new(ROOM);
        let flows = [flow("x", "a"), flow("x", "b"), flow("y", "a")];
        for flow in &flows {
            queue.push_fresh(flow, 1, (flow.clone(), u32::MAX)).expect("room");
        }
        let mut turns = [0; 3];
        for _ in 0..400 {
            let next = turn(&mut queue).expect("busy");
            turns[flows.iter().position(|flow| *flow == next).expect("known")] += 1;
        }
        assert_eq!(turns, [100, 100, 200]);
    }

    #[test]
    fn what_waits_is_bounded_in_all_and_by_payer() {
        let mut queue = FairQueue::new(ROOM);
        let (x, y) = (flow("x", "a"), flow("y", "a"));
        for _ in 0..150 {
            queue.push_fresh(&x, 1, (x.clone(), 1)).expect("room");
        }
        assert!(queue.push_fresh(&x, 1, (x.clone(), 1)).is_err());
        for _ in 0..50 {
            queue.push_fresh(&y, 1, (y.clone(), 1)).expect("room");
        }
        assert!(queue.push_fresh(&y, 1, (y.clone(), 1)).is_err());
        while turn(&mut queue).is_some() {}
        assert!(
            queue.payers.is_empty() && queue.waiting == 0 && queue.active == 0 && queue.memory_bytes == 0
        );
    }

    #[test]
    fn what_is_active_is_bounded_in_all_by_payer_and_by_memory() {
        let mut queue = FairQueue::new(ROOM);
        let start = |queue: &mut FairQueue<Guest>, payer: &str, count, memory_bytes| {
            let flow = flow(payer, "a");
            for _ in 0..count {
                queue.push_fresh(&flow, memory_bytes, (flow.clone(), 1)).expect("room");
            }
            (0..count).filter(|_| queue.pop().is_some()).count()
        };
        assert_eq!(start(&mut queue, "x", 6, 1), 4);
        assert_eq!(start(&mut queue, "large", 1, 97), 0);
        assert_eq!(start(&mut queue, "y", 1, 96), 1);
        assert_eq!(start(&mut queue, "z", 1, 1), 0);
        queue.finish(&flow("y", "a"), 96, 0);
        assert_eq!(queue.pop().map(|(flow, _)| flow.payer), Some("z".into()));
    }

    #[test]
    fn nobody_takes_all_memory() {
        let mut queue = FairQueue::new(ROOM);
        let (greedy, other) = (flow("greedy", "a"), flow("other", "a"));
        for _ in 0..4 {
            queue.push_fresh(&greedy, 20, (greedy.clone(), 1)).expect("room");
        }
        assert_eq!((0..4).filter(|_| queue.pop().is_some()).count(), 2, "half of it");
        queue.push_fresh(&other, 20, (other.clone(), 1)).expect("room");
        assert_eq!(queue.pop().map(|(flow, _)| flow), Some(other));
        queue.finish(&greedy, 20, 0);
        assert_eq!(queue.pop().map(|(flow, _)| flow), Some(greedy));
        // What is larger than a payer's part runs alone of its payer.
        let large = flow("large", "a");
        queue.push_fresh(&large, 55, (large.clone(), 1)).expect("room");
        assert!(queue.pop().is_none());
        queue.finish(&flow("other", "a"), 20, 0);
        assert_eq!(queue.pop().map(|(flow, _)| flow), Some(large));
    }

    #[test]
    fn a_payers_small_guests_do_not_keep_its_large_one_from_starting() {
        let mut queue = FairQueue::new(ROOM);
        let (small, large) = (flow("x", "small"), flow("x", "large"));
        for _ in 0..3 {
            queue.push_fresh(&small, 20, (small.clone(), 1)).expect("room");
        }
        assert_eq!((0..3).filter(|_| queue.pop().is_some()).count(), 2);
        queue.push_fresh(&large, 40, (large.clone(), 1)).expect("room");
        queue.finish(&small, 20, 10);
        assert!(queue.pop().is_none(), "what came free is for the one that has burnt least");
        queue.finish(&small, 20, 10);
        assert_eq!(queue.pop().map(|(flow, _)| flow), Some(large));
    }

    #[test]
    fn who_was_here_a_moment_ago_has_burnt_what_it_burnt() {
        let mut queue = FairQueue::new(ROOM);
        let (long, bulk) = (flow("long", "a"), flow("bulk", "a"));
        queue.push_fresh(&long, 1, (long.clone(), u32::MAX)).expect("room");
        turn(&mut queue).expect("it runs");
        for expected in [0, 21] {
            queue.push_fresh(&bulk, 1, (bulk.clone(), 1)).expect("room");
            let mut turns = 0;
            while turn(&mut queue).expect("busy") != bulk {
                turns += 1;
            }
            assert_eq!(turns, expected);
            // One turn that was as long as twenty.
            queue.add(&bulk, 200);
        }
        assert_eq!(queue.payers.len(), 2);
        // As long as anybody is here to compare with.
        let Some((last, _)) = queue.pop() else { panic!("it goes on") };
        queue.finish(&last, 1, 0);
        assert!(queue.payers.is_empty());
    }

    #[test]
    fn what_waited_too_long_is_taken_out() {
        let mut queue = FairQueue::new(ROOM);
        let x = flow("x", "a");
        for turns in [1, 2, 3] {
            queue.push_fresh(&x, 1, (x.clone(), turns)).expect("room");
        }
        assert_eq!(queue.expire(|(_, turns)| *turns == 2).len(), 1);
        assert_eq!(queue.waiting, 2);
        assert_eq!(queue.expire(|_| true).len(), 2);
        assert!(!queue.has_waiting() && queue.payers.is_empty());
    }
}
