//! JSON, directed by a type.
//!
//! | type | JSON |
//! | --- | --- |
//! | `bool`, `string` | as in JSON |
//! | `u8` … `s32` | a number; a decimal string is read too |
//! | `u64`, `s64` | a number, and beyond ±(2⁵³ − 1) a decimal string; both are read everywhere |
//! | `f32`, `f64` | a number, or `"nan"`, `"inf"`, `"-inf"` |
//! | `char` | a string of one character |
//! | `list<u8>` | `{"base64": "…"}`; `{"hex": "…"}` and an array of numbers are read too |
//! | `list<t>`, `tuple` | an array |
//! | `map<string, v>` | an object; an array of pairs is read too |
//! | `map<k, v>` | an array of pairs `[key, value]` |
//! | `record` | an object by WIT names; an option may be left out |
//! | `variant` | `"case"`, or `{"case": payload}` |
//! | `enum` | `"case"` |
//! | `option<t>` | `null` or the value; where `t` is an option itself, a value is `{"some": …}` |
//! | `result` | `{"ok": …}` or `{"err": …}`, with `null` for a side that carries nothing |
//! | `flags` | an array of names |

mod read;
mod write;

use serde_json::Value as Json;

use read::{describe, omitted, read, read_named};
use write::write;

use super::error::Walk;
use super::{FunctionType, Type, Value, ValueError, binary};

/// The largest integer that every JSON reader keeps exact, 2⁵³ − 1.
const EXACT_MAX: u64 = (1 << 53) - 1;

/// Reads `json` as a value of `ty`.
pub fn from_json(json: &Json, ty: &Type) -> Result<Value, ValueError> {
    read(json, ty, &mut Walk::new("value"))
}

/// Writes `value`, which must be a value of `ty`, as JSON.
pub fn to_json(value: &Value, ty: &Type) -> Result<Json, ValueError> {
    value.check(ty)?;
    Ok(write(value, ty))
}

/// Reads the arguments of a call: an array by position, or an object by name.
///
/// Options at the end of an array, and any options of an object, may be left out.
/// A function of one parameter still takes an array or an object, never the bare value: that would be ambiguous.
pub fn args_from_json(ty: &FunctionType, json: &Json) -> Result<Vec<Value>, ValueError> {
    let mut walk = Walk::new("args");
    match json {
        Json::Array(items) => {
            if items.len() > ty.params.len() {
                return Err(walk.mismatch_with(format!("{} arguments", ty.params.len()), items.len()));
            }
            let args = ty.params.iter().enumerate().map(|(index, param)| match items.get(index) {
                Some(item) => walk.name(&param.name, |walk| read(item, &param.ty, walk)),
                None => omitted(&param.name, &param.ty, &walk),
            });
            args.collect()
        }
        Json::Object(entries) => {
            let params = ty.params.iter().map(|param| (param.name.as_str(), &param.ty));
            read_named(entries, params, &mut walk)
        }
        Json::Null if ty.params.is_empty() => Ok(Vec::new()),
        other => Err(walk.mismatch_with("an array by position or an object by name", describe(other))),
    }
}

/// Writes the arguments of a call as an object by name.
pub fn args_to_json(ty: &FunctionType, args: &[Value]) -> Result<Json, ValueError> {
    binary::check_args(ty, args)?;
    let entries =
        ty.params.iter().zip(args).map(|(param, value)| (param.name.clone(), write(value, &param.ty)));
    Ok(Json::Object(entries.collect()))
}
