//! Serving until told to stop, and sweeping up what was left undecided meanwhile.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use glassbox_registry::Registry;
use tokio::net::TcpListener;

/// How often undecided calls and owed refunds are looked at.
const SWEEP: Duration = Duration::from_secs(2);

/// Serves `app` until `stop` completes; requests under way are finished first.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    registry: Arc<Registry>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let sweeper = tokio::spawn(async move {
        let mut ticks = tokio::time::interval(SWEEP);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // On a task of its own: a panic in one sweep is a mistake of ours, and must not end all later ones.
            let registry = registry.clone();
            if let Err(error) = tokio::spawn(async move { registry.reconcile().await }).await {
                tracing::error!(%error, "A sweep panicked");
            }
        }
    });
    let served = axum::serve(listener, app).with_graceful_shutdown(stop).await;
    sweeper.abort();
    served
}
