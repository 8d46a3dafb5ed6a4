//! `glassbox witness`: cosigns the checkpoints of logs.

use std::sync::Arc;

use glassbox_registry::Witness;
use serde::Serialize;

use super::Context;
use super::serve::log_to_stderr;
use crate::cli::WitnessArgs;
use crate::failure::Failure;
use crate::node::{interrupted, listen, lock, open_witness};
use crate::output::{DIM, NAME, paint};

#[derive(Serialize)]
struct Answer {
    url: String,
    key: String,
    data: String,
    logs: Vec<String>,
}

pub(super) async fn run(context: &Context, args: WitnessArgs) -> Result<(), Failure> {
    log_to_stderr("info", context.json);
    let _lock = lock(&args.data)?;
    let witness = open_witness(&args.data, args.name.as_deref(), args.logs, args.crash_at)?;
    let listener = listen(args.listen).await?;
    let address = listener.local_addr().map_err(anyhow::Error::from)?;
    let answer = answer(&witness, format!("http://{address}"), &args.data);
    context.output.answer(&answer, || describe(&answer));
    let served = glassbox_server::serve_witness(listener, Arc::new(witness), interrupted()).await;
    served.map_err(|error| Failure::error("io", format!("the server failed: {error}"), ""))
}

fn answer(witness: &Witness, url: String, data: &std::path::Path) -> Answer {
    Answer {
        url,
        key: witness.key().to_string(),
        data: data.display().to_string(),
        logs: witness.logs().iter().map(|log| log.origin().to_owned()).collect(),
    }
}

fn describe(answer: &Answer) -> String {
    let mut lines = vec![
        format!("Witnessing at {}, state in {}", paint(NAME, &answer.url), answer.data),
        format!("  key      {}", answer.key),
    ];
    lines.extend(answer.logs.iter().map(|log| format!("  watches  {log}")));
    lines.push(paint(DIM, "logs name it with --witness URL=KEY, readers in their policy; Ctrl-C ends it"));
    lines.join("\n")
}
