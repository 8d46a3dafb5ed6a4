//! The short way for `list<u8>`: functions whose types are known when the host is built.
//!
//! Called dynamically, every byte of a list is a value of 40 bytes to the engine, and ten megabytes take a second. Where
//! a function takes or returns `list<u8>` and the rest of its type is one of the forms below, it is called with static
//! types, which copies the bytes and nothing else. Everything else, strings included, loses little the dynamic way.
//!
//! The guest sees no difference, so output and fuel are the same both ways.

use std::sync::Arc;

use glassbox_core::value::{FunctionType, Type, Value};
use wasmtime::component::{ComponentNamedList, ComponentType, Func, Lift, LinkerInstance, Lower};
use wasmtime::{AsContextMut, Store};

use crate::cross::{Weigh, link_typed};
use crate::inner::Route;
use crate::meter::Guest;

/// The parameters of a function with a short way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Params {
    None,
    Text,
    U32,
    U64,
    Bytes,
    BytesBytes,
    BytesText,
    TextBytes,
    BytesU8,
    BytesU32,
    BytesU64,
    BytesBool,
}

/// The result of a function with a short way. Sides of a `result` are named ok first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Returns {
    Nothing,
    Bytes,
    Text,
    Bool,
    U32,
    U64,
    OptionBytes,
    BytesOrText,
    TextOrText,
}

/// The type of a function with a short way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    params: Params,
    returns: Returns,
}

impl Shape {
    /// Returns the shape of a function, if bytes pass through it and it has one.
    pub(crate) fn of(ty: &FunctionType) -> Option<Self> {
        let params: Vec<_> = ty.params.iter().map(|param| kind(&param.ty)).collect::<Option<_>>()?;
        let params = match params[..] {
            [] => Params::None,
            [Kind::Text] => Params::Text,
            [Kind::U32] => Params::U32,
            [Kind::U64] => Params::U64,
            [Kind::Bytes] => Params::Bytes,
            [Kind::Bytes, Kind::Bytes] => Params::BytesBytes,
            [Kind::Bytes, Kind::Text] => Params::BytesText,
            [Kind::Text, Kind::Bytes] => Params::TextBytes,
            [Kind::Bytes, Kind::U8] => Params::BytesU8,
            [Kind::Bytes, Kind::U32] => Params::BytesU32,
            [Kind::Bytes, Kind::U64] => Params::BytesU64,
            [Kind::Bytes, Kind::Bool] => Params::BytesBool,
            _ => return None,
        };
        let returns = match &ty.result {
            None => Returns::Nothing,
            Some(Type::Option(some)) if kind(some) == Some(Kind::Bytes) => Returns::OptionBytes,
            Some(Type::Result { ok: Some(ok), err: Some(err) }) => match (kind(ok)?, kind(err)?) {
                (Kind::Bytes, Kind::Text) => Returns::BytesOrText,
                (Kind::Text, Kind::Text) => Returns::TextOrText,
                _ => return None,
            },
            Some(ty) => match kind(ty)? {
                Kind::Bytes => Returns::Bytes,
                Kind::Text => Returns::Text,
                Kind::Bool => Returns::Bool,
                Kind::U32 => Returns::U32,
                Kind::U64 => Returns::U64,
                Kind::U8 => return None,
            },
        };
        let takes = !matches!(params, Params::None | Params::Text | Params::U32 | Params::U64);
        let gives = matches!(returns, Returns::Bytes | Returns::OptionBytes | Returns::BytesOrText);
        (takes || gives).then_some(Self { params, returns })
    }

    /// Calls `function`, whose type was found to have this shape.
    pub(crate) async fn call(
        self,
        store: &mut Store<Guest>,
        function: Func,
        args: &[Value],
    ) -> wasmtime::Result<Option<Value>> {
        let call = Call { store, function, returns: self.returns };
        match (self.params, args) {
            (Params::None, []) => call.give(()).await,
            (Params::Text, [a]) => call.give((a.text()?,)).await,
            (Params::U32, [a]) => call.give((a.u32()?,)).await,
            (Params::U64, [a]) => call.give((a.u64()?,)).await,
            (Params::Bytes, [a]) => call.take((a.bytes()?,)).await,
            (Params::BytesBytes, [a, b]) => call.take((a.bytes()?, b.bytes()?)).await,
            (Params::BytesText, [a, b]) => call.take((a.bytes()?, b.text()?)).await,
            (Params::TextBytes, [a, b]) => call.take((a.text()?, b.bytes()?)).await,
            (Params::BytesU8, [a, b]) => call.take((a.bytes()?, b.u8()?)).await,
            (Params::BytesU32, [a, b]) => call.take((a.bytes()?, b.u32()?)).await,
            (Params::BytesU64, [a, b]) => call.take((a.bytes()?, b.u64()?)).await,
            (Params::BytesBool, [a, b]) => call.take((a.bytes()?, b.bool()?)).await,
            _ => Err(mismatch()),
        }
    }
}

impl Shape {
    /// Defines an imported function of this shape as that of a dependency.
    pub(crate) fn link(
        self,
        linker: &mut LinkerInstance<'_, Guest>,
        name: &str,
        route: Arc<Route>,
    ) -> wasmtime::Result<()> {
        let import = Import { linker, name, route, returns: self.returns };
        match self.params {
            Params::None => import.giving::<()>(),
            Params::Text => import.giving::<(String,)>(),
            Params::U32 => import.giving::<(u32,)>(),
            Params::U64 => import.giving::<(u64,)>(),
            Params::Bytes => import.taking::<(Vec<u8>,)>(),
            Params::BytesBytes => import.taking::<(Vec<u8>, Vec<u8>)>(),
            Params::BytesText => import.taking::<(Vec<u8>, String)>(),
            Params::TextBytes => import.taking::<(String, Vec<u8>)>(),
            Params::BytesU8 => import.taking::<(Vec<u8>, u8)>(),
            Params::BytesU32 => import.taking::<(Vec<u8>, u32)>(),
            Params::BytesU64 => import.taking::<(Vec<u8>, u64)>(),
            Params::BytesBool => import.taking::<(Vec<u8>, bool)>(),
        }
    }
}

/// An imported function whose parameters are known and whose result is about to be.
struct Import<'a, 'linker> {
    linker: &'a mut LinkerInstance<'linker, Guest>,
    name: &'a str,
    route: Arc<Route>,
    returns: Returns,
}

impl Import<'_, '_> {
    /// Defines a function that takes bytes, whatever it returns.
    fn taking<P>(self) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lift + Lower + Weigh + Send + Sync + 'static,
    {
        match self.returns {
            Returns::Nothing => link_typed::<P, ()>(self.linker, self.name, self.route),
            Returns::Text => self.with::<P, String>(),
            Returns::Bool => self.with::<P, bool>(),
            Returns::U32 => self.with::<P, u32>(),
            Returns::U64 => self.with::<P, u64>(),
            Returns::TextOrText => self.with::<P, Result<String, String>>(),
            Returns::Bytes | Returns::OptionBytes | Returns::BytesOrText => self.giving::<P>(),
        }
    }

    /// Defines a function that returns bytes.
    fn giving<P>(self) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lift + Lower + Weigh + Send + Sync + 'static,
    {
        match self.returns {
            Returns::Bytes => self.with::<P, Vec<u8>>(),
            Returns::OptionBytes => self.with::<P, Option<Vec<u8>>>(),
            Returns::BytesOrText => self.with::<P, Result<Vec<u8>, String>>(),
            _ => Err(mismatch()),
        }
    }

    fn with<P, R>(self) -> wasmtime::Result<()>
    where
        P: ComponentNamedList + Lift + Lower + Weigh + Send + Sync + 'static,
        R: ComponentType + Lift + Lower + Weigh + Send + Sync + 'static,
    {
        link_typed::<P, (R,)>(self.linker, self.name, self.route)
    }
}

/// A type that the short way knows by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bytes,
    Text,
    Bool,
    U8,
    U32,
    U64,
}

fn kind(ty: &Type) -> Option<Kind> {
    Some(match ty {
        Type::List(element) if **element == Type::U8 => Kind::Bytes,
        Type::String => Kind::Text,
        Type::Bool => Kind::Bool,
        Type::U8 => Kind::U8,
        Type::U32 => Kind::U32,
        Type::U64 => Kind::U64,
        _ => return None,
    })
}

/// A call whose parameters are known and whose result is about to be.
struct Call<'a> {
    store: &'a mut Store<Guest>,
    function: Func,
    returns: Returns,
}

impl Call<'_> {
    /// Calls a function that takes bytes, whatever it returns.
    async fn take<P>(self, params: P) -> wasmtime::Result<Option<Value>>
    where
        P: ComponentNamedList + Lower + Send + Sync,
    {
        match self.returns {
            Returns::Nothing => {
                let function = self.function.typed::<P, ()>(&*self.store)?;
                function.call_async(self.store.as_context_mut(), params).await?;
                Ok(None)
            }
            Returns::Text => self.with::<P, String>(params).await,
            Returns::Bool => self.with::<P, bool>(params).await,
            Returns::U32 => self.with::<P, u32>(params).await,
            Returns::U64 => self.with::<P, u64>(params).await,
            Returns::TextOrText => self.with::<P, Result<String, String>>(params).await,
            Returns::Bytes | Returns::OptionBytes | Returns::BytesOrText => self.give(params).await,
        }
    }

    /// Calls a function that returns bytes.
    async fn give<P>(self, params: P) -> wasmtime::Result<Option<Value>>
    where
        P: ComponentNamedList + Lower + Send + Sync,
    {
        match self.returns {
            Returns::Bytes => self.with::<P, Vec<u8>>(params).await,
            Returns::OptionBytes => self.with::<P, Option<Vec<u8>>>(params).await,
            Returns::BytesOrText => self.with::<P, Result<Vec<u8>, String>>(params).await,
            _ => Err(mismatch()),
        }
    }

    async fn with<P, R>(self, params: P) -> wasmtime::Result<Option<Value>>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentType + Lift + IntoValue + Send + Sync + 'static,
    {
        let function = self.function.typed::<P, (R,)>(&*self.store)?;
        let (result,) = function.call_async(self.store.as_context_mut(), params).await?;
        Ok(Some(result.into_value()))
    }
}

/// A static result as a value.
trait IntoValue {
    fn into_value(self) -> Value;
}

impl IntoValue for Vec<u8> {
    fn into_value(self) -> Value {
        Value::Bytes(self)
    }
}

impl IntoValue for String {
    fn into_value(self) -> Value {
        Value::String(self)
    }
}

impl IntoValue for bool {
    fn into_value(self) -> Value {
        Value::Bool(self)
    }
}

impl IntoValue for u32 {
    fn into_value(self) -> Value {
        Value::U32(self)
    }
}

impl IntoValue for u64 {
    fn into_value(self) -> Value {
        Value::U64(self)
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Value {
        Value::Option(self.map(|some| Box::new(some.into_value())))
    }
}

impl<T: IntoValue, E: IntoValue> IntoValue for Result<T, E> {
    fn into_value(self) -> Value {
        Value::Result(
            self.map(|ok| Some(Box::new(ok.into_value())))
                .map_err(|error| Some(Box::new(error.into_value()))),
        )
    }
}

/// A value as a static parameter. The arguments were checked, so a mismatch is our own mistake.
trait Argument {
    fn bytes(&self) -> wasmtime::Result<&[u8]>;
    fn text(&self) -> wasmtime::Result<&str>;
    fn bool(&self) -> wasmtime::Result<bool>;
    fn u8(&self) -> wasmtime::Result<u8>;
    fn u32(&self) -> wasmtime::Result<u32>;
    fn u64(&self) -> wasmtime::Result<u64>;
}

impl Argument for Value {
    fn bytes(&self) -> wasmtime::Result<&[u8]> {
        if let Value::Bytes(bytes) = self { Ok(bytes) } else { Err(mismatch()) }
    }

    fn text(&self) -> wasmtime::Result<&str> {
        if let Value::String(text) = self { Ok(text) } else { Err(mismatch()) }
    }

    fn bool(&self) -> wasmtime::Result<bool> {
        if let Value::Bool(bool) = self { Ok(*bool) } else { Err(mismatch()) }
    }

    fn u8(&self) -> wasmtime::Result<u8> {
        if let Value::U8(number) = self { Ok(*number) } else { Err(mismatch()) }
    }

    fn u32(&self) -> wasmtime::Result<u32> {
        if let Value::U32(number) = self { Ok(*number) } else { Err(mismatch()) }
    }

    fn u64(&self) -> wasmtime::Result<u64> {
        if let Value::U64(number) = self { Ok(*number) } else { Err(mismatch()) }
    }
}

fn mismatch() -> wasmtime::Error {
    wasmtime::format_err!("a value is not of the function's type")
}

#[cfg(test)]
mod tests {
    use glassbox_core::value::Param;

    use super::*;

    fn shape(params: &[Type], result: Option<Type>) -> Option<Shape> {
        let params = params.iter().map(|ty| Param { name: "a".into(), ty: ty.clone() }).collect();
        Shape::of(&FunctionType { params, result })
    }

    #[test]
    fn only_what_carries_bytes_has_a_shape() {
        let bytes = || Type::List(Box::new(Type::U8));
        let fails = |ok: Type| Type::Result { ok: Some(Box::new(ok)), err: Some(Box::new(Type::String)) };
        assert!(shape(&[bytes()], Some(bytes())).is_some());
        assert!(shape(&[Type::String], Some(fails(bytes()))).is_some());
        assert!(shape(&[bytes(), Type::String], None).is_some());
        assert!(shape(&[Type::String], Some(Type::String)).is_none());
        assert!(shape(&[Type::U32], Some(Type::U32)).is_none());
        assert!(shape(&[bytes(), Type::F64], Some(bytes())).is_none());
        assert!(shape(&[bytes()], Some(Type::List(Box::new(bytes())))).is_none());
    }
}
