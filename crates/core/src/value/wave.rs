//! WAVE, the Component Model's text notation for people, directed by a type.
//!
//! Parsing is the `wasm-wave` crate's; this module gives its tree meaning. One value has several spellings in WAVE,
//! so it is for test files, command lines and pages, never for hashing. Maps have no WAVE notation.

use std::fmt::Write as _;

use wasm_wave::ast::Node;
use wasm_wave::lex::Keyword;
use wasm_wave::parser::ParserError;
use wasm_wave::untyped::{UntypedFuncCall, UntypedValue};

use super::error::Walk;
use super::{FunctionType, Type, Value, ValueError, binary};
use crate::FunctionName;

/// Reads `text` as a value of `ty`.
pub fn from_wave(text: &str, ty: &Type) -> Result<Value, ValueError> {
    let parsed = UntypedValue::parse(text).map_err(|error| syntax(&error, 0))?;
    Parsed { source: text, shift: 0 }.read(parsed.node(), ty, &mut Walk::new("value"))
}

/// Writes `value`, which must be a value of `ty`, as WAVE.
pub fn to_wave(value: &Value, ty: &Type) -> Result<String, ValueError> {
    value.check(ty)?;
    let mut out = String::new();
    write(value, ty, &mut Walk::new("value"), &mut out)?;
    Ok(out)
}

/// Splits a call such as `convert.to-html("# Hi", github)` into the name of the function and its arguments with
/// their parentheses. The name may be `function`, `interface.function` or `ns:pkg/interface@1.0.0#function`.
///
/// Neither part is checked further: see [`FunctionName::matches`] and [`args_from_wave`].
pub fn call_from_wave(text: &str) -> Result<(String, String), ValueError> {
    let text = text.trim();
    let refused = |offset, reason: &str| ValueError::Wave { offset, reason: reason.into() };
    let open = text.find('(').ok_or_else(|| refused(text.len(), "a call needs arguments in parentheses"))?;
    let name = text[..open].trim_end();
    if name.is_empty() {
        return Err(refused(0, "a call starts with the name of a function"));
    }
    if let Some(offset) = name.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.:/@#+%".contains(c))) {
        return Err(refused(offset, "a character that no function name has"));
    }
    if !text.ends_with(')') {
        return Err(refused(text.len(), "a call ends with a closing parenthesis"));
    }
    Ok((name.to_owned(), text[open..].to_owned()))
}

/// Reads the arguments of a call, `(1, "two")`. Options at the end may be left out.
pub fn args_from_wave(ty: &FunctionType, text: &str) -> Result<Vec<Value>, ValueError> {
    // The crate parses arguments only behind a name, so they get one, and offsets are shifted back.
    const NAME: &str = "f";
    let source = format!("{NAME}{}", text.trim());
    let call = UntypedFuncCall::parse(&source).map_err(|error| syntax(&error, NAME.len()))?;
    let parsed = Parsed { source: &source, shift: NAME.len() };
    let nodes: Vec<_> = match call.params_node() {
        Some(node) => node.as_tuple().map_err(|error| syntax(&error, NAME.len()))?.collect(),
        None => Vec::new(),
    };
    let mut walk = Walk::new("args");
    if nodes.len() > ty.params.len() {
        return Err(walk.mismatch_with(format!("{} arguments", ty.params.len()), nodes.len()));
    }
    let args = ty.params.iter().enumerate().map(|(index, param)| match (nodes.get(index), &param.ty) {
        (Some(node), ty) => walk.name(&param.name, |walk| parsed.read(node, ty, walk)),
        (None, Type::Option(_)) => Ok(Value::Option(None)),
        (None, ty) => Err(walk.missing(&param.name, ty)),
    });
    args.collect()
}

/// Writes the arguments of a call with their parentheses.
pub fn args_to_wave(ty: &FunctionType, args: &[Value]) -> Result<String, ValueError> {
    binary::check_args(ty, args)?;
    let mut walk = Walk::new("args");
    let mut out = String::from("(");
    for (index, (value, param)) in args.iter().zip(&ty.params).enumerate() {
        separate(index, &mut out);
        walk.name(&param.name, |walk| write(value, &param.ty, walk, &mut out))?;
    }
    out.push(')');
    Ok(out)
}

/// Writes a whole call, with the short name of its function: `convert.to-html("# Hi", github)`.
pub fn call_to_wave(name: &FunctionName, ty: &FunctionType, args: &[Value]) -> Result<String, ValueError> {
    Ok(format!("{}{}", name.short(), args_to_wave(ty, args)?))
}

fn syntax(error: &ParserError, shift: usize) -> ValueError {
    let offset = error.span().start.saturating_sub(shift);
    let kind = error.kind();
    let reason = match error.detail() {
        Some(detail) => format!("{kind}: {detail}"),
        None => kind.to_string(),
    };
    ValueError::Wave { offset, reason }
}

/// A parsed text: nodes are spans in `source`, of which the first `shift` bytes are not the caller's.
struct Parsed<'s> {
    source: &'s str,
    shift: usize,
}

impl<'s> Parsed<'s> {
    fn read<'a>(&self, node: &Node, ty: &'a Type, walk: &mut Walk<'a>) -> Result<Value, ValueError> {
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

/// Writes a value that was checked before.
fn write<'a>(value: &Value, ty: &'a Type, walk: &mut Walk<'a>, out: &mut String) -> Result<(), ValueError> {
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
    fields: &'a [super::Field],
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

fn separate(index: usize, out: &mut String) {
    if index > 0 {
        out.push_str(", ");
    }
}
