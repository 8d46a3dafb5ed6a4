//! WAVE, the Component Model's text notation for people, directed by a type.
//!
//! Parsing is the `wasm-wave` crate's; this module gives its tree meaning. One value has several spellings in WAVE,
//! so it is for test files, command lines and pages, never for hashing. Maps have no WAVE notation.

mod read;
mod write;

use wasm_wave::parser::ParserError;
use wasm_wave::untyped::{UntypedFuncCall, UntypedValue};

use read::Parsed;
use write::{separate, write};

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
