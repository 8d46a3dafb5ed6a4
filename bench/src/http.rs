//! What a free call costs through HTTP, against a bare axum server that says hello.
//!
//! Both serve in this process on runtimes of their own, one after the other in turns; what counts is the CPU time of the
//! threads that serve, which their names tell, and of the child that runs guests where one does.

use std::future::pending;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use glassbox_api::{CallBody, CallResponse};
use glassbox_core::PackageRef;
use glassbox_core::files::Files;
use glassbox_core::key::SecretKey;
use glassbox_core::log::LogKey;
use glassbox_core::receipt::{Bundle, Receipt};
use glassbox_core::value::{Type, json};
use glassbox_pay::{Devnet, Wallet};
use glassbox_registry::package::Package;
use glassbox_registry::{
    CallRequest, DomainConfig, Env, HostConfig, Keys, PackageFiles, Registry, RegistryConfig,
};
use glassbox_sandbox::{Executor, Flow, Sandbox, SandboxConfig};
use glassbox_server::Options;
use glassbox_store::Store;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use crate::guests::{Function, Guest, SMALL_STACK, returned};
use crate::measure::{on_this_thread, take_turns};
use crate::report::Report;

const CONNECTIONS: usize = 16;
const REQUESTS: usize = 400;
const ROUNDS: usize = 7;
const EXECUTOR_SEED: [u8; 32] = [1; 32];

const MANIFEST: &str = r#"
[package]
name = "bench:guest"
version = "1.0.0"
description = "What the benchmarks run"
license = "Apache-2.0"

[spec]
world = "kernels"

[component]
path = "guest.wasm"
execute = ["remote"]
"#;

const CASES: &str = "[[case]]\nname = \"add\"\ncall = \"add(20, 22)\"\nexpect = \"42\"\n";

pub(crate) fn run(report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (hello_server, hello) = serve_hello()?;
    let (call_server, call, registry) =
        serve_registry("call", &folder.path().join("call"), Executor::InProcess)?;
    let program = std::env::current_exe().context("this program lies nowhere")?;
    let apart = Executor::Processes { program, args: vec![EXECUTE.into()], count: 1 };
    let (apart_server, apart, _) = serve_registry("apart", &folder.path().join("apart"), apart)?;
    let client = Builder::new_multi_thread().worker_threads(1).thread_name("client").enable_all().build()?;
    let hello_request = request("GET", "/hello", "");
    let call_request = request("POST", "/v1/call/bench/guest/1.0.0/add", r#"{"args":[20,22]}"#);
    let reply = client.block_on(one_reply(call, &call_request))?;
    let (receipt_server, receipt) = serve_receipts(&reply)?;
    let receipt_request = request("GET", "/receipt", "");
    let (guest_server, guest) = serve_guest()?;
    let [here_request, turn_request] =
        ["/here", "/turn"].map(|path| request("POST", path, r#"{"args":[20,22]}"#));
    let [mut hello_us, mut call_us, mut direct_us, mut apart_us, mut receipt_us, mut here_us, mut turn_us] =
        [f64::INFINITY; 7];
    for _ in 0..ROUNDS {
        hello_us = hello_us.min(round(&client, "hello", hello, &hello_request)?);
        call_us = call_us.min(round(&client, "call", call, &call_request)?);
        direct_us = direct_us.min(direct_round(&call_server, &registry)?);
        apart_us = apart_us.min(round(&client, "apart", apart, &call_request)?);
        receipt_us = receipt_us.min(round(&client, "receipt", receipt, &receipt_request)?);
        here_us = here_us.min(round(&client, "bare", guest, &here_request)?);
        turn_us = turn_us.min(round(&client, "bare", guest, &turn_request)?);
    }
    // What the receipt adds to a hello is what it adds to a call.
    let rest_us = call_us - (receipt_us - hello_us);
    report.heading("HTTP");
    report.text(&format!(
        "{CONNECTIONS} connections, {REQUESTS} requests each, CPU time of the serving threads per request, best of {ROUNDS} \
         rounds in turns. The guest runs in the server's process, but where another is named. A hello has no receipt, so \
         what that takes is shown apart: a server that does nothing else makes, signs and writes the same receipt for every \
         request. Behind bare axum, with nothing of a registry, a fresh instance alone takes nearly all that the bound allows \
         a call, on whichever thread it runs; on the one that serves it lets a guest hold up the server. So what a registry \
         adds to that has a bound of its own, which is ours. A part of every request that takes longer than a hello is waking \
         the client, which sleeps meanwhile.",
    ));
    report.table(
        &["request", "CPU", "against hello"],
        [
            ("bare axum: hello", hello_us),
            ("bare axum: a receipt, made and signed", receipt_us),
            ("an Ed25519 signature alone, over and over", signing()),
            ("bare axum: a fresh instance on the thread that serves, and nothing else", here_us),
            ("bare axum: a fresh instance in its turn on a thread for guests, and nothing else", turn_us),
            ("free call: fresh instance, receipt", call_us),
            ("of that, the registry's own part without HTTP: plan, digests, run, receipt", direct_us),
            ("free call without what a receipt adds to hello", rest_us),
            ("of that, what a registry adds to a fresh instance in its turn", rest_us - turn_us),
            (
                "free call with its guest in a child, as `glassbox serve` has it: both processes, receipt",
                apart_us,
            ),
        ]
        .map(|(name, us)| vec![name.to_owned(), format!("{us:.1} µs"), format!("{:.2}x", us / hello_us)]),
    );
    report.figure("fresh instance through HTTP against hello, in its turn", turn_us / hello_us, "x", 2.5);
    let added = (rest_us - turn_us) / hello_us;
    report.figure("what a registry adds to that for a free call, receipt apart", added, "x hello", 1.5);
    report.figure("free call through HTTP against hello, receipt apart", rest_us / hello_us, "x", 2.5);
    guest_server.shutdown_background();
    receipt_server.shutdown_background();
    call_server.shutdown_background();
    apart_server.shutdown_background();
    client.shutdown_background();
    hello_server.shutdown_background();
    Ok(())
}

fn server(name: &str) -> Result<Runtime> {
    Ok(Builder::new_multi_thread().worker_threads(1).thread_name(name).enable_all().build()?)
}

fn serve_hello() -> Result<(Runtime, u16)> {
    serve("hello", axum::Router::new().route("/hello", axum::routing::get(async || "hello")))
}

fn serve(name: &str, app: axum::Router) -> Result<(Runtime, u16)> {
    let runtime = server(name)?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let port = listener.local_addr()?.port();
    runtime.spawn(async move { axum::serve(listener, app).await });
    Ok((runtime, port))
}

/// What this program is called with to be the child that guests run in.
pub(crate) const EXECUTE: &str = "execute-child";

fn serve_registry(name: &str, folder: &Path, executor: Executor) -> Result<(Runtime, u16, Arc<Registry>)> {
    std::fs::create_dir_all(folder)?;
    let runtime = server(name)?;
    let (port, registry) = runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let artifact_dir = Some(folder.join("artifacts"));
        let sandbox =
            Sandbox::new(SandboxConfig { threads: 1, artifact_dir, executor, ..SandboxConfig::default() })?;
        let operator = Wallet::from_bytes(&[9; 32])?;
        let devnet = Devnet::open(Some(&folder.join("devnet.journal")), operator)?;
        let keys = Keys {
            executor: SecretKey::from_seed(&EXECUTOR_SEED),
            log: LogKey::new("bench.glassbox.dev/log", SecretKey::from_seed(&[2; 32]))
                .context("the log's name is not valid")?,
            credit: SecretKey::from_seed(&[3; 32]),
            operator: SecretKey::from_seed(&[4; 32]),
        };
        let config = RegistryConfig {
            fee_bps: 0,
            commons: None,
            oidc: Vec::new(),
            blocklists: Vec::new(),
            public_url: format!("http://127.0.0.1:{port}"),
            host: HostConfig::default(),
            claim_amount: glassbox_core::limits::CLAIM_AMOUNT_DEFAULT,
            company: None,
            domains: DomainConfig::default(),
            mutants: false,
        };
        let store = Store::open(&folder.join("store"))?;
        let rail = Arc::new(devnet.facilitator());
        let registry = Registry::open(store, sandbox, rail, keys, Env::system(), config).await?;
        let one_file = |path: &str, text: &str| Files::new([(path.to_owned(), text.as_bytes().to_vec())]);
        let package = PackageFiles {
            manifest: MANIFEST.into(),
            wit: one_file("world.wit", include_str!("../guest/wit/world.wit"))?,
            tests: one_file("add.toml", CASES)?,
            editions: Default::default(),
            documents: Default::default(),
            component: SMALL_STACK.to_vec(),
            files: None,
            source: None,
        };
        let statement = Package::check(package.clone())?.statement().sign(&SecretKey::from_seed(&[7; 32]));
        registry.publish(package, statement).await?;
        let app =
            glassbox_server::app(registry.clone(), Options { devnet: Some(devnet), ..Options::default() });
        tokio::spawn(glassbox_server::serve(listener, app, registry.clone(), pending()));
        anyhow::Ok((port, registry))
    })?;
    Ok((runtime, port, registry))
}

fn request(method: &str, path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n\
         {body}"
    )
    .into_bytes()
}

/// Sends all requests over all connections, and returns the CPU time of the serving threads per request, in microseconds.
fn round(client: &Runtime, threads: &str, port: u16, request: &[u8]) -> Result<f64> {
    let before = threads_cpu(threads)?;
    client.block_on(async {
        let connections: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                let request = request.to_vec();
                tokio::spawn(async move {
                    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
                    stream.set_nodelay(true)?;
                    for _ in 0..REQUESTS {
                        stream.write_all(&request).await?;
                        read_reply(&mut stream).await?;
                    }
                    anyhow::Ok(())
                })
            })
            .collect();
        for connection in connections {
            connection.await??;
        }
        anyhow::Ok(())
    })?;
    let cpu = threads_cpu(threads)? - before;
    Ok(cpu.as_secs_f64() * 1e6 / (CONNECTIONS * REQUESTS) as f64)
}

/// Makes all calls without HTTP, on the thread that serves, as many at a time. Returns what [`round`] does.
fn direct_round(server: &Runtime, registry: &Arc<Registry>) -> Result<f64> {
    let release: PackageRef = "bench:guest@1.0.0".parse()?;
    let before = threads_cpu("call")?;
    let callers: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (registry, release) = (registry.clone(), release.clone());
            server.spawn(async move {
                for _ in 0..REQUESTS {
                    let request = CallRequest {
                        release: release.clone(),
                        function: "add".into(),
                        args: serde_json::json!([20, 22]),
                        fuel_max: None,
                        nonce: None,
                        grants: None,
                        resource: None,
                        payment: None,
                    };
                    registry.call(request).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    server.block_on(async {
        for caller in callers {
            caller.await??;
        }
        anyhow::Ok(())
    })?;
    let cpu = threads_cpu("call")? - before;
    Ok(cpu.as_secs_f64() * 1e6 / (CONNECTIONS * REQUESTS) as f64)
}

/// Reads one reply whole, insists on a 200 and returns the body.
async fn read_reply(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut reply = Vec::with_capacity(8 * 1024);
    loop {
        ensure!(stream.read_buf(&mut reply).await? > 0, "the server hung up");
        let Some(end) = reply.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = std::str::from_utf8(&reply[..end])?.to_ascii_lowercase();
        ensure!(head.starts_with("http/1.1 200"), "{head}");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.context("a reply without a length")?.parse()?;
        while reply.len() < end + 4 + length {
            ensure!(stream.read_buf(&mut reply).await? > 0, "the server hung up");
        }
        return Ok(reply.split_off(end + 4));
    }
}

/// Sums the CPU time of the threads of a server: those with its name, those that guests run on, which sleep while others
/// serve, and those of children, which do too.
fn threads_cpu(name: &str) -> Result<Duration> {
    let mut ns = 0;
    for thread in std::fs::read_dir("/proc/self/task")? {
        let thread = thread?.path();
        let comm = std::fs::read_to_string(thread.join("comm")).unwrap_or_default();
        if comm.trim_end() == name || comm.starts_with("guest-") {
            ns += thread_ns(&thread);
        }
        let children = std::fs::read_to_string(thread.join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            let threads = std::fs::read_dir(Path::new("/proc").join(child).join("task"))?;
            ns += threads.filter_map(|thread| Some(thread_ns(&thread.ok()?.path()))).sum::<u64>();
        }
    }
    Ok(Duration::from_nanos(ns))
}

/// The CPU time of a thread by its folder in `/proc`, in nanoseconds.
fn thread_ns(thread: &Path) -> u64 {
    let stat = std::fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
    stat.split_whitespace().next().and_then(|ns| ns.parse().ok()).unwrap_or(0)
}

/// Sends one request and returns the body of its reply.
async fn one_reply(port: u16, request: &[u8]) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(request).await?;
    read_reply(&mut stream).await
}

/// Serves nothing but receipts: those of `reply`, made, signed and written anew for every request.
fn serve_receipts(reply: &[u8]) -> Result<(Runtime, u16)> {
    let response: CallResponse = serde_json::from_slice(reply)?;
    let key = SecretKey::from_seed(&EXECUTOR_SEED);
    let receipt = response.receipt.receipt.verify::<Receipt>(&key.public())?.predicate;
    let source = Arc::new((response.receipt.opening, receipt, key));
    let make = move || {
        let source = source.clone();
        async move {
            let (opening, receipt, key) = &*source;
            // Written as a call writes it: into room enough from the start.
            let mut bytes = Vec::with_capacity(8 * 1024);
            serde_json::to_writer(&mut bytes, &Bundle::new(receipt.clone(), opening.clone(), key))
                .expect("a receipt has string keys only");
            ([("content-type", "application/json")], bytes)
        }
    };
    serve("receipt", axum::Router::new().route("/receipt", axum::routing::get(make)))
}

/// Serves the guest and nothing else: no release, no terms, no digests. What is left is what no registry can do without.
fn serve_guest() -> Result<(Runtime, u16)> {
    let sandbox = Sandbox::new(SandboxConfig { threads: 1, ..SandboxConfig::default() })?;
    let guest = Guest::new(&sandbox, SMALL_STACK)?;
    let add = Arc::new(Function::new("add", &[Type::U32, Type::U32], Type::U32)?);
    let route = |is_here: bool| {
        let (guest, add) = (guest.clone(), add.clone());
        axum::routing::post(move |axum::Json(body): axum::Json<CallBody>| {
            let (guest, add) = (guest.clone(), add.clone());
            async move {
                let args = json::args_from_json(&add.ty, &body.args).map_err(|error| error.to_string())?;
                let run = match is_here {
                    true => guest.run_here(&add, args.into()).await,
                    false => guest.run(&add, args.into(), Flow::new("payer", "package")).await,
                };
                let value = returned(&run).map_err(|error| error.to_string())?;
                Ok::<_, String>(axum::Json(
                    json::to_json(value, &Type::U32).map_err(|error| error.to_string())?,
                ))
            }
        })
    };
    serve("bare", axum::Router::new().route("/here", route(true)).route("/turn", route(false)))
}

/// What one signature takes, over and over, in microseconds.
fn signing() -> f64 {
    let key = SecretKey::from_seed(&EXECUTOR_SEED);
    let sign = on_this_thread("sign", || {
        std::hint::black_box(key.sign(std::hint::black_box(&[7; 2_000])));
    });
    take_turns(5, 1_000, &mut [sign])[0].1 / 1_000.0
}
