//! From values to JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Number, Value as Json, json};

use super::EXACT_MAX;
use crate::value::{Type, Value};

/// Writes a value that was checked before.
pub(super) fn write(value: &Value, ty: &Type) -> Json {
    match (value, ty) {
        (Value::Bool(v), _) => Json::Bool(*v),
        (Value::S8(v), _) => (*v).into(),
        (Value::U8(v), _) => (*v).into(),
        (Value::S16(v), _) => (*v).into(),
        (Value::U16(v), _) => (*v).into(),
        (Value::S32(v), _) => (*v).into(),
        (Value::U32(v), _) => (*v).into(),
        (Value::S64(v), _) if v.unsigned_abs() <= EXACT_MAX => (*v).into(),
        (Value::U64(v), _) if *v <= EXACT_MAX => (*v).into(),
        (Value::S64(v), _) => v.to_string().into(),
        (Value::U64(v), _) => v.to_string().into(),
        (Value::F32(v), _) => write_float(widen(*v)),
        (Value::F64(v), _) => write_float(*v),
        (Value::Char(v), _) => v.to_string().into(),
        (Value::String(v), _) => v.clone().into(),
        (Value::Bytes(v), _) => json!({ "base64": STANDARD.encode(v) }),
        (Value::List(values), Type::List(element) | Type::FixedList(element, _)) => {
            values.iter().map(|value| write(value, element)).collect()
        }
        (Value::Map(entries), Type::Map(key_ty, value_ty)) => match **key_ty {
            Type::String => Json::Object(
                entries
                    .iter()
                    .map(|(key, value)| match key {
                        Value::String(key) => (key.clone(), write(value, value_ty)),
                        other => unreachable!("{} was checked to be a string", other.kind()),
                    })
                    .collect(),
            ),
            _ => entries
                .iter()
                .map(|(key, value)| json!([write(key, key_ty), write(value, value_ty)]))
                .collect(),
        },
        (Value::Record(values), Type::Record(fields)) => Json::Object(
            fields
                .iter()
                .zip(values)
                .map(|(field, value)| (field.name.clone(), write(value, &field.ty)))
                .collect(),
        ),
        (Value::Tuple(values), Type::Tuple(types)) => {
            values.iter().zip(types).map(|(value, ty)| write(value, ty)).collect()
        }
        (Value::Variant { case, payload }, Type::Variant(cases)) => {
            let case = &cases[*case as usize];
            match (payload, &case.ty) {
                (Some(value), Some(ty)) => single(&case.name, write(value, ty)),
                _ => case.name.clone().into(),
            }
        }
        (Value::Enum(case), Type::Enum(names)) => names[*case as usize].clone().into(),
        (Value::Option(None), _) => Json::Null,
        (Value::Option(Some(value)), Type::Option(some)) => match **some {
            Type::Option(_) => single("some", write(value, some)),
            _ => write(value, some),
        },
        (Value::Result(Ok(payload)), Type::Result { ok, .. }) => {
            single("ok", write_payload(payload.as_deref(), ok.as_deref()))
        }
        (Value::Result(Err(payload)), Type::Result { err, .. }) => {
            single("err", write_payload(payload.as_deref(), err.as_deref()))
        }
        (Value::Flags(flags), Type::Flags(names)) => {
            flags.iter().map(|flag| Json::from(names[*flag as usize].clone())).collect()
        }
        (value, ty) => unreachable!("{} was checked against {ty}", value.kind()),
    }
}

fn write_payload(value: Option<&Value>, ty: Option<&Type>) -> Json {
    match (value, ty) {
        (Some(value), Some(ty)) => write(value, ty),
        _ => Json::Null,
    }
}

fn single(name: &str, value: Json) -> Json {
    Json::Object(Map::from_iter([(name.to_owned(), value)]))
}

fn write_float(value: f64) -> Json {
    match Number::from_f64(value) {
        Some(number) => Json::Number(number),
        None if value.is_nan() => "nan".into(),
        None if value > 0.0 => "inf".into(),
        None => "-inf".into(),
    }
}

/// Returns the f64 whose shortest text is that of `value`, so that 0.1 is not written as 0.10000000149011612.
fn widen(value: f32) -> f64 {
    match value.to_string().parse::<f64>() {
        Ok(wide) if wide as f32 == value => wide,
        _ => value.into(),
    }
}
