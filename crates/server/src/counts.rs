//! What is counted, for whoever operates the server.

use std::sync::OnceLock;

use axum::http::StatusCode;
use glassbox_registry::{CallError, CallReply};
use metrics::{Counter, counter};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// The route that functions are called by.
pub(crate) const CALL_ROUTE: &str = "/v1/call/{ns}/{name}/{version}/{function}";

/// The counters of what most requests are, at hand: to look one up takes longer than to count.
struct Counts {
    recorder: Option<PrometheusHandle>,
    calls_answered: Counter,
    calls_ok: Counter,
    fuel: Counter,
}

/// Returns the counters of this process. A second server in it, as in a test, counts in the same ones.
fn of_process() -> &'static Counts {
    static COUNTS: OnceLock<Counts> = OnceLock::new();
    COUNTS.get_or_init(|| Counts {
        recorder: PrometheusBuilder::new().install_recorder().ok(),
        calls_answered: of_requests(CALL_ROUTE, StatusCode::OK),
        calls_ok: of_calls("ok"),
        fuel: counter!("glassbox_fuel_total"),
    })
}

/// Begins to count: what anything in this process counts before that is lost.
pub(crate) fn begin() {
    of_process();
}

fn of_requests(route: &str, status: StatusCode) -> Counter {
    counter!("glassbox_http_requests_total", "route" => route.to_owned(), "status" => status.as_str().to_owned())
}

fn of_calls(outcome: &'static str) -> Counter {
    counter!("glassbox_calls_total", "outcome" => outcome)
}

/// Counts a request by its route and status. The route is the pattern, never the path: paths are for nobody's log.
pub(crate) fn request(route: &str, status: StatusCode) {
    let counts = of_process();
    match (route, status) {
        (CALL_ROUTE, StatusCode::OK) => counts.calls_answered.increment(1),
        _ => of_requests(route, status).increment(1),
    }
}

/// Counts a call by its outcome, and the fuel that it burnt.
pub(crate) fn call(result: &Result<CallReply, CallError>) {
    let counts = of_process();
    match result {
        Ok(reply) => {
            counts.fuel.increment(reply.stored.fuel_used);
            counts.calls_ok.increment(1);
        }
        Err(error) => of_calls(error.code()).increment(1),
    }
}

/// Writes all that was counted, in the Prometheus text format.
pub(crate) fn render() -> String {
    of_process().recorder.as_ref().map(PrometheusHandle::render).unwrap_or_default()
}
