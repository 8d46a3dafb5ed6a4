//! Serving until told to stop, and sweeping up what was left undecided meanwhile.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use glassbox_registry::{Registry, RegistryError};
use tokio::net::TcpListener;

/// How often undecided calls and owed refunds are looked at.
const SWEEP: Duration = Duration::from_secs(2);

/// How often it is looked which domains are to be asked again.
const DOMAIN_SWEEP: Duration = Duration::from_secs(600);

/// Serves `app` until `stop` completes; requests under way are finished first.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    registry: Arc<Registry>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    // Apart from one another: a domain may take its time, and money must not wait for it.
    let calls =
        tokio::spawn(sweep(registry.clone(), SWEEP, |registry| async move { registry.reconcile().await }));
    let mutants = registry.config().mutants.then(|| {
        tokio::spawn(sweep(registry.clone(), SWEEP, |registry| async move {
            if let Err(error) = registry.measure_next().await {
                tracing::error!(%error, "Cannot find what tests to try on mutants");
            }
        }))
    });
    let specs = tokio::spawn(sweep(registry.clone(), SWEEP, |registry| async move {
        let log = |error: &RegistryError| tracing::error!(%error, "Cannot run the tests of an interface");
        while registry.test_next().await.inspect_err(log).unwrap_or(false) {}
    }));
    let domains =
        tokio::spawn(sweep(registry, DOMAIN_SWEEP, |registry| async move { registry.prove_domains().await }));
    // A router alone would be copied, route by route, for every connection.
    let served = axum::serve(listener, app.into_make_service()).with_graceful_shutdown(stop).await;
    calls.abort();
    domains.abort();
    specs.abort();
    if let Some(mutants) = mutants {
        mutants.abort();
    }
    served
}

async fn sweep<F>(registry: Arc<Registry>, every: Duration, work: fn(Arc<Registry>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        // On a task of its own: a panic in one sweep is a mistake of ours, and must not end all later ones.
        if let Err(error) = tokio::spawn(work(registry.clone())).await {
            tracing::error!(%error, "A sweep panicked");
        }
    }
}
