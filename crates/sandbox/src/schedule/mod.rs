//! The threads that guests run on, and whose turn it is.
//!
//! A guest is a future that gives way whenever it has burnt the fuel of one yield interval. It then goes back into a
//! [`FairQueue`], so that a thousand long runs of one payer hold up a short run of another for one interval at most.
//! A guest that waits for the host takes no thread.

mod fair;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_task::{Builder, ScheduleInfo, WithInfo};
use fair::FairQueue;
use rustix::time::{ClockId, clock_gettime};

pub use fair::Flow;
pub(crate) use fair::Room;

/// Runs guests on threads of its own, in fair turns.
pub(crate) struct Scheduler {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Signalled when somebody can have a turn.
    work: Condvar,
    /// The fuel of a whole turn.
    interval: u64,
    patience: Duration,
}

struct State {
    queue: FairQueue<Runnable>,
    /// The threads that sleep.
    asleep: usize,
    /// Those of them that were called and have not looked yet.
    called: usize,
    next_sweep: Instant,
    closed: bool,
}

type Runnable = async_task::Runnable<Arc<Guest>>;

/// What the scheduler knows of a guest.
struct Guest {
    flow: Flow,
    memory_bytes: usize,
    came: Instant,
    started: AtomicBool,
}

/// Why a guest gave no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotRun {
    /// Too much waited already, or it waited too long. It never started.
    Busy,
    /// It panicked.
    Panicked,
}

/// The longest turn that costs no more than the fuel of one, in CPU time. The engine looks up between operations and not
/// within one, and some of them, such as filling memory, are as long as a thousand others.
const TURN: Duration = Duration::from_micros(500);

/// How often those that wait to start are looked through for who has waited too long.
const SWEEP: Duration = Duration::from_millis(100);

impl Scheduler {
    /// Starts `threads` threads. A guest that waits for longer than `patience` never starts.
    pub(crate) fn new(
        threads: usize,
        room: Room,
        interval: u64,
        patience: Duration,
    ) -> std::io::Result<Self> {
        let next_sweep = Instant::now() + SWEEP;
        let state = State { queue: FairQueue::new(room), asleep: 0, called: 0, next_sweep, closed: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), work: Condvar::new(), interval, patience });
        let scheduler = Self { shared };
        for index in 0..threads {
            let shared = scheduler.shared.clone();
            std::thread::Builder::new().name(format!("guest-{index}")).spawn(move || shared.work())?;
        }
        Ok(scheduler)
    }

    /// Runs what `guest` makes when it is its turn, and returns what it gave. `fuel` tells from the output what it burnt.
    ///
    /// Dropping the returned future ends the guest at its next yield, or before it starts.
    pub(crate) async fn run<T: Send + 'static, G: Future<Output = T> + Send + 'static>(
        &self,
        flow: Flow,
        memory_bytes: usize,
        guest: impl FnOnce() -> G + Send + 'static,
        fuel: impl Fn(&T) -> u64 + Send + 'static,
    ) -> Result<T, NotRun> {
        let started = AtomicBool::new(false);
        let entry = Arc::new(Guest { flow, memory_bytes, came: Instant::now(), started });
        let end = End { shared: self.shared.clone(), guest: entry.clone(), fuel: 0 };
        let interval = self.shared.interval;
        // Made where it stays: the future of a guest is large.
        let guest = move |_: &Arc<Guest>| async move {
            // The whole of it, which the guest's place depends on, and not just the field.
            let mut end = end;
            let output = guest().await;
            // The turns before the last are paid for.
            end.fuel = fuel(&output) % interval;
            output
        };
        let shared = self.shared.clone();
        let schedule = WithInfo(move |runnable: Runnable, info: ScheduleInfo| shared.go_on(runnable, info));
        let (runnable, task) = Builder::new().metadata(entry.clone()).spawn(guest, schedule);
        // Outside of the lock, as dropping what is refused wants it too.
        if let Err(refused) = self.shared.wait(runnable) {
            drop(refused);
            return Err(NotRun::Busy);
        }
        match task.fallible().await {
            Some(output) => Ok(output),
            None if entry.started.load(Ordering::Acquire) => Err(NotRun::Panicked),
            None => Err(NotRun::Busy),
        }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.work.notify_all();
    }
}

impl Shared {
    /// Puts a guest among those that wait to start, or gives it back where too many do.
    fn wait(&self, runnable: Runnable) -> Result<(), Runnable> {
        let guest = runnable.metadata().clone();
        let mut state = self.lock();
        state.queue.push_fresh(&guest.flow, guest.memory_bytes, runnable).map_err(|full| full.0)?;
        self.call_a_thread(state);
        Ok(())
    }

    /// Puts a guest that gave way, or that the host has answered, among those that go on.
    fn go_on(&self, runnable: Runnable, info: ScheduleInfo) {
        let guest = runnable.metadata().clone();
        // Who gave way has burnt a whole interval. Who waited for the host has paid for that otherwise.
        let fuel = if info.woken_while_running { self.interval } else { 0 };
        let mut state = self.lock();
        state.queue.push_ready(&guest.flow, fuel, runnable);
        self.call_a_thread(state);
    }

    /// Wakes a thread for what is queued. One that is busy, or was called already, will look by itself.
    fn call_a_thread(&self, mut state: MutexGuard<'_, State>) {
        if state.called < state.asleep {
            state.called += 1;
            // First of all: it would wake up to find the lock taken.
            drop(state);
            self.work.notify_one();
        }
    }

    /// What each thread does.
    fn work(&self) {
        let mut clock = TurnClock::new();
        while let Some(runnable) = self.next() {
            let guest = runnable.metadata().clone();
            guest.started.store(true, Ordering::Release);
            clock.begin();
            // The guest's own faults are traps; a panic is ours, and must not cost the thread.
            if catch_unwind(AssertUnwindSafe(|| runnable.run())).is_err() {
                tracing::error!("A guest's thread panicked");
            }
            let more = clock.end().as_nanos() / TURN.as_nanos();
            if more > 0 {
                let fuel = self.interval.saturating_mul(u64::try_from(more).unwrap_or(u64::MAX));
                self.lock().queue.add(&guest.flow, fuel);
            }
        }
    }

    /// Waits for the next turn; `None` when the scheduler is gone.
    fn next(&self) -> Option<Runnable> {
        let mut state = self.lock();
        loop {
            self.sweep(&mut state);
            if let Some(runnable) = state.queue.pop() {
                return Some(runnable);
            }
            if state.closed {
                return None;
            }
            state.asleep += 1;
            state = match state.queue.has_waiting() {
                // Nobody may ever call if what is active waits for the host.
                true => self.work.wait_timeout(state, SWEEP).unwrap_or_else(PoisonError::into_inner).0,
                false => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            state.asleep -= 1;
            // Whether it was this thread that was called, or it woke by itself: it looks now.
            state.called = state.called.saturating_sub(1);
        }
    }

    /// Turns away who has waited too long.
    fn sweep(&self, state: &mut MutexGuard<'_, State>) {
        if !state.queue.has_waiting() {
            return;
        }
        let now = Instant::now();
        if now < state.next_sweep {
            return;
        }
        state.next_sweep = now + SWEEP;
        let expired = state
            .queue
            .expire(|runnable| now.saturating_duration_since(runnable.metadata().came) > self.patience);
        // None of them has started, so their ends do not want the lock.
        drop(expired);
    }

    /// The queue is whole between any two statements under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells how long turns are, in CPU time, where they are longer than [`TURN`].
///
/// That clock is a system call, which would be a seventh of the shortest turns. So it is read only where the clock on the wall
/// says that a turn may have been so long, and at times between turns, so that it is never far behind.
struct TurnClock {
    begun: Instant,
    /// The CPU time when it was last read, and when that was.
    cpu: Duration,
    read: Instant,
}

impl TurnClock {
    fn new() -> Self {
        let now = Instant::now();
        Self { begun: now, cpu: cpu_time(), read: now }
    }

    /// Begins a turn.
    fn begin(&mut self) {
        let now = Instant::now();
        self.begun = now;
        // What other turns took since is then less than a turn.
        if now.duration_since(self.read) >= TURN {
            (self.cpu, self.read) = (cpu_time(), now);
        }
    }

    /// Ends it, and returns the CPU time that it took, or less than one [`TURN`] more; nothing where it was shorter than that.
    fn end(&mut self) -> Duration {
        let now = Instant::now();
        let wall = now.duration_since(self.begun);
        if wall < TURN {
            return Duration::ZERO;
        }
        let cpu = cpu_time();
        let since = cpu.saturating_sub(self.cpu);
        (self.cpu, self.read) = (cpu, now);
        // The one has turns before this one in it, the other waiting for the processor: it took no more than either.
        since.min(wall)
    }
}

/// Returns the CPU time that the calling thread has had.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// Gives a guest's place back, however it ends.
struct End {
    shared: Arc<Shared>,
    guest: Arc<Guest>,
    fuel: u64,
}

impl Drop for End {
    fn drop(&mut self) {
        if self.guest.started.load(Ordering::Acquire) {
            let mut state = self.shared.lock();
            state.queue.finish(&self.guest.flow, self.guest.memory_bytes, self.fuel);
            // Its place may be what another waited for.
            if state.queue.has_waiting() {
                self.shared.call_a_thread(state);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use tokio::sync::oneshot;

    use super::*;
    use crate::turn::give_way;

    const INTERVAL: u64 = 1_000;

    fn scheduler(active: usize, patience: Duration) -> Scheduler {
        let room = Room {
            active_max: active,
            active_per_payer_max: active,
            memory_bytes_max: 100,
            memory_bytes_per_payer_max: 100,
            waiting_max: 20,
            waiting_per_payer_max: 10,
        };
        Scheduler::new(1, room, INTERVAL, patience).expect("starts")
    }

    /// A thread that is held up, so that what is queued meanwhile is decided about at once.
    struct HeldUp<F> {
        ended: F,
        release: std::sync::mpsc::Sender<()>,
    }

    fn hold_up(scheduler: &Scheduler) -> HeldUp<impl Future<Output = Result<(), NotRun>>> {
        let (release, released) = std::sync::mpsc::channel();
        let (begin, begun) = std::sync::mpsc::channel();
        let guest = async move {
            begin.send(()).expect("somebody waits");
            released.recv().expect("somebody releases");
        };
        let mut ended = Box::pin(scheduler.run(Flow::new("first", ""), 1, || guest, |()| 0));
        queue(&mut ended);
        begun.recv().expect("it begins");
        HeldUp { ended, release }
    }

    /// Polls a run once, which queues it.
    fn queue<T>(run: &mut (impl Future<Output = Result<T, NotRun>> + Unpin)) {
        let polled = pin!(run).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }

    /// Runs one guest of payer `long` that gives way `times`, and beside it `others` of payer `short`, each of which does its work
    /// and burns `fuel`; returns whose turns there were.
    async fn turns(times: usize, others: usize, fuel: u64, work: fn()) -> String {
        let scheduler = scheduler(20, Duration::from_secs(60));
        let turns = Arc::new(Mutex::new(String::new()));
        let note = |turns: &Arc<Mutex<String>>, whose| turns.lock().expect("no panic").push(whose);
        let held_up = hold_up(&scheduler);
        let noted = turns.clone();
        let long = async move {
            for _ in 0..times {
                note(&noted, 'l');
                give_way().await;
            }
            note(&noted, 'l');
        };
        let mut long = Box::pin(scheduler.run(Flow::new("long", ""), 1, || long, |()| 0));
        queue(&mut long);
        let short = |_| {
            let noted = turns.clone();
            let guest = async move {
                note(&noted, 's');
                work();
            };
            let mut run = Box::pin(scheduler.run(Flow::new("short", ""), 1, || guest, move |()| fuel));
            queue(&mut run);
            run
        };
        let short: Vec<_> = (0..others).map(short).collect();
        held_up.release.send(()).expect("it waits");
        assert_eq!((held_up.ended.await, long.await), (Ok(()), Ok(())));
        for run in short {
            assert_eq!(run.await, Ok(()));
        }
        let turns = turns.lock().expect("no panic");
        turns.clone()
    }

    #[tokio::test]
    async fn whoever_gives_way_has_burnt_an_interval() {
        // Whose turns cost as much come even: one of the long for four of the short.
        assert_eq!(turns(2, 9, INTERVAL / 4, || ()).await, "lsssslssssls");
        assert_eq!(turns(0, 9, INTERVAL / 4, || ()).await, "lsssssssss");
    }

    #[tokio::test]
    async fn a_turn_costs_as_long_as_it_was() {
        let turns = turns(60, 2, 1, || {
            let begun = cpu_time();
            while cpu_time() - begun < 40 * TURN {}
        });
        let turns = turns.await;
        let between = turns.trim_matches('l').trim_matches('s');
        assert!(between.len() >= 40, "{turns}");
    }

    #[tokio::test]
    async fn whoever_waits_too_long_never_starts() {
        let scheduler = scheduler(1, Duration::from_secs(1));
        let (end, ending) = oneshot::channel();
        let mut first = Box::pin(scheduler.run(Flow::new("a", ""), 1, || ending, |_| 0));
        // It has the only place, and waits for something that is not its thread.
        queue(&mut first);
        let started = Arc::new(AtomicBool::new(false));
        let mark = started.clone();
        let second = async move { mark.store(true, Ordering::SeqCst) };
        assert_eq!(scheduler.run(Flow::new("b", ""), 1, || second, |()| 0).await, Err(NotRun::Busy));
        assert!(!started.load(Ordering::SeqCst));
        end.send(7).expect("it waits");
        assert_eq!(first.await, Ok(Ok(7)));
        // The place is free again.
        assert_eq!(scheduler.run(Flow::new("b", ""), 1, || async { 8 }, |_| 0).await, Ok(8));
    }

    #[tokio::test]
    async fn whoever_panics_gives_its_place_back() {
        let scheduler = scheduler(1, Duration::from_secs(60));
        let flow = || Flow::new("a", "");
        let made = scheduler.run(flow(), 1, || -> std::future::Ready<()> { panic!("while made") }, |()| 0);
        assert_eq!(made.await, Err(NotRun::Panicked));
        let run = scheduler.run(flow(), 1, || async { panic!("while run") }, |()| 0);
        assert_eq!(run.await, Err(NotRun::Panicked));
        let ended = scheduler.run(flow(), 1, || async { 8 }, |_| panic!("while ended"));
        assert_eq!(ended.await, Err(NotRun::Panicked));
        assert_eq!(scheduler.run(flow(), 1, || async { 8 }, |_| 0).await, Ok(8));
    }

    #[tokio::test]
    async fn whoever_is_given_up_before_it_starts_takes_no_place() {
        let scheduler = scheduler(1, Duration::from_secs(60));
        let held_up = hold_up(&scheduler);
        let mut given_up = Box::pin(scheduler.run(Flow::new("a", ""), 1, || async { 8 }, |_| 0));
        queue(&mut given_up);
        drop(given_up);
        held_up.release.send(()).expect("it waits");
        assert_eq!(held_up.ended.await, Ok(()));
        assert_eq!(scheduler.run(Flow::new("b", ""), 1, || async { 8 }, |_| 0).await, Ok(8));
    }

    #[tokio::test]
    async fn more_than_may_wait_are_turned_away_at_once() {
        let scheduler = scheduler(20, Duration::from_secs(60));
        let held_up = hold_up(&scheduler);
        let run = |payer: &str| Box::pin(scheduler.run(Flow::new(payer, ""), 1, || async {}, |()| 0));
        let mut waiting: Vec<_> = (0..10).map(|_| run("a")).collect();
        waiting.iter_mut().for_each(queue);
        assert_eq!(run("a").await, Err(NotRun::Busy));
        waiting.push(run("b"));
        waiting.last_mut().into_iter().for_each(queue);
        held_up.release.send(()).expect("it waits");
        assert_eq!(held_up.ended.await, Ok(()));
        for run in waiting {
            assert_eq!(run.await, Ok(()));
        }
    }
}
