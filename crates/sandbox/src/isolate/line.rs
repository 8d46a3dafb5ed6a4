//! Who compiles next: first come, first served, so many at a time, and never the same component twice.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use glassbox_core::Digest;

/// A line of threads that want to compile.
pub(crate) struct Line {
    state: Mutex<State>,
    moved: Condvar,
    at_once: usize,
}

#[derive(Default)]
struct State {
    next_ticket: u64,
    waiting: VecDeque<u64>,
    compiling: Vec<Digest>,
}

/// The right to compile one component, until it is dropped.
pub(crate) struct Turn<'l> {
    line: &'l Line,
    digest: Digest,
}

impl Line {
    /// Makes a line in which `at_once` compile at a time.
    pub(crate) fn new(at_once: usize) -> Self {
        Self { state: Mutex::default(), moved: Condvar::new(), at_once: at_once.max(1) }
    }

    /// Waits for a turn. Who wants what is being compiled waits until that is done, and holds up those behind: a
    /// component that two ask for at once is the only case, and a short one.
    pub(crate) fn wait(&self, digest: Digest) -> Turn<'_> {
        let mut state = self.state();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push_back(ticket);
        let must_wait = |state: &mut State| {
            state.waiting.front() != Some(&ticket)
                || state.compiling.len() >= self.at_once
                || state.compiling.contains(&digest)
        };
        state = self.moved.wait_while(state, must_wait).unwrap_or_else(PoisonError::into_inner);
        state.waiting.pop_front();
        state.compiling.push(digest);
        // The next one may have a place beside this one.
        self.moved.notify_all();
        Turn { line: self, digest }
    }

    /// What the lock guards is whole between any two statements, so a panic elsewhere leaves nothing half done.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.line.state().compiling.retain(|digest| *digest != self.digest);
        self.line.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_more_than_allowed_and_none_twice() {
        let line = Line::new(2);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let same = [const { AtomicUsize::new(0) }; 3];
        std::thread::scope(|scope| {
            for n in 0..30 {
                let (line, now, most, same) = (&line, &now, &most, &same[n % 3]);
                scope.spawn(move || {
                    let _turn = line.wait(Digest::of([(n % 3) as u8]));
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    assert_eq!(same.fetch_add(1, Ordering::SeqCst), 0);
                    std::thread::yield_now();
                    same.fetch_sub(1, Ordering::SeqCst);
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert!((1..=2).contains(&most.into_inner()));
        assert!(line.state().compiling.is_empty() && line.state().waiting.is_empty());
    }

    #[test]
    fn first_come_first_served() {
        let line = Line::new(1);
        let served = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            let first = line.wait(Digest::of("first"));
            for n in 0..8_usize {
                let (line, served) = (&line, &served);
                scope.spawn(move || {
                    let _turn = line.wait(Digest::of([n as u8]));
                    served.lock().expect("whole").push(n);
                });
                while line.state().waiting.len() <= n {
                    std::thread::yield_now();
                }
            }
            drop(first);
        });
        assert_eq!(served.into_inner().expect("whole"), [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
