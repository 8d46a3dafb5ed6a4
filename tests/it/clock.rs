//! Clocks that jump, by a year forwards and backwards: what was paid stays paid once, receipts hold, and the log goes on.

use std::time::Duration;

use glassbox_core::limits;
use jiff::Timestamp;
use serde_json::json;

use crate::buyer::bench;
use crate::stage::{Stage, Sweep};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3_600);

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_charges_nobody_twice_and_breaks_no_receipt() {
    // Without sweeps, which clear away replies that were delivered more than a day ago.
    let stage = Stage::new().await.reopen(Sweep::Off).await;
    let buyer = stage.buyer("payer", 1).await;
    let mut paid = Vec::new();
    for (step, years) in [0, 1, -1, -1, 5, 1].into_iter().enumerate() {
        match u32::try_from(years) {
            Ok(years) => stage.world.advance(years * YEAR),
            Err(_) => stage.world.put_back(YEAR),
        }
        let body = json!({ "args": [step] });
        let payment = buyer.sign(&bench("double"), &body, &step.to_string()).await;
        let first = buyer.send(&bench("double"), &body, Some(&payment)).await;
        if years < 0 {
            // The chain's clock goes on: for it the payment is over before it began. Nobody is charged.
            first.assert_problem(402, "payment-invalid");
            continue;
        }
        assert_eq!(first.output(), 2 * step, "{years}: {}", first.text);
        // The same payment again, in another year, is answered from the call that it paid for.
        stage.world.advance(YEAR);
        let again = buyer.send(&bench("double"), &body, Some(&payment)).await;
        assert_eq!(again.receipt().0.receipt, first.receipt().0.receipt, "{years}");
        stage.world.put_back(YEAR);
        let (bundle, receipt) = first.receipt();
        let [started, finished] =
            [&receipt.started_at, &receipt.finished_at].map(|time| time.parse::<Timestamp>().unwrap());
        assert!(started <= finished, "{receipt:?}");
        paid.push(bundle);
    }
    assert_eq!(stage.payments().await, paid.len());
    stage.world.advance(Duration::from_millis(limits::RECEIPT_BATCH_MS as u64));
    stage.registry.reconcile().await;
    stage.assert_sound().await;

    // A restart in another year finds all of it as it was.
    stage.world.put_back(2 * YEAR);
    let stage = stage.reopen(Sweep::On).await;
    stage.world.advance(5 * YEAR);
    for bundle in &paid {
        let (report, _) = bundle.verify(None);
        assert!(report.holds(), "{report:?}");
    }
    assert_eq!(stage.buyer("payer", 1).await.pay(&bench("double"), json!([9]), "last").await.output(), 18);
    stage.assert_sound().await;
}
