//! What checking a receipt costs.

use anyhow::{Context as _, Result, ensure};
use glassbox_core::key::SecretKey;
use glassbox_core::receipt::{Bundle, Level};

use crate::measure::{on_this_thread, show_ns, take_turns};
use crate::report::Report;

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance/receipt/logged.json");
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let verify = || Bundle::from_json(std::hint::black_box(&text)).map(|bundle| bundle.verify(None).0);
    ensure!(verify()?.level() == Some(Level::L1), "the receipt does not hold");
    let key = SecretKey::from_seed(&[7; 32]);
    let signature = key.sign(&[7; 2_000]);
    let mut candidates = [
        on_this_thread("one signature", || {
            std::hint::black_box(key.public().verifies(std::hint::black_box(&[7; 2_000]), &signature));
        }),
        on_this_thread("a logged receipt", || {
            let _ = std::hint::black_box(verify());
        }),
    ];
    let best = take_turns(5, 200, &mut candidates);
    report.heading("Checking a receipt");
    report.text(
        "From the file's text to the last check, without running anything again: five signatures, and the inclusion of the \
         receipt and of its release in the log.",
    );
    let rows = best
        .iter()
        .map(|(name, ns)| vec![(*name).to_owned(), show_ns(*ns), format!("{:.1}x", ns / best[0].1)]);
    report.table(&["what", "CPU", "against one signature"], rows);
    report.figure("a logged receipt checked offline", best[1].1 / 1e6, "ms", 5.0);
    Ok(())
}
