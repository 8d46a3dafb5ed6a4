//! Between our values and the engine's.

use glassbox_core::value::{Case, Type, Value};
use wasmtime::component::Val;

/// Says that the engine returned something else than the type promised.
#[derive(Debug, thiserror::Error)]
#[error("the component returned something else than a {0}")]
pub(crate) struct Unexpected(String);

/// Converts a value that was checked against `ty`.
pub(crate) fn to_engine(value: &Value, ty: &Type) -> Val {
    match (value, ty) {
        (Value::Bool(v), _) => Val::Bool(*v),
        (Value::S8(v), _) => Val::S8(*v),
        (Value::U8(v), _) => Val::U8(*v),
        (Value::S16(v), _) => Val::S16(*v),
        (Value::U16(v), _) => Val::U16(*v),
        (Value::S32(v), _) => Val::S32(*v),
        (Value::U32(v), _) => Val::U32(*v),
        (Value::S64(v), _) => Val::S64(*v),
        (Value::U64(v), _) => Val::U64(*v),
        (Value::F32(v), _) => Val::Float32(*v),
        (Value::F64(v), _) => Val::Float64(*v),
        (Value::Char(v), _) => Val::Char(*v),
        (Value::String(v), _) => Val::String(v.clone()),
        (Value::Bytes(v), Type::FixedList(..)) => {
            Val::FixedLengthList(v.iter().copied().map(Val::U8).collect())
        }
        (Value::Bytes(v), _) => Val::List(v.iter().copied().map(Val::U8).collect()),
        (Value::List(values), Type::FixedList(element, _)) => {
            Val::FixedLengthList(values.iter().map(|value| to_engine(value, element)).collect())
        }
        (Value::List(values), Type::List(element)) => {
            Val::List(values.iter().map(|value| to_engine(value, element)).collect())
        }
        (Value::Map(entries), Type::Map(key_ty, value_ty)) => {
            let entry = |(key, value): &(Value, Value)| (to_engine(key, key_ty), to_engine(value, value_ty));
            Val::Map(entries.iter().map(entry).collect())
        }
        (Value::Record(values), Type::Record(fields)) => {
            let entries = fields.iter().zip(values);
            Val::Record(
                entries.map(|(field, value)| (field.name.clone(), to_engine(value, &field.ty))).collect(),
            )
        }
        (Value::Tuple(values), Type::Tuple(types)) => {
            Val::Tuple(values.iter().zip(types).map(|(value, ty)| to_engine(value, ty)).collect())
        }
        (Value::Variant { case, payload }, Type::Variant(cases)) => {
            let Case { name, ty } = &cases[*case as usize];
            Val::Variant(name.clone(), payload_to_engine(payload.as_deref(), ty.as_ref()))
        }
        (Value::Enum(case), Type::Enum(names)) => Val::Enum(names[*case as usize].clone()),
        (Value::Option(value), Type::Option(some)) => {
            Val::Option(payload_to_engine(value.as_deref(), Some(some)))
        }
        (Value::Result(Ok(payload)), Type::Result { ok, .. }) => {
            Val::Result(Ok(payload_to_engine(payload.as_deref(), ok.as_deref())))
        }
        (Value::Result(Err(payload)), Type::Result { err, .. }) => {
            Val::Result(Err(payload_to_engine(payload.as_deref(), err.as_deref())))
        }
        (Value::Flags(flags), Type::Flags(names)) => {
            Val::Flags(flags.iter().map(|flag| names[*flag as usize].clone()).collect())
        }
        (value, ty) => unreachable!("{} was checked against {ty}", value.kind()),
    }
}

fn payload_to_engine(payload: Option<&Value>, ty: Option<&Type>) -> Option<Box<Val>> {
    match (payload, ty) {
        (Some(value), Some(ty)) => Some(Box::new(to_engine(value, ty))),
        _ => None,
    }
}

/// Converts what the engine returned for `ty`. Sizes are bounded already: the engine lifted it under a limit.
pub(crate) fn from_engine(val: Val, ty: &Type) -> Result<Value, Unexpected> {
    let unexpected = || Unexpected(ty.to_string());
    Ok(match (val, ty) {
        (Val::Bool(v), Type::Bool) => Value::Bool(v),
        (Val::S8(v), Type::S8) => Value::S8(v),
        (Val::U8(v), Type::U8) => Value::U8(v),
        (Val::S16(v), Type::S16) => Value::S16(v),
        (Val::U16(v), Type::U16) => Value::U16(v),
        (Val::S32(v), Type::S32) => Value::S32(v),
        (Val::U32(v), Type::U32) => Value::U32(v),
        (Val::S64(v), Type::S64) => Value::S64(v),
        (Val::U64(v), Type::U64) => Value::U64(v),
        (Val::Float32(v), Type::F32) => Value::F32(v),
        (Val::Float64(v), Type::F64) => Value::F64(v),
        (Val::Char(v), Type::Char) => Value::Char(v),
        (Val::String(v), Type::String) => Value::String(v),
        (Val::List(vals), Type::List(element))
        | (Val::FixedLengthList(vals), Type::FixedList(element, _)) => list_from_engine(vals, element)?,
        (Val::Map(entries), Type::Map(key_ty, value_ty)) => {
            let entry = |(key, value)| Ok((from_engine(key, key_ty)?, from_engine(value, value_ty)?));
            let entries = entries.into_iter().map(entry).collect::<Result<_, _>>()?;
            Value::map(key_ty, entries).map_err(|_| unexpected())?
        }
        (Val::Record(vals), Type::Record(fields)) if vals.len() == fields.len() => {
            let field = |((_, val), field): ((String, Val), &glassbox_core::value::Field)| {
                from_engine(val, &field.ty)
            };
            Value::Record(vals.into_iter().zip(fields).map(field).collect::<Result<_, _>>()?)
        }
        (Val::Tuple(vals), Type::Tuple(types)) if vals.len() == types.len() => {
            let member = |(val, ty)| from_engine(val, ty);
            Value::Tuple(vals.into_iter().zip(types).map(member).collect::<Result<_, _>>()?)
        }
        (Val::Variant(name, payload), Type::Variant(cases)) => {
            let case = cases.iter().position(|case| case.name == name).ok_or_else(unexpected)?;
            let payload = payload_from_engine(payload, cases[case].ty.as_ref())?;
            Value::Variant { case: case as u32, payload }
        }
        (Val::Enum(name), Type::Enum(names)) => Value::Enum(index_of(&name, names).ok_or_else(unexpected)?),
        (Val::Option(val), Type::Option(some)) => Value::Option(payload_from_engine(val, Some(some))?),
        (Val::Result(Ok(val)), Type::Result { ok, .. }) => {
            Value::Result(Ok(payload_from_engine(val, ok.as_deref())?))
        }
        (Val::Result(Err(val)), Type::Result { err, .. }) => {
            Value::Result(Err(payload_from_engine(val, err.as_deref())?))
        }
        (Val::Flags(set), Type::Flags(names)) => {
            let flags = set.iter().map(|name| index_of(name, names).ok_or_else(unexpected));
            let mut flags: Vec<_> = flags.collect::<Result<_, _>>()?;
            flags.sort_unstable();
            Value::Flags(flags)
        }
        _ => return Err(unexpected()),
    })
}

fn list_from_engine(vals: Vec<Val>, element: &Type) -> Result<Value, Unexpected> {
    if let Type::U8 = element {
        let byte = |val| match val {
            Val::U8(byte) => Ok(byte),
            _ => Err(Unexpected(element.to_string())),
        };
        return Ok(Value::Bytes(vals.into_iter().map(byte).collect::<Result<_, _>>()?));
    }
    Ok(Value::List(vals.into_iter().map(|val| from_engine(val, element)).collect::<Result<_, _>>()?))
}

fn payload_from_engine(val: Option<Box<Val>>, ty: Option<&Type>) -> Result<Option<Box<Value>>, Unexpected> {
    match (val, ty) {
        (Some(val), Some(ty)) => Ok(Some(Box::new(from_engine(*val, ty)?))),
        (None, _) => Ok(None),
        (Some(_), None) => Err(Unexpected("case without a payload".into())),
    }
}

fn index_of(name: &str, names: &[String]) -> Option<u32> {
    names.iter().position(|known| known == name).map(|index| index as u32)
}
