//! The engine without us: what the same work costs a program that uses it directly.

use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result, Store};

use crate::guests::SMALL_STACK;

/// The engine as somebody would set it up who cares for nothing but speed.
pub(crate) struct Bare {
    pub(crate) engine: Engine,
    pub(crate) pre: InstancePre<()>,
}

impl Bare {
    pub(crate) fn new(component: &[u8], fuel: bool) -> Result<Self> {
        Self::with(component, fuel, false)
    }

    /// An engine that computes the same on every processor, and counts by its own costs or not at all.
    pub(crate) fn deterministic(component: &[u8], fuel: bool) -> Result<Self> {
        Self::with(component, fuel, true)
    }

    fn with(component: &[u8], fuel: bool, deterministic: bool) -> Result<Self> {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_component_instances(16);
        pool.total_core_instances(64);
        pool.total_memories(16);
        pool.total_tables(64);
        // To write over all of a little memory is faster than to ask what was written.
        let is_small = component == SMALL_STACK;
        pool.linear_memory_keep_resident(if is_small { 192 * 1024 } else { 64 * 1024 });
        pool.pagemap_scan(if is_small { Enabled::No } else { Enabled::Auto });
        pool.table_keep_resident(64 * 1024);
        let mut config = Config::new();
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
        config.concurrency_support(false);
        config.consume_fuel(fuel);
        config.cranelift_nan_canonicalization(deterministic);
        let engine = Engine::new(&config)?;
        let component = Component::from_binary(&engine, component)?;
        let pre = Linker::new(&engine).instantiate_pre(&component)?;
        Ok(Self { engine, pre })
    }

    pub(crate) fn store(&self) -> Result<Store<()>> {
        let mut store = Store::new(&self.engine, ());
        // Fails where fuel is off, which is what is wanted there.
        let _ = store.set_fuel(u64::MAX);
        Ok(store)
    }

    /// Calls a kernel in a fresh instance.
    pub(crate) fn kernel(&self, name: &str, n: u32) -> Result<u32> {
        let mut store = self.store()?;
        let instance = self.pre.instantiate(&mut store)?;
        let function = instance.get_typed_func::<(u32,), (u32,)>(&mut store, name)?;
        Ok(function.call(&mut store, (n,))?.0)
    }
}

/// The engine's errors are no errors of the standard library's kind.
pub(crate) fn failed(error: wasmtime::Error) -> anyhow::Error {
    anyhow::Error::msg(format!("{error:#}"))
}
