//! A sandbox in which nobody has room to wait: whoever pays is told to come again, and has paid nothing.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use glassbox_core::value::FunctionType;
use glassbox_core::{Digest, FunctionName, limits};
use glassbox_sandbox::{Flow, Grants, Invocation, Run, RunLimits, Sandbox, SandboxConfig};
use serde_json::json;

use crate::buyer::bench;
use crate::stage::Stage;

const SPIN: &str = r#"(component
  (core module $m (func (export "spin") (loop $forever (br $forever))))
  (core instance $i (instantiate $m))
  (func (export "spin") (canon lift (core func $i "spin"))))"#;

const PER_PAYER: usize = limits::GUESTS_WAITING_PER_PAYER_MAX;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_pays_where_nobody_has_room_has_paid_nothing() {
    let sandbox = Sandbox::new(SandboxConfig { threads: 1, active: 1, ..SandboxConfig::default() }).unwrap();
    let stage = Stage::in_sandbox(sandbox.clone()).await;
    let buyer = stage.buyer("payer", 1).await;
    let body = json!({ "args": [21] });
    let payment = buyer.sign(&bench("double"), &body, "crowded").await;

    let component = wat::parse_str(SPIN).unwrap();
    let prepared = sandbox.prepare(Digest::of(&component), &component, &Grants::none()).unwrap();
    let function: FunctionName = "spin".parse().unwrap();
    let ty = FunctionType { params: Vec::new(), result: None };
    let mut crowd: Vec<Pin<Box<dyn Future<Output = Run> + Send + '_>>> = Vec::new();
    // One of them has the only place, and all others wait.
    while crowd.len() <= limits::GUESTS_WAITING_MAX {
        let limits = RunLimits { fuel: u64::MAX, ..RunLimits::default() };
        let invocation = Invocation::new(&function, &ty, [].into(), limits);
        let flow = Flow::new(format!("crowd-{}", crowd.len() / PER_PAYER), "lab:spin");
        let mut run: Pin<Box<dyn Future<Output = Run> + Send + '_>> =
            Box::pin(sandbox.run(&prepared, invocation, flow));
        // Polled once, it is in the line, unless the first one is there still.
        match run.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => crowd.push(run),
            Poll::Ready(_) => tokio::task::yield_now().await,
        }
    }

    let refused = buyer.send(&bench("double"), &body, Some(&payment)).await;
    let problem = refused.assert_problem(503, "busy");
    assert_eq!((problem["retry"].as_str(), refused.header("retry-after")), (Some("later"), Some("1")));
    assert_eq!(stage.balance(buyer.wallet.address()).await, 1_000_000);
    assert_eq!(stage.payments().await, 0);
    stage.assert_sound().await;

    // With room again, the same payment buys the same call.
    drop(crowd);
    assert_eq!(buyer.send(&bench("double"), &body, Some(&payment)).await.output(), 42);
    assert_eq!(stage.payments().await, 1);
    stage.assert_sound().await;
}
