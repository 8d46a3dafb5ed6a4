//! WIT types and values, without an engine.
//!
//! A [`Type`] says what a parameter or result may hold, a [`Value`] is one such thing. Three notations lead in
//! and out, each directed by the type: [`json`] for programs and agents, [`wave`] for people and test files, and
//! [`binary`], the one canonical form, which receipts hash. [`schema`] describes a type as JSON Schema.
//!
//! Handles, streams and futures are missing on purpose: they have no value outside one running instance, so a
//! function that takes or returns one cannot be called, recorded or re-executed by value.

pub mod binary;
mod check;
mod error;
pub mod example;
pub mod json;
pub mod schema;
mod ty;
pub mod wave;

#[cfg(test)]
mod tests;

pub use error::ValueError;
pub use ty::{Case, Field, FunctionType, Param, Type};

/// One value of a WIT type.
///
/// Names are not repeated in values: a record is its fields in the order of the type, and cases and flags are
/// indices into it. `==` compares floats as floats, so a NaN differs from itself; two values are the *same* when
/// their [`binary`] encodings are equal.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A `bool`.
    Bool(bool),
    /// An `s8`.
    S8(i8),
    /// A `u8`.
    U8(u8),
    /// An `s16`.
    S16(i16),
    /// A `u16`.
    U16(u16),
    /// An `s32`.
    S32(i32),
    /// A `u32`.
    U32(u32),
    /// An `s64`.
    S64(i64),
    /// A `u64`.
    U64(u64),
    /// An `f32`.
    F32(f32),
    /// An `f64`.
    F64(f64),
    /// A `char`.
    Char(char),
    /// A `string`.
    String(String),
    /// A `list<u8>` of any or a fixed length; such a list is never written as [`Value::List`].
    Bytes(Vec<u8>),
    /// A list of anything but `u8`, of any or a fixed length.
    List(Vec<Value>),
    /// A map, in ascending order of its encoded keys, each key once. [`Value::map`] makes one.
    Map(Vec<(Value, Value)>),
    /// A record: its fields in the order of the type.
    Record(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A variant: the index of its case, and what the case carries.
    Variant {
        /// The index of the case in the type.
        case: u32,
        /// What the case carries, where the type says that it carries something.
        payload: Option<Box<Value>>,
    },
    /// An enum: the index of its case.
    Enum(u32),
    /// An option.
    Option(Option<Box<Value>>),
    /// A result, each side with what it carries, where the type says that it carries something.
    Result(Result<Option<Box<Value>>, Option<Box<Value>>>),
    /// Flags: the indices of those that are set, ascending.
    Flags(Vec<u32>),
}

impl Value {
    /// Makes a map of `entries` in any order.
    ///
    /// Of two entries with one key the later one stays, as in every language's map literal.
    /// The key type is needed because the canonical order is that of the encoded keys.
    pub fn map(key: &Type, entries: Vec<(Value, Value)>) -> Result<Value, ValueError> {
        binary::sort_entries(key, entries).map(Value::Map)
    }

    /// Checks that this is a value of `ty`, within the limits on depth and number of nodes.
    pub fn check(&self, ty: &Type) -> Result<(), ValueError> {
        check::check(self, ty)
    }

    /// Returns how many values this one is made of, itself included. Bytes and strings are one each.
    pub fn count(&self) -> usize {
        let payload = |value: &Option<Box<Value>>| value.as_deref().map_or(0, Value::count);
        let inner = match self {
            Value::List(values) | Value::Record(values) | Value::Tuple(values) => {
                values.iter().map(Value::count).sum()
            }
            Value::Map(entries) => entries.iter().map(|(key, value)| key.count() + value.count()).sum(),
            Value::Variant { payload: value, .. } | Value::Option(value) => payload(value),
            Value::Result(Ok(value) | Err(value)) => payload(value),
            _ => 0,
        };
        1 + inner
    }

    /// Returns what kind of value this is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Bool(_) => "a bool",
            Value::S8(_) => "an s8",
            Value::U8(_) => "a u8",
            Value::S16(_) => "an s16",
            Value::U16(_) => "a u16",
            Value::S32(_) => "an s32",
            Value::U32(_) => "a u32",
            Value::S64(_) => "an s64",
            Value::U64(_) => "a u64",
            Value::F32(_) => "an f32",
            Value::F64(_) => "an f64",
            Value::Char(_) => "a char",
            Value::String(_) => "a string",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
            Value::Record(_) => "a record",
            Value::Tuple(_) => "a tuple",
            Value::Variant { .. } => "a variant",
            Value::Enum(_) => "an enum",
            Value::Option(_) => "an option",
            Value::Result(_) => "a result",
            Value::Flags(_) => "flags",
        }
    }
}
