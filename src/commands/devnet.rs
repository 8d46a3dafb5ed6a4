//! `glassbox devnet`.

use std::path::Path;

use glassbox_pay::{Devnet, Wallet, devnet};
use serde::Serialize;
use tokio::net::TcpListener;

use super::Context;
use super::serve::log_to_stderr;
use crate::cli::DevnetArgs;
use crate::failure::Failure;
use crate::node::interrupted;
use crate::output::{DIM, MONEY, NAME, paint};

#[derive(Serialize)]
struct Answer {
    url: String,
    chain_id: u64,
    token: String,
    label: String,
}

pub(super) async fn run(context: &Context, args: &DevnetArgs) -> Result<(), Failure> {
    log_to_stderr("info", context.json);
    let failed = |error: glassbox_pay::PayError| Failure::error("devnet", error.to_string(), "");
    // Who submits pays no fee here and owns nothing, so any key will do.
    let operator = Wallet::random().map_err(failed)?;
    let chain = Devnet::open(args.journal.as_deref(), operator).map_err(failed)?;
    let listener = TcpListener::bind(args.listen).await;
    let listener =
        listener.map_err(|error| Failure::io("listen on", Path::new(&args.listen.to_string()), &error))?;
    let address = listener.local_addr().map_err(|error| Failure::io("listen on", Path::new(""), &error))?;
    let answer = Answer {
        url: format!("http://{address}"),
        chain_id: devnet::NETWORK.chain_id,
        token: devnet::ASSET.to_string(),
        label: devnet::LABEL.into(),
    };
    context.output.answer(&answer, || {
        format!(
            "{} at {}, chain {}, token {}\n{}",
            paint(MONEY, &answer.label),
            paint(NAME, &answer.url),
            answer.chain_id,
            answer.token,
            paint(DIM, "JSON-RPC at /, a faucet at /faucet, a facilitator at /verify, /settle, /supported; Ctrl-C ends it"),
        )
    });
    let served = glassbox_server::serve_devnet(listener, chain, interrupted()).await;
    served.map_err(|error| Failure::error("io", format!("the server failed: {error}"), ""))
}
