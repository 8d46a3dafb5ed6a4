//! Values between packages: what they weigh, and how they get from one store into another.
//!
//! They cross as the engine's own values, which are copied out of one memory and into the other. Where bytes pass
//! through a function with a [`Shape`], they cross as bytes; anywhere else each byte of a list is a value.

use std::sync::Arc;

use glassbox_core::profile::HostWork;
use glassbox_core::value::FunctionType;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentNamedList, Lift, LinkerInstance, Lower, Val};

use crate::bytes::Shape;
use crate::inner::{Route, enter, leave};
use crate::meter::Guest;

/// Defines an imported function as that of a dependency.
pub(crate) fn link(
    linker: &mut LinkerInstance<'_, Guest>,
    name: &str,
    ty: &FunctionType,
    route: Arc<Route>,
) -> wasmtime::Result<()> {
    match Shape::of(ty) {
        Some(shape) => shape.link(linker, name, route),
        None => linker.func_new_async(name, move |mut importer, _, args, results| {
            let route = route.clone();
            Box::new(async move {
                let entered = enter(&mut importer, &route, weigh_all(args)).await?;
                let store = entered.store(&mut importer);
                let called = entered.function.call_async(store, args, results).await;
                let weighed = called.map(|()| ((), weigh_all(results)));
                leave(&mut importer, entered, weighed).await
            })
        }),
    }
}

/// Defines an imported function whose types are known when the host is built.
pub(crate) fn link_typed<P, R>(
    linker: &mut LinkerInstance<'_, Guest>,
    name: &str,
    route: Arc<Route>,
) -> wasmtime::Result<()>
where
    P: ComponentNamedList + Lift + Lower + Weigh + Send + Sync + 'static,
    R: ComponentNamedList + Lift + Lower + Weigh + Send + Sync + 'static,
{
    linker.func_wrap_async(name, move |mut importer: StoreContextMut<'_, Guest>, args: P| {
        let route = route.clone();
        Box::new(async move {
            let entered = enter(&mut importer, &route, args.weigh()).await?;
            let store = entered.store(&mut importer);
            let called = match entered.function.typed::<P, R>(&*store) {
                Ok(function) => function.call_async(store, args).await,
                Err(error) => Err(error),
            };
            let weighed = called.map(|result| {
                let work = result.weigh();
                (result, work)
            });
            leave(&mut importer, entered, weighed).await
        })
    })
}

fn sum(one: HostWork, other: HostWork) -> HostWork {
    HostWork { values: one.values + other.values, bytes: one.bytes + other.bytes }
}

fn weigh_all(vals: &[Val]) -> HostWork {
    vals.iter().map(weigh).fold(HostWork::default(), sum)
}

/// Counts the values of one, itself included, and the bytes of its strings.
fn weigh(val: &Val) -> HostWork {
    let payload = |val: &Option<Box<Val>>| val.as_deref().map_or_else(HostWork::default, weigh);
    let inner = match val {
        Val::String(text) => HostWork { values: 0, bytes: text.len() },
        Val::List(vals) | Val::FixedLengthList(vals) | Val::Tuple(vals) => weigh_all(vals),
        Val::Record(fields) => fields.iter().map(|(_, val)| weigh(val)).fold(HostWork::default(), sum),
        Val::Map(entries) => {
            let entries = entries.iter().map(|(key, val)| sum(weigh(key), weigh(val)));
            entries.fold(HostWork::default(), sum)
        }
        Val::Variant(_, val) | Val::Option(val) => payload(val),
        Val::Result(Ok(val) | Err(val)) => payload(val),
        _ => HostWork::default(),
    };
    sum(HostWork { values: 1, bytes: 0 }, inner)
}

/// A static value that knows what it weighs. Bytes are one value, as strings are.
pub(crate) trait Weigh {
    fn weigh(&self) -> HostWork;
}

macro_rules! scalars {
    ($($ty:ty),*) => {$(
        impl Weigh for $ty {
            fn weigh(&self) -> HostWork {
                HostWork { values: 1, bytes: 0 }
            }
        }
    )*};
}

scalars!(bool, u8, u32, u64);

impl Weigh for Vec<u8> {
    fn weigh(&self) -> HostWork {
        HostWork { values: 1, bytes: self.len() }
    }
}

impl Weigh for String {
    fn weigh(&self) -> HostWork {
        HostWork { values: 1, bytes: self.len() }
    }
}

impl<T: Weigh> Weigh for Option<T> {
    fn weigh(&self) -> HostWork {
        let inner = self.as_ref().map_or_else(HostWork::default, Weigh::weigh);
        sum(HostWork { values: 1, bytes: 0 }, inner)
    }
}

impl<T: Weigh, E: Weigh> Weigh for Result<T, E> {
    fn weigh(&self) -> HostWork {
        let inner = match self {
            Ok(value) => value.weigh(),
            Err(error) => error.weigh(),
        };
        sum(HostWork { values: 1, bytes: 0 }, inner)
    }
}

impl Weigh for () {
    fn weigh(&self) -> HostWork {
        HostWork::default()
    }
}

impl<A: Weigh> Weigh for (A,) {
    fn weigh(&self) -> HostWork {
        self.0.weigh()
    }
}

impl<A: Weigh, B: Weigh> Weigh for (A, B) {
    fn weigh(&self) -> HostWork {
        sum(self.0.weigh(), self.1.weigh())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_way_weighs_what_the_long_one_does() {
        let text = || "four".to_owned();
        let long = |vals: &[Val]| weigh_all(vals);
        let some = |val| Some(Box::new(val));
        assert_eq!((text(), 7_u32).weigh(), long(&[Val::String(text()), Val::U32(7)]));
        let failed: Result<Vec<u8>, String> = Err(text());
        assert_eq!((failed,).weigh(), long(&[Val::Result(Err(some(Val::String(text()))))]));
        assert_eq!((Some(text()),).weigh(), long(&[Val::Option(some(Val::String(text())))]));
        assert_eq!(().weigh(), long(&[]));
        // Only bytes are less work than values one by one.
        assert_eq!((vec![1_u8, 2, 3],).weigh(), HostWork { values: 1, bytes: 3 });
        assert_eq!(weigh(&Val::List(vec![Val::U8(1), Val::U8(2)])), HostWork { values: 3, bytes: 0 });
    }
}
