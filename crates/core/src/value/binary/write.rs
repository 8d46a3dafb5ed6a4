//! From values to bytes.

use super::{NAN32, NAN64};
use crate::value::{Type, Value};

/// Where an encoding goes.
pub(super) trait Sink {
    fn push(&mut self, byte: u8);
    fn extend(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn push(&mut self, byte: u8) {
        self.push(byte);
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts the bytes of an encoding and keeps none.
pub(super) struct Length(pub(super) usize);

impl Sink for Length {
    fn push(&mut self, _: u8) {
        self.0 += 1;
    }

    fn extend(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

/// Writes a value that was checked before.
pub(super) fn write(value: &Value, ty: &Type, out: &mut impl Sink) {
    match (value, ty) {
        (Value::Bool(v), _) => out.push(u8::from(*v)),
        (Value::S8(v), _) => out.extend(&v.to_le_bytes()),
        (Value::U8(v), _) => out.push(*v),
        (Value::S16(v), _) => write_signed(i64::from(*v), out),
        (Value::U16(v), _) => write_unsigned(u64::from(*v), out),
        (Value::S32(v), _) => write_signed(i64::from(*v), out),
        (Value::U32(v), _) => write_unsigned(u64::from(*v), out),
        (Value::S64(v), _) => write_signed(*v, out),
        (Value::U64(v), _) => write_unsigned(*v, out),
        (Value::F32(v), _) => out.extend(&if v.is_nan() { NAN32 } else { v.to_le_bytes() }),
        (Value::F64(v), _) => out.extend(&if v.is_nan() { NAN64 } else { v.to_le_bytes() }),
        (Value::Char(v), _) => out.extend(v.encode_utf8(&mut [0; 4]).as_bytes()),
        (Value::String(v), _) => {
            write_unsigned(v.len() as u64, out);
            out.extend(v.as_bytes());
        }
        (Value::Bytes(v), Type::List(_)) => {
            write_unsigned(v.len() as u64, out);
            out.extend(v);
        }
        (Value::Bytes(v), _) => out.extend(v),
        (Value::List(values), Type::List(element)) => {
            write_unsigned(values.len() as u64, out);
            values.iter().for_each(|value| write(value, element, out));
        }
        (Value::List(values), Type::FixedList(element, _)) => {
            values.iter().for_each(|value| write(value, element, out));
        }
        (Value::Map(entries), Type::Map(key_ty, value_ty)) => {
            write_unsigned(entries.len() as u64, out);
            for (key, value) in entries {
                write(key, key_ty, out);
                write(value, value_ty, out);
            }
        }
        (Value::Record(values), Type::Record(fields)) => {
            values.iter().zip(fields).for_each(|(value, field)| write(value, &field.ty, out));
        }
        (Value::Tuple(values), Type::Tuple(types)) => {
            values.iter().zip(types).for_each(|(value, ty)| write(value, ty, out));
        }
        (Value::Variant { case, payload }, Type::Variant(cases)) => {
            write_unsigned(u64::from(*case), out);
            write_payload(payload.as_deref(), cases[*case as usize].ty.as_ref(), out);
        }
        (Value::Enum(case), _) => write_unsigned(u64::from(*case), out),
        (Value::Option(value), Type::Option(some)) => {
            out.push(u8::from(value.is_some()));
            write_payload(value.as_deref(), Some(some), out);
        }
        (Value::Result(Ok(payload)), Type::Result { ok, .. }) => {
            out.push(0);
            write_payload(payload.as_deref(), ok.as_deref(), out);
        }
        (Value::Result(Err(payload)), Type::Result { err, .. }) => {
            out.push(1);
            write_payload(payload.as_deref(), err.as_deref(), out);
        }
        (Value::Flags(flags), Type::Flags(names)) => {
            let mut bits = vec![0; names.len().div_ceil(8)];
            for flag in flags {
                bits[*flag as usize / 8] |= 1 << (flag % 8);
            }
            out.extend(&bits);
        }
        (value, ty) => unreachable!("{} was checked against {ty}", value.kind()),
    }
}

fn write_payload(value: Option<&Value>, ty: Option<&Type>, out: &mut impl Sink) {
    if let (Some(value), Some(ty)) = (value, ty) {
        write(value, ty, out);
    }
}

fn write_unsigned(mut value: u64, out: &mut impl Sink) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn write_signed(mut value: i64, out: &mut impl Sink) {
    loop {
        let byte = value as u8 & 0x7f;
        value >>= 7;
        // The last byte is the one whose bit 6 already is the sign of the rest.
        if (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0) {
            out.push(byte);
            return;
        }
        out.push(byte | 0x80);
    }
}
