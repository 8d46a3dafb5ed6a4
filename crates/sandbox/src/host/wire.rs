//! Between the host's own types and the canonical value encoding of transcripts.

use glassbox_core::value::{Type, Value, binary};

/// A type of WIT that questions and answers are made of.
pub(crate) trait Wire: Sized {
    /// Returns the type.
    fn ty() -> Type;

    /// Returns the value.
    fn into_value(self) -> Value;

    /// Reads a value, `None` where it is of another type.
    fn from_value(value: Value) -> Option<Self>;

    /// Returns the canonical encoding.
    fn encode(self) -> wasmtime::Result<Vec<u8>> {
        binary::encode(&self.into_value(), &Self::ty()).map_err(wasmtime::Error::new)
    }

    /// Reads the canonical encoding, `None` where it is none.
    fn decode(bytes: &[u8]) -> Option<Self> {
        binary::decode(bytes, &Self::ty()).ok().and_then(Self::from_value)
    }
}

macro_rules! wire {
    ($($rust:ty, $case:ident;)*) => {$(
        impl Wire for $rust {
            fn ty() -> Type {
                Type::$case
            }

            fn into_value(self) -> Value {
                Value::$case(self)
            }

            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::$case(value) => Some(value),
                    _ => None,
                }
            }
        }
    )*};
}

wire! {
    bool, Bool;
    u32, U32;
    u64, U64;
    String, String;
}

/// A `list<u8>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl Wire for Bytes {
    fn ty() -> Type {
        Type::List(Box::new(Type::U8))
    }

    fn into_value(self) -> Value {
        Value::Bytes(self.0)
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Bytes(bytes) => Some(Self(bytes)),
            _ => None,
        }
    }
}

/// A list of anything but `u8`, which is [`Bytes`].
impl<T: Wire> Wire for Vec<T> {
    fn ty() -> Type {
        Type::List(Box::new(T::ty()))
    }

    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::List(values) => values.into_iter().map(T::from_value).collect(),
            _ => None,
        }
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn ty() -> Type {
        Type::Tuple(vec![A::ty(), B::ty()])
    }

    fn into_value(self) -> Value {
        Value::Tuple(vec![self.0.into_value(), self.1.into_value()])
    }

    fn from_value(value: Value) -> Option<Self> {
        let Value::Tuple(values) = value else { return None };
        let [a, b] = <[Value; 2]>::try_from(values).ok()?;
        Some((A::from_value(a)?, B::from_value(b)?))
    }
}
