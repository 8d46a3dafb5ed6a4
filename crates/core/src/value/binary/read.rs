//! From bytes to values, refusing every encoding but the canonical one.

use super::{NAN32, NAN64};
use crate::value::error::Walk;
use crate::value::{Field, Type, Value, ValueError};

/// How many elements memory is reserved for before they were seen: the count in the bytes is only a claim.
const RESERVED_MAX: usize = 1024;

/// Bytes, and how far they are read.
pub(super) struct Reader<'b> {
    bytes: &'b [u8],
    offset: usize,
}

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Reads one value.
    pub(super) fn value<'a>(&mut self, ty: &'a Type, walk: &mut Walk<'a>) -> Result<Value, ValueError> {
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
                let read = |field: &'a Field| walk.name(&field.name, |walk| self.value(&field.ty, walk));
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

    /// Checks that nothing is left.
    pub(super) fn end(&self, walk: &Walk<'_>) -> Result<(), ValueError> {
        if self.remaining() == 0 { Ok(()) } else { Err(self.error("bytes behind the value", walk)) }
    }

    fn error(&self, reason: &'static str, walk: &Walk<'_>) -> ValueError {
        ValueError::Encoding { path: walk.path(), offset: self.offset, reason }
    }
}
