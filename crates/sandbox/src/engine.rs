//! The engine, set up by the profile and by nothing else.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use glassbox_core::limits;
use glassbox_core::profile::Profile;
use wasmparser::WasmFeatures;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, ModuleVersionStrategy, OperatorCost};

use crate::artifact::Artifacts;
use crate::host::http::client::{Client, Network};
use crate::isolate::{Executors, Line, Recipe, Start};
use crate::pool::Engines;
use crate::prepare::Hot;
use crate::schedule::{Room, Scheduler};
use crate::{Codegen, CompileLimits, Compiler, Executor, SandboxError, artifact, features};

/// How a sandbox uses the machine. Nothing here changes what a call returns or costs, beyond what it finds on the
/// network.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Where compiled components are kept between runs of the program, or `None` to compile anew each time.
    ///
    /// Whoever can write there can run code as this program, so nobody else may.
    pub artifact_dir: Option<PathBuf>,
    /// Where components are compiled.
    pub compiler: Compiler,
    /// What a component may take of a compiler in a process of its own.
    pub compile_limits: CompileLimits,
    /// How many components are compiled at a time. One already uses every core.
    pub compiles: usize,
    /// Where guests run.
    pub executor: Executor,
    /// Whether instances come from a pool. Faster, at the price of address space reserved up front.
    pub pool: bool,
    /// How many threads guests take their turns on.
    pub threads: usize,
    /// How many calls may have started and not ended: those that take turns, and those that wait for the host.
    pub active: usize,
    /// How much memory they may grow to together, in bytes.
    pub memory_bytes: usize,
    /// How many bytes of compiled code are kept in memory before the least recently used is dropped.
    pub hot_bytes: usize,
    /// How guests become instructions. Decides how fast they are, and nothing else.
    pub codegen: Codegen,
    /// What guests may do on the network, within what their manifests declare.
    pub network: Network,
}

impl SandboxConfig {
    pub(crate) fn active(&self) -> usize {
        self.active.clamp(1, limits::GUESTS_ACTIVE_MAX)
    }
}

impl Default for SandboxConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            artifact_dir: None,
            compiler: Compiler::InProcess,
            compile_limits: CompileLimits::default(),
            compiles: 1,
            executor: Executor::InProcess,
            pool: true,
            threads: cores.clamp(1, THREADS_MAX),
            active: limits::GUESTS_ACTIVE_MAX,
            memory_bytes: limits::GUESTS_MEMORY_BYTES_MAX,
            hot_bytes: 512 * 1024 * 1024,
            codegen: Codegen::default(),
            network: Network::default(),
        }
    }
}

/// More threads than any machine has cores.
const THREADS_MAX: usize = 1_024;

/// One payer may have this part of the active calls, so that its long ones leave room for others' to start.
const GUESTS_PER_PAYER_PART: usize = 4;

/// Compiles components and runs their functions. Cheap to clone: all clones are one sandbox.
#[derive(Clone)]
pub struct Sandbox {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) engines: Engines,
    pub(crate) profile: &'static Profile,
    pub(crate) artifacts: Option<Artifacts>,
    pub(crate) hot: Mutex<Hot>,
    pub(crate) codegen: Codegen,
    pub(crate) compiler: Compiler,
    pub(crate) compile_limits: CompileLimits,
    pub(crate) compiling: Line,
    pub(crate) scheduler: Scheduler,
    pub(crate) client: Arc<Client>,
    pub(crate) executors: Option<Executors>,
}

impl Sandbox {
    /// Makes a sandbox with the current profile.
    pub fn new(config: SandboxConfig) -> Result<Self, SandboxError> {
        let profile = Profile::current();
        let engines = Engines::new(profile, &config, Purpose::Compile)
            .map_err(|error| SandboxError::Engine { reason: format!("{error:#}") })?;
        let artifacts = config.artifact_dir.clone();
        let artifacts =
            artifacts.map(|dir| Artifacts::open(dir, engines.compiler(), profile, config.codegen));
        Self::assemble(config, engines, artifacts.transpose().map_err(SandboxError::Artifacts)?)
    }

    /// Makes a sandbox of engines that there are.
    pub(crate) fn assemble(
        config: SandboxConfig,
        engines: Engines,
        artifacts: Option<Artifacts>,
    ) -> Result<Self, SandboxError> {
        let profile = Profile::current();
        let failed = |reason: String| SandboxError::Engine { reason };
        let active = config.active();
        let room = Room {
            active_max: active,
            active_per_payer_max: active.div_ceil(GUESTS_PER_PAYER_PART),
            memory_bytes_max: config.memory_bytes,
            memory_bytes_per_payer_max: config.memory_bytes / GUESTS_PER_PAYER_PART,
            waiting_max: limits::GUESTS_WAITING_MAX,
            waiting_per_payer_max: limits::GUESTS_WAITING_PER_PAYER_MAX,
        };
        let patience = Duration::from_millis(limits::QUEUE_WAIT_MS_MAX);
        let threads = config.threads.clamp(1, THREADS_MAX);
        let scheduler = Scheduler::new(threads, room, profile.trap.yield_interval, patience)
            .map_err(|error| failed(format!("cannot start a thread: {error}")))?;
        let executors = match (&config.executor, &artifacts) {
            (Executor::InProcess, _) => None,
            (Executor::Processes { program, args, count }, Some(artifacts)) => {
                let (dir, key, fingerprint) = artifacts.parts();
                let start = Start {
                    artifact_dir: std::path::absolute(dir).map_err(SandboxError::Artifacts)?,
                    fingerprint: fingerprint.to_owned(),
                    codegen: config.codegen,
                    pool: config.pool,
                    threads,
                    active,
                    memory_bytes: config.memory_bytes,
                    hot_bytes: config.hot_bytes,
                };
                let recipe = Recipe { program: program.clone(), args: args.clone(), start, key: *key };
                Some(Executors::new(recipe, *count))
            }
            (Executor::Processes { .. }, None) => {
                return Err(failed("executors need a directory of compiled components".into()));
            }
        };
        Ok(Self {
            inner: Arc::new(Inner {
                engines,
                profile,
                artifacts,
                hot: Mutex::new(Hot::new(config.hot_bytes)),
                codegen: config.codegen,
                compiler: config.compiler,
                compile_limits: config.compile_limits,
                compiling: Line::new(config.compiles),
                scheduler,
                client: Arc::new(Client::new(config.network)),
                executors,
            }),
        })
    }

    /// Returns the profile that calls are run with.
    pub fn profile(&self) -> &'static Profile {
        self.inner.profile
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("profile", &self.inner.profile.id).finish_non_exhaustive()
    }
}

/// What an engine is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To compile, and perhaps to run.
    Compile,
    /// To run what was compiled elsewhere.
    Run,
}

/// Makes an engine that reserves nothing. What it compiles is what an engine with a pool compiles.
pub(crate) fn on_demand(profile: &Profile, codegen: Codegen) -> wasmtime::Result<Engine> {
    engine(profile, codegen, InstanceAllocationStrategy::OnDemand, Purpose::Compile)
}

/// Makes an engine by the profile.
pub(crate) fn engine(
    profile: &Profile,
    codegen: Codegen,
    allocation: InstanceAllocationStrategy,
    purpose: Purpose,
) -> wasmtime::Result<Engine> {
    let mut config = Config::new();
    // What may be computed.
    config.wasm_features(WasmFeatures::all(), false);
    config.wasm_features(features::of(profile), true);
    // The engine joins composed components by modules of its own that use this. What others send was checked by
    // `inspect`, which does not allow it.
    config.wasm_features(WasmFeatures::MULTI_MEMORY, true);
    config.relaxed_simd_deterministic(true);
    config.shared_memory(false);
    config.concurrency_support(false);
    // What it costs.
    config.consume_fuel(true);
    config.operator_cost(operator_cost(profile)?);
    config.epoch_interruption(false);
    // How far it may go. The host's frames on the same stack need room beyond the guest's.
    config.max_wasm_stack(profile.limits.stack_bytes);
    config.async_stack_size(profile.limits.stack_bytes + HOST_STACK_BYTES);
    // Nobody is shown a backtrace, and to take one goes through every frame of a stack that may hold half a million.
    config.wasm_backtrace_max_frames(None);
    config.memory_init_cow(true);
    config.memory_may_move(false);
    // How it is compiled, and marked so that other versions' code is never loaded.
    codegen.apply(&mut config, purpose)?;
    match purpose {
        Purpose::Compile => config.cranelift_nan_canonicalization(true),
        Purpose::Run => config.enable_compiler(false),
    };
    config.module_version(ModuleVersionStrategy::Custom(artifact::version(profile, codegen)))?;
    config.allocation_strategy(allocation);
    Engine::new(&config)
}

/// The host's part of a guest's stack.
const HOST_STACK_BYTES: usize = 1024 * 1024;

/// Reads the cost table. Every operator that the engine knows must be in the profile, and no other.
fn operator_cost(profile: &Profile) -> wasmtime::Result<OperatorCost> {
    let mut table = serde_json::to_value(&profile.operators).map_err(wasmtime::Error::new)?;
    table["variable"] = serde_json::to_value(&profile.variable).map_err(wasmtime::Error::new)?;
    let costs: OperatorCost = serde_json::from_value(table.clone()).map_err(wasmtime::Error::new)?;
    // Missing entries failed above; entries that the engine does not know would be ignored without this.
    if serde_json::to_value(&costs).map_err(wasmtime::Error::new)? == table {
        Ok(costs)
    } else {
        Err(wasmtime::format_err!("the profile {} has costs that this engine does not know", profile.id))
    }
}
