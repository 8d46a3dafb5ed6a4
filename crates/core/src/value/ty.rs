//! Types and function types, their canonical text and its digest.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::hashed::Document;

/// A WIT type whose values can leave an instance.
///
/// As JSON it is a name (`"u32"`) or an object of one entry (`{"list": "u8"}`, `{"record": [{"name": "x",
/// "type": "s32"}]}`). `Display` gives the canonical text, which looks like WIT with every named type spelled out:
/// `list<record { x: s32, label: option<string> }>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Type {
    /// `bool`.
    Bool,
    /// `s8`.
    S8,
    /// `u8`.
    U8,
    /// `s16`.
    S16,
    /// `u16`.
    U16,
    /// `s32`.
    S32,
    /// `u32`.
    U32,
    /// `s64`.
    S64,
    /// `u64`.
    U64,
    /// `f32`.
    F32,
    /// `f64`.
    F64,
    /// `char`.
    Char,
    /// `string`.
    String,
    /// `list<t>`.
    List(Box<Type>),
    /// `list<t, n>`.
    FixedList(Box<Type>, u32),
    /// `map<k, v>`.
    Map(Box<Type>, Box<Type>),
    /// `record`.
    Record(Vec<Field>),
    /// `tuple<…>`.
    Tuple(Vec<Type>),
    /// `variant`.
    Variant(Vec<Case>),
    /// `enum`, by the names of its cases.
    Enum(Vec<String>),
    /// `option<t>`.
    Option(Box<Type>),
    /// `result<ok, err>`; a side without a type carries nothing.
    Result {
        /// What success carries.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ok: Option<Box<Type>>,
        /// What failure carries.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        err: Option<Box<Type>>,
    },
    /// `flags`, by their names.
    Flags(Vec<String>),
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Its WIT name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: Type,
}

/// A case of a variant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its WIT name.
    pub name: String,
    /// What it carries, if anything.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub ty: Option<Type>,
}

/// A parameter of a function.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// Its WIT name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub ty: Type,
}

/// The type of a function: what it takes and what it gives back.
///
/// `Display` gives the canonical text `func(text: string, limit: option<u32>) -> list<string>`, without `->` where
/// nothing is returned.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FunctionType {
    /// Its parameters, in order.
    pub params: Vec<Param>,
    /// What it returns, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Type>,
}

/// The digest of a type is the SHA-256 of its canonical text, which is what `Display` prints, in UTF-8.
///
/// Named types are spelled out, so the digest says what may be passed and not what it is called elsewhere. Names of
/// parameters, fields, cases and flags are part of it; names of types, interfaces and packages are not.
impl Document for FunctionType {
    fn compute_digest(&self) -> Digest {
        Digest::of(self.to_string())
    }
}

impl fmt::Display for FunctionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("func(")?;
        join(f, &self.params, |f, param| write!(f, "{}: {}", param.name, param.ty))?;
        f.write_str(")")?;
        match &self.result {
            Some(ty) => write!(f, " -> {ty}"),
            None => Ok(()),
        }
    }
}

impl Type {
    /// Tells whether a list of this element type is held as [`Value::Bytes`](super::Value::Bytes).
    pub(crate) fn is_byte(&self) -> bool {
        matches!(self, Type::U8)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Bool => f.write_str("bool"),
            Type::S8 => f.write_str("s8"),
            Type::U8 => f.write_str("u8"),
            Type::S16 => f.write_str("s16"),
            Type::U16 => f.write_str("u16"),
            Type::S32 => f.write_str("s32"),
            Type::U32 => f.write_str("u32"),
            Type::S64 => f.write_str("s64"),
            Type::U64 => f.write_str("u64"),
            Type::F32 => f.write_str("f32"),
            Type::F64 => f.write_str("f64"),
            Type::Char => f.write_str("char"),
            Type::String => f.write_str("string"),
            Type::List(element) => write!(f, "list<{element}>"),
            Type::FixedList(element, len) => write!(f, "list<{element}, {len}>"),
            Type::Map(key, value) => write!(f, "map<{key}, {value}>"),
            Type::Record(fields) => {
                f.write_str("record { ")?;
                join(f, fields, |f, field| write!(f, "{}: {}", field.name, field.ty))?;
                f.write_str(" }")
            }
            Type::Tuple(types) => {
                f.write_str("tuple<")?;
                join(f, types, |f, ty| write!(f, "{ty}"))?;
                f.write_str(">")
            }
            Type::Variant(cases) => {
                f.write_str("variant { ")?;
                join(f, cases, |f, case| match &case.ty {
                    Some(ty) => write!(f, "{}({ty})", case.name),
                    None => f.write_str(&case.name),
                })?;
                f.write_str(" }")
            }
            Type::Enum(names) => {
                f.write_str("enum { ")?;
                join(f, names, |f, name| f.write_str(name))?;
                f.write_str(" }")
            }
            Type::Option(some) => write!(f, "option<{some}>"),
            Type::Result { ok: None, err: None } => f.write_str("result"),
            Type::Result { ok: Some(ok), err: None } => write!(f, "result<{ok}>"),
            Type::Result { ok: None, err: Some(err) } => write!(f, "result<_, {err}>"),
            Type::Result { ok: Some(ok), err: Some(err) } => write!(f, "result<{ok}, {err}>"),
            Type::Flags(names) => {
                f.write_str("flags { ")?;
                join(f, names, |f, name| f.write_str(name))?;
                f.write_str(" }")
            }
        }
    }
}

fn join<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    mut write: impl FnMut(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(", ")?;
        }
        write(f, item)?;
    }
    Ok(())
}
