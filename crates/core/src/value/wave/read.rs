//! From the parsed tree to values.

use wasm_wave::ast::Node;
use wasm_wave::parser::ParserError;

use super::syntax;
use crate::value::error::Walk;
use crate::value::{Type, Value, ValueError};

/// A parsed text: nodes are spans in `source`, of which the first `shift` bytes are not the caller's.
pub(super) struct Parsed<'s> {
    pub(super) source: &'s str,
    pub(super) shift: usize,
}

impl<'s> Parsed<'s> {
    /// Reads a node as a value of `ty`.
    pub(super) fn read<'a>(
        &self,
        node: &Node,
        ty: &'a Type,
        walk: &mut Walk<'a>,
    ) -> Result<Value, ValueError> {
        walk.node()?;
        let source = self.source;
        // One rule for every kind: what the tree cannot give is a mismatch with the type, told with its text.
        macro_rules! take {
            ($taken:expr) => {
                $taken.map_err(|_| walk.mismatch(ty, self.text(node)))?
            };
        }
        Ok(match ty {
            Type::Bool => Value::Bool(take!(node.as_bool())),
            Type::S8 => Value::S8(take!(node.as_number(source))),
            Type::U8 => Value::U8(take!(node.as_number(source))),
            Type::S16 => Value::S16(take!(node.as_number(source))),
            Type::U16 => Value::U16(take!(node.as_number(source))),
            Type::S32 => Value::S32(take!(node.as_number(source))),
            Type::U32 => Value::U32(take!(node.as_number(source))),
            Type::S64 => Value::S64(take!(node.as_number(source))),
            Type::U64 => Value::U64(take!(node.as_number(source))),
            Type::F32 => Value::F32(take!(node.as_number(source))),
            Type::F64 => Value::F64(take!(node.as_number(source))),
            Type::Char => Value::Char(take!(node.as_char(source))),
            Type::String => match node.as_str(source) {
                Ok(text) => Value::String(text.into_owned()),
                // A bad escape inside a string is the text's fault, not the type's: pass the parser's words on.
                Err(error) if self.text(node).starts_with('"') => return Err(syntax(&error, self.shift)),
                Err(_) => return Err(walk.mismatch(ty, self.text(node))),
            },
            Type::List(element) => self.list(take!(node.as_list()), element, walk)?,
            Type::FixedList(element, len) => {
                let nodes = take!(node.as_list());
                if nodes.len() != *len as usize {
                    return Err(walk.mismatch(ty, format!("{} elements", nodes.len())));
                }
                self.list(nodes, element, walk)?
            }
            Type::Map(..) => return Err(ValueError::NoWave { path: walk.path(), what: "map" }),
            Type::Record(fields) => {
                // `{}` is how WAVE writes no flags; a record of options alone may come out that way too.
                let given: Vec<_> = take!(node.as_record(source)).collect();
                for (name, _) in &given {
                    if !fields.iter().any(|field| field.name == *name) {
                        return Err(walk.unknown(name, fields.iter().map(|field| field.name.as_str())));
                    }
                }
                let values = fields.iter().map(|field| {
                    match (given.iter().find(|(name, _)| *name == field.name), &field.ty) {
                        (Some((_, node)), ty) => walk.name(&field.name, |walk| self.read(node, ty, walk)),
                        (None, Type::Option(_)) => Ok(Value::Option(None)),
                        (None, ty) => Err(walk.missing(&field.name, ty)),
                    }
                });
                Value::Record(values.collect::<Result<_, _>>()?)
            }
            Type::Tuple(types) => {
                let nodes = take!(node.as_tuple());
                if nodes.len() != types.len() {
                    return Err(walk.mismatch(ty, format!("{} members", nodes.len())));
                }
                let read = |(index, (node, ty))| walk.index(index, |walk| self.read(node, ty, walk));
                Value::Tuple(nodes.zip(types).enumerate().map(read).collect::<Result<_, _>>()?)
            }
            Type::Variant(cases) => {
                let (name, payload) = take!(self.tag(node));
                let Some(index) = cases.iter().position(|case| case.name == name) else {
                    return Err(walk.unknown(name, cases.iter().map(|case| case.name.as_str())));
                };
                let case = &cases[index];
                let payload = self.payload(payload, &case.name, case.ty.as_ref(), ty, walk)?;
                Value::Variant { case: index as u32, payload }
            }
            Type::Enum(names) => {
                let (name, payload) = take!(self.tag(node));
                match names.iter().position(|known| known == name) {
                    Some(index) if payload.is_none() => Value::Enum(index as u32),
                    Some(_) => return Err(walk.mismatch(ty, self.text(node))),
                    None => return Err(walk.unknown(name, names.iter().map(String::as_str))),
                }
            }
            Type::Option(some) => match take!(node.as_option()) {
                Some(node) => {
                    let value = walk.name("some", |walk| self.read(node, some, walk))?;
                    Value::Option(Some(Box::new(value)))
                }
                None => Value::Option(None),
            },
            Type::Result { ok, err } => Value::Result(match take!(node.as_result()) {
                Ok(payload) => Ok(self.payload(payload, "ok", ok.as_deref(), ty, walk)?),
                Err(payload) => Err(self.payload(payload, "err", err.as_deref(), ty, walk)?),
            }),
            Type::Flags(names) => {
                let mut flags = Vec::new();
                for name in take!(node.as_flags(source)) {
                    let name = name.strip_prefix('%').unwrap_or(name);
                    match names.iter().position(|known| known == name) {
                        Some(flag) => flags.push(flag as u32),
                        None => return Err(walk.unknown(name, names.iter().map(String::as_str))),
                    }
                }
                flags.sort_unstable();
                Value::Flags(flags)
            }
        })
    }

    fn list<'a, 'n>(
        &self,
        nodes: impl ExactSizeIterator<Item = &'n Node>,
        element: &'a Type,
        walk: &mut Walk<'a>,
    ) -> Result<Value, ValueError> {
        let read = |(index, node): (usize, &Node)| walk.index(index, |walk| self.read(node, element, walk));
        let values: Vec<_> = nodes.enumerate().map(read).collect::<Result<_, _>>()?;
        if !element.is_byte() {
            return Ok(Value::List(values));
        }
        let bytes = values.into_iter().map(|value| match value {
            Value::U8(byte) => byte,
            other => unreachable!("{} was read as a u8", other.kind()),
        });
        Ok(Value::Bytes(bytes.collect()))
    }

    /// Returns the case that a node names, and what it carries. A case that is spelled like a keyword may be written
    /// without `%` where the type leaves no doubt.
    fn tag<'n>(&self, node: &'n Node) -> Result<(&'s str, Option<&'n Node>), ParserError> {
        node.as_variant(self.source)
    }

    fn payload<'a>(
        &self,
        node: Option<&Node>,
        name: &'a str,
        carries: Option<&'a Type>,
        ty: &Type,
        walk: &mut Walk<'a>,
    ) -> Result<Option<Box<Value>>, ValueError> {
        match (node, carries) {
            (Some(node), Some(ty)) => {
                walk.name(name, |walk| self.read(node, ty, walk)).map(|value| Some(Box::new(value)))
            }
            (None, None) => Ok(None),
            (None, Some(ty)) => Err(walk.missing(name, ty)),
            (Some(_), None) => Err(walk.mismatch(ty, format!("`{name}` with a payload"))),
        }
    }

    fn text(&self, node: &Node) -> &'s str {
        &self.source[node.span()]
    }
}
