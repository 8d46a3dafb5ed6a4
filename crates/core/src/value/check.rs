//! Tells whether a value belongs to a type.

use super::error::Walk;
use super::{Type, Value, ValueError, binary};

pub(super) fn check(value: &Value, ty: &Type) -> Result<(), ValueError> {
    visit(value, ty, &mut Walk::new("value"))
}

fn visit<'a>(value: &'a Value, ty: &'a Type, walk: &mut Walk<'a>) -> Result<(), ValueError> {
    walk.node()?;
    match (value, ty) {
        (Value::Bool(_), Type::Bool)
        | (Value::S8(_), Type::S8)
        | (Value::U8(_), Type::U8)
        | (Value::S16(_), Type::S16)
        | (Value::U16(_), Type::U16)
        | (Value::S32(_), Type::S32)
        | (Value::U32(_), Type::U32)
        | (Value::S64(_), Type::S64)
        | (Value::U64(_), Type::U64)
        | (Value::F32(_), Type::F32)
        | (Value::F64(_), Type::F64)
        | (Value::Char(_), Type::Char)
        | (Value::String(_), Type::String) => Ok(()),
        (Value::Bytes(_), Type::List(element)) if element.is_byte() => Ok(()),
        (Value::Bytes(bytes), Type::FixedList(element, len)) if element.is_byte() => {
            length(bytes.len(), *len as usize, ty, walk)
        }
        (Value::List(values), Type::List(element)) if !element.is_byte() => elements(values, element, walk),
        (Value::List(values), Type::FixedList(element, len)) if !element.is_byte() => {
            length(values.len(), *len as usize, ty, walk)?;
            elements(values, element, walk)
        }
        (Value::Map(entries), Type::Map(key_ty, value_ty)) => {
            for (index, (key, value)) in entries.iter().enumerate() {
                walk.index(index, |walk| {
                    visit(key, key_ty, walk)?;
                    visit(value, value_ty, walk)
                })?;
            }
            if binary::entries_are_sorted(key_ty, entries)? {
                Ok(())
            } else {
                Err(walk.mismatch_with("a map in the order of its encoded keys, each once", "another order"))
            }
        }
        (Value::Record(values), Type::Record(fields)) => {
            length(values.len(), fields.len(), ty, walk)?;
            for (value, field) in values.iter().zip(fields) {
                walk.name(&field.name, |walk| visit(value, &field.ty, walk))?;
            }
            Ok(())
        }
        (Value::Tuple(values), Type::Tuple(types)) => {
            length(values.len(), types.len(), ty, walk)?;
            for (index, (value, ty)) in values.iter().zip(types).enumerate() {
                walk.index(index, |walk| visit(value, ty, walk))?;
            }
            Ok(())
        }
        (Value::Variant { case, payload }, Type::Variant(cases)) => {
            let Some(case) = cases.get(*case as usize) else {
                return Err(walk.mismatch(ty, format!("case {case}")));
            };
            carried(payload.as_deref(), case.ty.as_ref(), ty, &case.name, walk)
        }
        (Value::Enum(case), Type::Enum(names)) => in_range(*case, names.len())
            .then_some(())
            .ok_or_else(|| walk.mismatch(ty, format!("case {case}"))),
        (Value::Option(None), Type::Option(_)) => Ok(()),
        (Value::Option(Some(value)), Type::Option(some)) => {
            walk.name("some", |walk| visit(value, some, walk))
        }
        (Value::Result(Ok(payload)), Type::Result { ok, .. }) => {
            carried(payload.as_deref(), ok.as_deref(), ty, "ok", walk)
        }
        (Value::Result(Err(payload)), Type::Result { err, .. }) => {
            carried(payload.as_deref(), err.as_deref(), ty, "err", walk)
        }
        (Value::Flags(flags), Type::Flags(names)) => {
            let ascending = flags.windows(2).all(|pair| pair[0] < pair[1]);
            if ascending && flags.last().is_none_or(|flag| in_range(*flag, names.len())) {
                Ok(())
            } else {
                Err(walk.mismatch(ty, format!("flags {flags:?}")))
            }
        }
        _ => Err(walk.mismatch(ty, value.kind())),
    }
}

fn in_range(index: u32, len: usize) -> bool {
    (index as usize) < len
}

fn length(found: usize, expected: usize, ty: &Type, walk: &Walk<'_>) -> Result<(), ValueError> {
    if found == expected { Ok(()) } else { Err(walk.mismatch(ty, format!("{found} values"))) }
}

fn elements<'a>(values: &'a [Value], ty: &'a Type, walk: &mut Walk<'a>) -> Result<(), ValueError> {
    for (index, value) in values.iter().enumerate() {
        walk.index(index, |walk| visit(value, ty, walk))?;
    }
    Ok(())
}

fn carried<'a>(
    payload: Option<&'a Value>,
    carries: Option<&'a Type>,
    ty: &Type,
    name: &'a str,
    walk: &mut Walk<'a>,
) -> Result<(), ValueError> {
    match (payload, carries) {
        (Some(value), Some(ty)) => walk.name(name, |walk| visit(value, ty, walk)),
        (None, None) => Ok(()),
        (Some(_), None) => Err(walk.mismatch(ty, format!("`{name}` with a payload"))),
        (None, Some(_)) => Err(walk.mismatch(ty, format!("`{name}` without its payload"))),
    }
}
