//! From values to WAVE.

use std::fmt::Write as _;

use wasm_wave::lex::Keyword;

use crate::value::error::Walk;
use crate::value::{Field, Type, Value, ValueError};

/// Writes a value that was checked before.
pub(super) fn write<'a>(
    value: &Value,
    ty: &'a Type,
    walk: &mut Walk<'a>,
    out: &mut String,
) -> Result<(), ValueError> {
    match (value, ty) {
        (Value::Bool(v), _) => out.push_str(if *v { "true" } else { "false" }),
        (Value::S8(v), _) => display(v, out),
        (Value::U8(v), _) => display(v, out),
        (Value::S16(v), _) => display(v, out),
        (Value::U16(v), _) => display(v, out),
        (Value::S32(v), _) => display(v, out),
        (Value::U32(v), _) => display(v, out),
        (Value::S64(v), _) => display(v, out),
        (Value::U64(v), _) => display(v, out),
        (Value::F32(v), _) if v.is_nan() => out.push_str("nan"),
        (Value::F64(v), _) if v.is_nan() => out.push_str("nan"),
        (Value::F32(v), _) => display(v, out),
        (Value::F64(v), _) => display(v, out),
        (Value::Char(v), _) => {
            out.push('\'');
            write_char(*v, out);
            out.push('\'');
        }
        (Value::String(v), _) => {
            out.push('"');
            v.chars().for_each(|char| write_char(char, out));
            out.push('"');
        }
        (Value::Bytes(bytes), _) => {
            out.push('[');
            for (index, byte) in bytes.iter().enumerate() {
                separate(index, out);
                display(byte, out);
            }
            out.push(']');
        }
        (Value::List(values), Type::List(element) | Type::FixedList(element, _)) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                separate(index, out);
                walk.index(index, |walk| write(value, element, walk, out))?;
            }
            out.push(']');
        }
        (Value::Map(_), _) => return Err(ValueError::NoWave { path: walk.path(), what: "map" }),
        (Value::Record(values), Type::Record(fields)) => write_record(values, fields, walk, out)?,
        (Value::Tuple(values), Type::Tuple(types)) => {
            out.push('(');
            for (index, (value, ty)) in values.iter().zip(types).enumerate() {
                separate(index, out);
                walk.index(index, |walk| write(value, ty, walk, out))?;
            }
            out.push(')');
        }
        (Value::Variant { case, payload }, Type::Variant(cases)) => {
            let case = &cases[*case as usize];
            write_label(&case.name, out);
            write_payload(payload.as_deref(), &case.name, case.ty.as_ref(), walk, out)?;
        }
        (Value::Enum(case), Type::Enum(names)) => write_label(&names[*case as usize], out),
        (Value::Option(None), _) => out.push_str("none"),
        (Value::Option(Some(value)), Type::Option(some)) => {
            out.push_str("some");
            write_payload(Some(value), "some", Some(some), walk, out)?;
        }
        (Value::Result(Ok(payload)), Type::Result { ok, .. }) => {
            out.push_str("ok");
            write_payload(payload.as_deref(), "ok", ok.as_deref(), walk, out)?;
        }
        (Value::Result(Err(payload)), Type::Result { err, .. }) => {
            out.push_str("err");
            write_payload(payload.as_deref(), "err", err.as_deref(), walk, out)?;
        }
        (Value::Flags(flags), Type::Flags(names)) => {
            out.push('{');
            for (index, flag) in flags.iter().enumerate() {
                separate(index, out);
                write_label(&names[*flag as usize], out);
            }
            out.push('}');
        }
        (value, ty) => unreachable!("{} was checked against {ty}", value.kind()),
    }
    Ok(())
}

/// Writes a record, leaving out what is `none`; `{:}` when nothing is left, as `{}` would be flags.
fn write_record<'a>(
    values: &[Value],
    fields: &'a [Field],
    walk: &mut Walk<'a>,
    out: &mut String,
) -> Result<(), ValueError> {
    out.push('{');
    let present = fields.iter().zip(values).filter(|(_, value)| **value != Value::Option(None));
    let mut written = 0;
    for (field, value) in present {
        separate(written, out);
        write_label(&field.name, out);
        out.push_str(": ");
        walk.name(&field.name, |walk| write(value, &field.ty, walk, out))?;
        written += 1;
    }
    out.push_str(if written == 0 { ":}" } else { "}" });
    Ok(())
}

fn write_payload<'a>(
    value: Option<&Value>,
    name: &'a str,
    ty: Option<&'a Type>,
    walk: &mut Walk<'a>,
    out: &mut String,
) -> Result<(), ValueError> {
    if let (Some(value), Some(ty)) = (value, ty) {
        out.push('(');
        walk.name(name, |walk| write(value, ty, walk, out))?;
        out.push(')');
    }
    Ok(())
}

/// Writes a name, with a `%` in front where it is spelled like a keyword.
fn write_label(name: &str, out: &mut String) {
    if Keyword::decode(name).is_some() {
        out.push('%');
    }
    out.push_str(name);
}

fn write_char(char: char, out: &mut String) {
    match char {
        '\\' | '"' | '\'' | '\t' | '\r' | '\n' => out.extend(char.escape_default()),
        // `escape_debug` knows `\0`, which WAVE does not.
        _ if char.is_control() => out.extend(char.escape_unicode()),
        // Invisible characters and those that reorder a line must not hide in a test file.
        _ => out.extend(char.escape_debug()),
    }
}

fn display(value: impl std::fmt::Display, out: &mut String) {
    write!(out, "{value}").expect("writing to a string cannot fail");
}

/// Writes what stands between two items.
pub(super) fn separate(index: usize, out: &mut String) {
    if index > 0 {
        out.push_str(", ");
    }
}
