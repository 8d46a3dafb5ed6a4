//! The canonical encoding of values: what receipts hash.
//!
//! It is the Component Model's binary value encoding, `design/mvp/Binary.md`, "Value Definitions", the form
//! `val(t)` without the leading type and length, made canonical by three more rules: LEB128 numbers are as short as
//! they can be, map entries ascend by their encoded keys with no key twice, and unused flag bits are zero. NaN has one
//! encoding already. So one value of a type has exactly one encoding, and [`decode`] accepts only that one.
//!
//! | type | encoding |
//! | --- | --- |
//! | `bool` | `00` or `01` |
//! | `u8`, `s8` | one byte |
//! | `u16` `u32` `u64` / `s16` `s32` `s64` | unsigned / signed LEB128 |
//! | `f32`, `f64` | IEEE 754, little-endian; NaN is `7fc00000`, `7ff8000000000000` |
//! | `char` | its UTF-8 |
//! | `string`, `list<t>`, `map<k, v>` | LEB128 count, then the bytes, elements or key-value pairs |
//! | `list<t, n>`, `record`, `tuple` | the elements, fields or members |
//! | `variant`, `enum` | LEB128 case index, then the payload if there is one |
//! | `option` | `00`, or `01` and the value |
//! | `result` | `00` and the ok payload, or `01` and the err payload |
//! | `flags` | ⌈n/8⌉ bytes, the first flag in the lowest bit of the first byte |

mod read;
mod write;

use read::Reader;
use write::{Length, write};

use super::error::Walk;
use super::{FunctionType, Type, Value, ValueError};

/// Encodes `value`, which must be a value of `ty`.
pub fn encode(value: &Value, ty: &Type) -> Result<Vec<u8>, ValueError> {
    value.check(ty)?;
    let mut bytes = Vec::new();
    write(value, ty, &mut bytes);
    Ok(bytes)
}

/// Decodes exactly one value of `ty` from `bytes`, in its one canonical encoding.
pub fn decode(bytes: &[u8], ty: &Type) -> Result<Value, ValueError> {
    let mut reader = Reader::new(bytes);
    let mut walk = Walk::new("value");
    let value = reader.value(ty, &mut walk)?;
    reader.end(&walk)?;
    Ok(value)
}

/// Encodes the arguments of a call: the encodings of all of them in order, as for a record of the parameters.
pub fn encode_args(ty: &FunctionType, args: &[Value]) -> Result<Vec<u8>, ValueError> {
    check_args(ty, args)?;
    let mut bytes = Vec::new();
    for (value, param) in args.iter().zip(&ty.params) {
        write(value, &param.ty, &mut bytes);
    }
    Ok(bytes)
}

/// Returns how many bytes [`encode_args`] would give, without making them.
pub fn measure_args(ty: &FunctionType, args: &[Value]) -> Result<usize, ValueError> {
    check_args(ty, args)?;
    let mut bytes = Length(0);
    for (value, param) in args.iter().zip(&ty.params) {
        write(value, &param.ty, &mut bytes);
    }
    Ok(bytes.0)
}

/// Decodes what [`encode_args`] wrote.
pub fn decode_args(ty: &FunctionType, bytes: &[u8]) -> Result<Vec<Value>, ValueError> {
    let mut reader = Reader::new(bytes);
    let mut walk = Walk::new("args");
    let mut args = Vec::with_capacity(ty.params.len());
    for param in &ty.params {
        args.push(walk.name(&param.name, |walk| reader.value(&param.ty, walk))?);
    }
    reader.end(&walk)?;
    Ok(args)
}

/// Encodes what a call returned; nothing is encoded as no bytes.
pub fn encode_result(ty: &FunctionType, result: Option<&Value>) -> Result<Vec<u8>, ValueError> {
    match (result, &ty.result) {
        (Some(value), Some(ty)) => encode(value, ty),
        (None, None) => Ok(Vec::new()),
        (Some(value), None) => Err(Walk::new("result").mismatch_with("nothing", value.kind())),
        (None, Some(ty)) => Err(Walk::new("result").mismatch(ty, "nothing")),
    }
}

/// Returns how many bytes [`encode_result`] would give, without making them.
pub fn measure_result(ty: &FunctionType, result: Option<&Value>) -> Result<usize, ValueError> {
    match (result, &ty.result) {
        (Some(value), Some(ty)) => {
            value.check(ty)?;
            let mut bytes = Length(0);
            write(value, ty, &mut bytes);
            Ok(bytes.0)
        }
        _ => encode_result(ty, result).map(|bytes| bytes.len()),
    }
}

/// Decodes what [`encode_result`] wrote.
pub fn decode_result(ty: &FunctionType, bytes: &[u8]) -> Result<Option<Value>, ValueError> {
    match &ty.result {
        Some(ty) => decode(bytes, ty).map(Some),
        None => Reader::new(bytes).end(&Walk::new("result")).map(|()| None),
    }
}

/// Checks that `args` are arguments of `ty`, by number and by type.
pub fn check_args(ty: &FunctionType, args: &[Value]) -> Result<(), ValueError> {
    if args.len() != ty.params.len() {
        let expected = format!("{} arguments", ty.params.len());
        return Err(Walk::new("args").mismatch_with(expected, args.len()));
    }
    args.iter().zip(&ty.params).try_for_each(|(value, param)| value.check(&param.ty))
}

/// Sorts map entries by their encoded keys; the last of several with one key stays.
pub(super) fn sort_entries(
    key: &Type,
    entries: Vec<(Value, Value)>,
) -> Result<Vec<(Value, Value)>, ValueError> {
    let mut sorted = std::collections::BTreeMap::new();
    for entry in entries {
        sorted.insert(encode(&entry.0, key)?, entry);
    }
    Ok(sorted.into_values().collect())
}

/// Tells whether the encoded keys ascend strictly. The keys must be checked values of `key`.
pub(super) fn entries_are_sorted(key: &Type, entries: &[(Value, Value)]) -> Result<bool, ValueError> {
    let mut previous: Option<Vec<u8>> = None;
    for (value, _) in entries {
        let mut encoded = Vec::new();
        write(value, key, &mut encoded);
        if previous.is_some_and(|previous| previous >= encoded) {
            return Ok(false);
        }
        previous = Some(encoded);
    }
    Ok(true)
}

/// The one NaN of each width.
const NAN32: [u8; 4] = 0x7fc0_0000_u32.to_le_bytes();
const NAN64: [u8; 8] = 0x7ff8_0000_0000_0000_u64.to_le_bytes();
