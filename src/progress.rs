//! A sign of life for whatever takes longer than a quarter of a second.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long something may take before anything is shown.
const PATIENCE: Duration = Duration::from_millis(250);

/// Shows `what` beside a spinner on a terminal's stderr until `work` is done.
pub(crate) async fn during<T>(what: impl Into<String>, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    tokio::select! {
        // Polled in this order: what is done at once is never announced.
        biased;
        done = &mut work => return done,
        () = tokio::time::sleep(PATIENCE) => {}
    }
    // Draws nothing where stderr is no terminal.
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("a valid template"));
    bar.set_message(what.into());
    bar.enable_steady_tick(Duration::from_millis(100));
    let done = work.await;
    bar.finish_and_clear();
    done
}
