//! From JSON to values.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::{Map, Number, Value as Json};

use super::EXACT_MAX;
use crate::value::error::Walk;
use crate::value::{Type, Value, ValueError};

/// Reads `json`, at which `walk` stands, as a value of `ty`.
pub(super) fn read<'a>(json: &'a Json, ty: &'a Type, walk: &mut Walk<'a>) -> Result<Value, ValueError> {
    walk.node()?;
    match ty {
        Type::Bool => json.as_bool().map(Value::Bool).ok_or_else(|| walk.mismatch(ty, describe(json))),
        Type::S8 => integer(json, ty, walk).map(Value::S8),
        Type::U8 => integer(json, ty, walk).map(Value::U8),
        Type::S16 => integer(json, ty, walk).map(Value::S16),
        Type::U16 => integer(json, ty, walk).map(Value::U16),
        Type::S32 => integer(json, ty, walk).map(Value::S32),
        Type::U32 => integer(json, ty, walk).map(Value::U32),
        Type::S64 => integer(json, ty, walk).map(Value::S64),
        Type::U64 => integer(json, ty, walk).map(Value::U64),
        Type::F32 => {
            let value = float(json, ty, walk)?;
            let narrow = value as f32;
            // Rounding is what f32 asks for; turning a finite number into an infinite one is not.
            if narrow.is_infinite() && value.is_finite() {
                return Err(walk.mismatch(ty, describe(json)));
            }
            Ok(Value::F32(narrow))
        }
        Type::F64 => float(json, ty, walk).map(Value::F64),
        Type::Char => {
            let text = json.as_str().unwrap_or_default();
            let mut chars = text.chars();
            match (chars.next(), chars.next()) {
                (Some(char), None) => Ok(Value::Char(char)),
                _ => Err(walk.mismatch_with("a string of one character", describe(json))),
            }
        }
        Type::String => match json {
            Json::String(text) => Ok(Value::String(text.clone())),
            _ => Err(walk.mismatch(ty, describe(json))),
        },
        Type::List(element) if element.is_byte() => read_bytes(json, walk).map(Value::Bytes),
        Type::FixedList(element, len) if element.is_byte() => {
            let bytes = read_bytes(json, walk)?;
            exactly(bytes.len(), *len as usize, ty, walk)?;
            Ok(Value::Bytes(bytes))
        }
        Type::List(element) => {
            let items = array(json, ty, walk)?;
            read_all(items.iter().map(|item| (item, &**element)), walk).map(Value::List)
        }
        Type::FixedList(element, len) => {
            let items = array(json, ty, walk)?;
            exactly(items.len(), *len as usize, ty, walk)?;
            read_all(items.iter().map(|item| (item, &**element)), walk).map(Value::List)
        }
        Type::Map(key, value) => read_map(json, ty, key, value, walk),
        Type::Record(fields) => {
            let Json::Object(entries) = json else {
                return Err(walk.mismatch(ty, describe(json)));
            };
            let fields = fields.iter().map(|field| (field.name.as_str(), &field.ty));
            read_named(entries, fields, walk).map(Value::Record)
        }
        Type::Tuple(types) => {
            let items = array(json, ty, walk)?;
            exactly(items.len(), types.len(), ty, walk)?;
            read_all(items.iter().zip(types), walk).map(Value::Tuple)
        }
        Type::Variant(cases) => {
            let (name, payload) = tagged(json, ty, walk)?;
            let names = || cases.iter().map(|case| case.name.as_str());
            let case = names().position(|case| case == name).ok_or_else(|| walk.unknown(name, names()))?;
            let payload = read_payload(name, payload, cases[case].ty.as_ref(), walk)?;
            Ok(Value::Variant { case: case as u32, payload })
        }
        Type::Enum(names) => match json {
            Json::String(name) => index_of(name, names, walk).map(Value::Enum),
            _ => Err(walk.mismatch(ty, describe(json))),
        },
        Type::Option(some) => match json {
            Json::Null => Ok(Value::Option(None)),
            _ => {
                let inner = match (&**some, json) {
                    (Type::Option(_), Json::Object(entries)) if entries.len() == 1 => entries.get("some"),
                    (Type::Option(_), _) => None,
                    _ => Some(json),
                };
                let inner = inner.ok_or_else(|| {
                    walk.mismatch_with(r#"null or {"some": …}, as an option lies in it"#, describe(json))
                })?;
                let value = walk.name("some", |walk| read(inner, some, walk))?;
                Ok(Value::Option(Some(Box::new(value))))
            }
        },
        Type::Result { ok, err } => match tagged(json, ty, walk)? {
            ("ok", payload) => Ok(Value::Result(Ok(read_payload("ok", payload, ok.as_deref(), walk)?))),
            ("err", payload) => Ok(Value::Result(Err(read_payload("err", payload, err.as_deref(), walk)?))),
            (name, _) => Err(walk.unknown(name, ["ok", "err"])),
        },
        Type::Flags(names) => {
            let mut flags = Vec::new();
            for item in array(json, ty, walk)? {
                let name = item.as_str().ok_or_else(|| walk.mismatch(ty, describe(item)))?;
                let flag = index_of(name, names, walk)?;
                if flags.contains(&flag) {
                    return Err(walk.duplicate(name));
                }
                flags.push(flag);
            }
            flags.sort_unstable();
            Ok(Value::Flags(flags))
        }
    }
}

/// Reads `entries` as the values of `names`, in the order of `names`.
pub(super) fn read_named<'a>(
    entries: &'a Map<String, Json>,
    names: impl Iterator<Item = (&'a str, &'a Type)> + Clone,
    walk: &mut Walk<'a>,
) -> Result<Vec<Value>, ValueError> {
    for name in entries.keys() {
        if !names.clone().any(|(known, _)| known == name) {
            return Err(walk.unknown(name, names.map(|(name, _)| name)));
        }
    }
    let values = names.map(|(name, ty)| match entries.get(name) {
        Some(item) => walk.name(name, |walk| read(item, ty, walk)),
        None => omitted(name, ty, walk),
    });
    values.collect()
}

/// Returns the value of something that was left out: `none` for an option, else it is an error.
pub(super) fn omitted(name: &str, ty: &Type, walk: &Walk<'_>) -> Result<Value, ValueError> {
    match ty {
        Type::Option(_) => Ok(Value::Option(None)),
        _ => Err(walk.missing(name, ty)),
    }
}

fn read_all<'a>(
    items: impl Iterator<Item = (&'a Json, &'a Type)>,
    walk: &mut Walk<'a>,
) -> Result<Vec<Value>, ValueError> {
    items.enumerate().map(|(index, (item, ty))| walk.index(index, |walk| read(item, ty, walk))).collect()
}

fn read_map<'a>(
    json: &'a Json,
    ty: &'a Type,
    key_ty: &'a Type,
    value_ty: &'a Type,
    walk: &mut Walk<'a>,
) -> Result<Value, ValueError> {
    let entries = match (json, key_ty) {
        (Json::Object(entries), Type::String) => {
            let read = entries.iter().map(|(key, item)| {
                walk.node()?;
                let value = walk.name(key, |walk| read(item, value_ty, walk))?;
                Ok((Value::String(key.clone()), value))
            });
            read.collect::<Result<Vec<_>, _>>()?
        }
        (Json::Array(items), _) => {
            let read = items.iter().enumerate().map(|(index, item)| {
                walk.index(index, |walk| match item.as_array().map(Vec::as_slice) {
                    Some([key, value]) => {
                        let key = walk.index(0, |walk| read(key, key_ty, walk))?;
                        let value = walk.index(1, |walk| read(value, value_ty, walk))?;
                        Ok((key, value))
                    }
                    _ => Err(walk.mismatch_with("a pair [key, value]", describe(item))),
                })
            });
            read.collect::<Result<Vec<_>, _>>()?
        }
        _ => return Err(walk.mismatch(ty, describe(json))),
    };
    let given = entries.len();
    match Value::map(key_ty, entries)? {
        Value::Map(entries) if entries.len() == given => Ok(Value::Map(entries)),
        _ => Err(walk.mismatch_with("every key once", "a key twice")),
    }
}

fn read_payload<'a>(
    name: &'a str,
    payload: Option<&'a Json>,
    ty: Option<&'a Type>,
    walk: &mut Walk<'a>,
) -> Result<Option<Box<Value>>, ValueError> {
    match (ty, payload) {
        (Some(ty), Some(payload)) => Ok(Some(Box::new(walk.name(name, |walk| read(payload, ty, walk))?))),
        (None, None | Some(Json::Null)) => Ok(None),
        (Some(ty), None) => Err(walk.missing(name, ty)),
        (None, Some(payload)) => {
            Err(walk.mismatch_with(format!("`{name}` without a payload"), describe(payload)))
        }
    }
}

/// Reads `"case"` or `{"case": payload}`.
fn tagged<'a>(json: &'a Json, ty: &Type, walk: &Walk<'_>) -> Result<(&'a str, Option<&'a Json>), ValueError> {
    match json {
        Json::String(name) => Ok((name, None)),
        Json::Object(entries) if entries.len() == 1 => {
            let (name, payload) = entries.iter().next().expect("the object has one entry");
            Ok((name, Some(payload)))
        }
        _ => Err(walk.mismatch(ty, describe(json))),
    }
}

fn index_of(name: &str, names: &[String], walk: &Walk<'_>) -> Result<u32, ValueError> {
    match names.iter().position(|known| known == name) {
        Some(index) => Ok(index as u32),
        None => Err(walk.unknown(name, names.iter().map(String::as_str))),
    }
}

fn array<'a>(json: &'a Json, ty: &Type, walk: &Walk<'_>) -> Result<&'a Vec<Json>, ValueError> {
    json.as_array().ok_or_else(|| walk.mismatch(ty, describe(json)))
}

fn exactly(found: usize, expected: usize, ty: &Type, walk: &Walk<'_>) -> Result<(), ValueError> {
    if found == expected { Ok(()) } else { Err(walk.mismatch(ty, format!("{found} values"))) }
}

fn integer<T>(json: &Json, ty: &Type, walk: &Walk<'_>) -> Result<T, ValueError>
where
    T: TryFrom<i128> + std::str::FromStr,
{
    let value = match json {
        Json::Number(number) => whole(number).and_then(|value| T::try_from(value).ok()),
        // `+1` and `007` are numbers to Rust, but one number has one spelling here.
        Json::String(text) if is_decimal(text) => text.parse().ok(),
        _ => None,
    };
    value.ok_or_else(|| walk.mismatch(ty, describe(json)))
}

/// Returns the number as an integer, if it is one. `3.0` is: some writers have only floats.
fn whole(number: &Number) -> Option<i128> {
    if let Some(value) = number.as_i64() {
        return Some(value.into());
    }
    if let Some(value) = number.as_u64() {
        return Some(value.into());
    }
    let value = number.as_f64()?;
    (value.fract() == 0.0 && value.abs() <= EXACT_MAX as f64).then_some(value as i128)
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'))
        && text != "-0"
}

fn float(json: &Json, ty: &Type, walk: &Walk<'_>) -> Result<f64, ValueError> {
    let value = match json {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => match text.as_str() {
            "nan" => Some(f64::NAN),
            "inf" => Some(f64::INFINITY),
            "-inf" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    };
    value.ok_or_else(|| walk.mismatch(ty, describe(json)))
}

fn read_bytes(json: &Json, walk: &mut Walk<'_>) -> Result<Vec<u8>, ValueError> {
    const EXPECTED: &str = r#"{"base64": "…"}, {"hex": "…"} or an array of bytes"#;
    match json {
        Json::Array(items) => {
            let mut bytes = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                bytes.push(walk.index(index, |walk| integer(item, &Type::U8, walk))?);
            }
            Ok(bytes)
        }
        Json::Object(entries) if entries.len() == 1 => {
            let (name, text) = entries.iter().next().expect("the object has one entry");
            match (name.as_str(), text.as_str()) {
                // Both with and without padding: JavaScript and Python libraries differ.
                ("base64", Some(text)) => STANDARD
                    .decode(text)
                    .or_else(|_| STANDARD_NO_PAD.decode(text))
                    .map_err(|_| walk.mismatch_with(EXPECTED, "`base64` that is not standard base64")),
                ("hex", Some(text)) => hex::decode(text).map_err(|_| {
                    walk.mismatch_with(EXPECTED, "`hex` that is not an even number of hexadecimal digits")
                }),
                _ => Err(walk.mismatch_with(EXPECTED, describe(json))),
            }
        }
        _ => Err(walk.mismatch_with(EXPECTED, describe(json))),
    }
}

/// Describes `json` for a message: what it is, and its text where that is short.
pub(super) fn describe(json: &Json) -> String {
    match json {
        Json::Null => "null".into(),
        Json::Bool(_) | Json::Number(_) => json.to_string(),
        Json::String(text) => format!("the string {text:?}"),
        Json::Array(items) => format!("an array of {}", items.len()),
        Json::Object(entries) => {
            let names: Vec<_> = entries.keys().take(8).map(String::as_str).collect();
            format!("an object with {{{}}}", names.join(", "))
        }
    }
}
