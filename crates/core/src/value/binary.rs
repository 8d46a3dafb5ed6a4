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
    let mut reader = Reader { bytes, offset: 0 };
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

/// Decodes what [`encode_args`] wrote.
pub fn decode_args(ty: &FunctionType, bytes: &[u8]) -> Result<Vec<Value>, ValueError> {
    let mut reader = Reader { bytes, offset: 0 };
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

/// Decodes what [`encode_result`] wrote.
pub fn decode_result(ty: &FunctionType, bytes: &[u8]) -> Result<Option<Value>, ValueError> {
    match &ty.result {
        Some(ty) => decode(bytes, ty).map(Some),
        None => Reader { bytes, offset: 0 }.end(&Walk::new("result")).map(|()| None),
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

/// Writes a value that was checked before.
fn write(value: &Value, ty: &Type, out: &mut Vec<u8>) {
    match (value, ty) {
        (Value::Bool(v), _) => out.push(u8::from(*v)),
        (Value::S8(v), _) => out.extend(v.to_le_bytes()),
        (Value::U8(v), _) => out.push(*v),
        (Value::S16(v), _) => write_signed(i64::from(*v), out),
        (Value::U16(v), _) => write_unsigned(u64::from(*v), out),
        (Value::S32(v), _) => write_signed(i64::from(*v), out),
        (Value::U32(v), _) => write_unsigned(u64::from(*v), out),
        (Value::S64(v), _) => write_signed(*v, out),
        (Value::U64(v), _) => write_unsigned(*v, out),
        (Value::F32(v), _) => out.extend(if v.is_nan() { NAN32 } else { v.to_le_bytes() }),
        (Value::F64(v), _) => out.extend(if v.is_nan() { NAN64 } else { v.to_le_bytes() }),
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
            let start = out.len();
            out.resize(start + names.len().div_ceil(8), 0);
            for flag in flags {
                out[start + *flag as usize / 8] |= 1 << (flag % 8);
            }
        }
        (value, ty) => unreachable!("{} was checked against {ty}", value.kind()),
    }
}

fn write_payload(value: Option<&Value>, ty: Option<&Type>, out: &mut Vec<u8>) {
    if let (Some(value), Some(ty)) = (value, ty) {
        write(value, ty, out);
    }
}

const NAN32: [u8; 4] = 0x7fc0_0000_u32.to_le_bytes();
const NAN64: [u8; 8] = 0x7ff8_0000_0000_0000_u64.to_le_bytes();

fn write_unsigned(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn write_signed(mut value: i64, out: &mut Vec<u8>) {
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

/// How many elements memory is reserved for before they were seen: the count in the bytes is only a claim.
const RESERVED_MAX: usize = 1024;

struct Reader<'b> {
    bytes: &'b [u8],
    offset: usize,
}

impl<'b> Reader<'b> {
    fn value<'a>(&mut self, ty: &'a Type, walk: &mut Walk<'a>) -> Result<Value, ValueError> {
        walk.node()?;
        Ok(match ty {
            Type::Bool => Value::Bool(self.bit(walk)?),
            Type::S8 => Value::S8(i8::from_le_bytes(self.array(walk)?)),
            Type::U8 => Value::U8(self.byte(walk)?),
            Type::S16 => Value::S16(self.signed(16, walk)? as i16),
            Type::U16 => Value::U16(self.unsigned(16, walk)? as u16),
            Type::S32 => Value::S32(self.signed(32, walk)? as i32),
            Type::U32 => Value::U32(self.unsigned(32, walk)? as u32),
            Type::S64 => Value::S64(self.signed(64, walk)?),
            Type::U64 => Value::U64(self.unsigned(64, walk)?),
            Type::F32 => {
                let bytes = self.array(walk)?;
                let value = f32::from_le_bytes(bytes);
                if value.is_nan() && bytes != NAN32 {
                    return Err(self.error("a NaN other than the canonical one", walk));
                }
                Value::F32(value)
            }
            Type::F64 => {
                let bytes = self.array(walk)?;
                let value = f64::from_le_bytes(bytes);
                if value.is_nan() && bytes != NAN64 {
                    return Err(self.error("a NaN other than the canonical one", walk));
                }
                Value::F64(value)
            }
            Type::Char => Value::Char(self.char(walk)?),
            Type::String => {
                let len = self.count(walk)?;
                let text = std::str::from_utf8(self.take(len, walk)?);
                Value::String(text.map_err(|_| self.error("text that is not UTF-8", walk))?.to_owned())
            }
            Type::List(element) => {
                let len = self.count(walk)?;
                self.list(element, len, walk)?
            }
            Type::FixedList(element, len) => self.list(element, *len as usize, walk)?,
            Type::Map(key_ty, value_ty) => self.map(key_ty, value_ty, walk)?,
            Type::Record(fields) => {
                let read =
                    |field: &'a super::Field| walk.name(&field.name, |walk| self.value(&field.ty, walk));
                Value::Record(fields.iter().map(read).collect::<Result<_, _>>()?)
            }
            Type::Tuple(types) => {
                let read = |(index, ty): (usize, &'a Type)| walk.index(index, |walk| self.value(ty, walk));
                Value::Tuple(types.iter().enumerate().map(read).collect::<Result<_, _>>()?)
            }
            Type::Variant(cases) => {
                let index = self.unsigned(32, walk)? as u32;
                let Some(case) = cases.get(index as usize) else {
                    return Err(self.error("a case that the type does not have", walk));
                };
                Value::Variant { case: index, payload: self.payload(&case.name, case.ty.as_ref(), walk)? }
            }
            Type::Enum(names) => {
                let index = self.unsigned(32, walk)? as u32;
                if index as usize >= names.len() {
                    return Err(self.error("a case that the type does not have", walk));
                }
                Value::Enum(index)
            }
            Type::Option(some) => match self.bit(walk)? {
                false => Value::Option(None),
                true => Value::Option(self.payload("some", Some(some), walk)?),
            },
            Type::Result { ok, err } => Value::Result(match self.bit(walk)? {
                false => Ok(self.payload("ok", ok.as_deref(), walk)?),
                true => Err(self.payload("err", err.as_deref(), walk)?),
            }),
            Type::Flags(names) => {
                let bytes = self.take(names.len().div_ceil(8), walk)?;
                let is_set = |flag: usize| bytes[flag / 8] & (1 << (flag % 8)) != 0;
                if (names.len()..bytes.len() * 8).any(is_set) {
                    return Err(self.error("a flag that the type does not have", walk));
                }
                Value::Flags((0..names.len()).filter(|flag| is_set(*flag)).map(|flag| flag as u32).collect())
            }
        })
    }

    fn list<'a>(&mut self, element: &'a Type, len: usize, walk: &mut Walk<'a>) -> Result<Value, ValueError> {
        if element.is_byte() {
            return Ok(Value::Bytes(self.take(len, walk)?.to_vec()));
        }
        let mut values = Vec::with_capacity(len.min(RESERVED_MAX));
        for index in 0..len {
            values.push(walk.index(index, |walk| self.value(element, walk))?);
        }
        Ok(Value::List(values))
    }

    fn map<'a>(
        &mut self,
        key_ty: &'a Type,
        value_ty: &'a Type,
        walk: &mut Walk<'a>,
    ) -> Result<Value, ValueError> {
        let len = self.count(walk)?;
        let bytes = self.bytes;
        let mut entries = Vec::with_capacity(len.min(RESERVED_MAX));
        let mut previous: Option<&[u8]> = None;
        for index in 0..len {
            entries.push(walk.index(index, |walk| {
                let start = self.offset;
                let key = self.value(key_ty, walk)?;
                let encoded = &bytes[start..self.offset];
                if previous.is_some_and(|previous| previous >= encoded) {
                    return Err(self.error("map keys that do not ascend", walk));
                }
                previous = Some(encoded);
                Ok((key, self.value(value_ty, walk)?))
            })?);
        }
        Ok(Value::Map(entries))
    }

    fn payload<'a>(
        &mut self,
        name: &'a str,
        ty: Option<&'a Type>,
        walk: &mut Walk<'a>,
    ) -> Result<Option<Box<Value>>, ValueError> {
        ty.map(|ty| walk.name(name, |walk| self.value(ty, walk)).map(Box::new)).transpose()
    }

    fn char(&mut self, walk: &Walk<'_>) -> Result<char, ValueError> {
        let len = match self.bytes.get(self.offset) {
            Some(0xf0..) => 4,
            Some(0xe0..) => 3,
            Some(0xc0..) => 2,
            _ => 1,
        };
        let text = std::str::from_utf8(self.take(len, walk)?);
        let char = text.ok().and_then(|text| text.chars().next());
        char.ok_or_else(|| self.error("a character that is not UTF-8", walk))
    }

    fn bit(&mut self, walk: &Walk<'_>) -> Result<bool, ValueError> {
        match self.byte(walk)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.error("a byte other than 00 and 01", walk)),
        }
    }

    fn count(&mut self, walk: &Walk<'_>) -> Result<usize, ValueError> {
        self.unsigned(32, walk).map(|count| count as usize)
    }

    fn unsigned(&mut self, bits: u32, walk: &Walk<'_>) -> Result<u64, ValueError> {
        let mut value: u128 = 0;
        for shift in (0..bits).step_by(7) {
            let byte = self.byte(walk)?;
            value |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(self.error("a number longer than it need be", walk));
                }
                if value >> bits != 0 {
                    return Err(self.error("a number out of range", walk));
                }
                return Ok(value as u64);
            }
        }
        Err(self.error("a number out of range", walk))
    }

    fn signed(&mut self, bits: u32, walk: &Walk<'_>) -> Result<i64, ValueError> {
        let mut value: i128 = 0;
        let mut previous = 0;
        for shift in (0..bits).step_by(7) {
            let byte = self.byte(walk)?;
            value |= i128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                // A last byte of only sign bits says nothing that bit 6 of the byte before did not say.
                if shift > 0 && (byte == 0 && previous & 0x40 == 0 || byte == 0x7f && previous & 0x40 != 0) {
                    return Err(self.error("a number longer than it need be", walk));
                }
                if byte & 0x40 != 0 {
                    value -= 1 << (shift + 7);
                }
                let limit = 1_i128 << (bits - 1);
                if !(-limit..limit).contains(&value) {
                    return Err(self.error("a number out of range", walk));
                }
                return Ok(value as i64);
            }
            previous = byte;
        }
        Err(self.error("a number out of range", walk))
    }

    fn byte(&mut self, walk: &Walk<'_>) -> Result<u8, ValueError> {
        self.array::<1>(walk).map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self, walk: &Walk<'_>) -> Result<[u8; N], ValueError> {
        self.take(N, walk).map(|bytes| bytes.try_into().expect("`take` returns as many bytes as asked"))
    }

    fn take(&mut self, len: usize, walk: &Walk<'_>) -> Result<&'b [u8], ValueError> {
        let Some(bytes) = self.bytes[self.offset..].get(..len) else {
            return Err(self.error("the end comes too early", walk));
        };
        self.offset += len;
        Ok(bytes)
    }

    fn remaining(&self) -> usize {
        self.bytes.len() - self.offset
    }

    fn end(&self, walk: &Walk<'_>) -> Result<(), ValueError> {
        if self.remaining() == 0 { Ok(()) } else { Err(self.error("bytes behind the value", walk)) }
    }

    fn error(&self, reason: &'static str, walk: &Walk<'_>) -> ValueError {
        ValueError::Encoding { path: walk.path(), offset: self.offset, reason }
    }
}
