//! What `/metrics` counts: requests by the pattern of their route, however the path is written, and calls by their outcome.

use serde_json::json;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_calls_are_counted() {
    let stage = Stage::new().await;
    let body = json!({ "args": [21] });
    let before = stage.get("/metrics").await.text;
    for function in ["gift", "g%69ft"] {
        let reply = stage.post(&format!("/v1/call/lab/bench/1.0.0/{function}"), &body).await;
        assert_eq!((reply.status, reply.output()), (200, json!(42)), "{function}");
    }
    for function in ["treble", "tr%65ble"] {
        let refused = stage.post(&format!("/v1/call/lab/bench/1.0.0/{function}"), &body).await;
        refused.assert_problem(404, "function-not-found");
    }
    stage.get("/nothing").await.assert_problem(404, "route-not-found");
    let after = stage.get("/metrics").await.text;
    for (series, more) in [
        (
            r#"glassbox_http_requests_total{route="/v1/call/{ns}/{name}/{version}/{function}",status="200"}"#,
            2,
        ),
        (
            r#"glassbox_http_requests_total{route="/v1/call/{ns}/{name}/{version}/{function}",status="404"}"#,
            2,
        ),
        (r#"glassbox_http_requests_total{route="none",status="404"}"#, 1),
        (r#"glassbox_calls_total{outcome="ok"}"#, 2),
        (r#"glassbox_calls_total{outcome="function-not-found"}"#, 2),
    ] {
        // Others may count in the same process.
        assert!(count(&after, series) >= count(&before, series) + more, "{series} is not so in\n{after}");
    }
}

/// Reads a series; nothing was counted where there is none.
fn count(metrics: &str, series: &str) -> u64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series));
    line.map_or(0, |count| count.trim().parse().unwrap())
}
