//! JSON Schema (draft 2020-12) of what [`json`](super::json) reads and writes.
//!
//! Schemas are written in the strict style that function-calling models want: every object closed, every field
//! listed. Only the forms that are written are described, not every other spelling that is read.

use serde_json::{Map, Value as Json, json};

use super::{FunctionType, Type};

/// The dialect that the schemas are written in.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Returns the schema of the object of arguments by name that a function takes. `docs` becomes its description.
pub fn of_args(ty: &FunctionType, docs: &str) -> Json {
    let params = ty.params.iter().map(|param| (param.name.as_str(), &param.ty));
    document(object(params), docs)
}

/// Returns the schema of what a function returns, `null` for nothing. `docs` becomes its description.
pub fn of_result(ty: &FunctionType, docs: &str) -> Json {
    document(ty.result.as_ref().map_or_else(|| json!({ "type": "null" }), of_type), docs)
}

/// Returns the schema of the values of `ty`, without the line that names the dialect.
pub fn of_type(ty: &Type) -> Json {
    match ty {
        Type::Bool => json!({ "type": "boolean" }),
        Type::S8 => integer(i8::MIN.into(), i8::MAX.into()),
        Type::U8 => integer(0, u8::MAX.into()),
        Type::S16 => integer(i16::MIN.into(), i16::MAX.into()),
        Type::U16 => integer(0, u16::MAX.into()),
        Type::S32 => integer(i32::MIN.into(), i32::MAX.into()),
        Type::U32 => integer(0, u32::MAX.into()),
        Type::S64 => wide_integer("^(0|-?[1-9][0-9]{0,18})$"),
        Type::U64 => wide_integer("^(0|[1-9][0-9]{0,19})$"),
        Type::F32 | Type::F64 => {
            json!({ "anyOf": [{ "type": "number" }, { "enum": ["nan", "inf", "-inf"] }] })
        }
        // Two UTF-16 units in some validators' eyes, one code point in the specification's.
        Type::Char => {
            json!({ "type": "string", "minLength": 1, "maxLength": 2, "description": "one character" })
        }
        Type::String => json!({ "type": "string" }),
        Type::List(element) if element.is_byte() => bytes(None),
        Type::FixedList(element, len) if element.is_byte() => bytes(Some(*len)),
        Type::List(element) => json!({ "type": "array", "items": of_type(element) }),
        Type::FixedList(element, len) => {
            json!({ "type": "array", "items": of_type(element), "minItems": len, "maxItems": len })
        }
        Type::Map(key, value) => match **key {
            Type::String => json!({ "type": "object", "additionalProperties": of_type(value) }),
            _ => json!({ "type": "array", "items": tuple([&**key, &**value]) }),
        },
        Type::Record(fields) => object(fields.iter().map(|field| (field.name.as_str(), &field.ty))),
        Type::Tuple(types) => tuple(types),
        Type::Variant(cases) => {
            let bare: Vec<_> = cases.iter().filter(|case| case.ty.is_none()).map(|case| &case.name).collect();
            let mut forms = Vec::new();
            if !bare.is_empty() {
                forms.push(json!({ "enum": bare }));
            }
            for case in cases {
                if let Some(ty) = &case.ty {
                    forms.push(tagged(&case.name, of_type(ty)));
                }
            }
            one_of(forms)
        }
        Type::Enum(names) => json!({ "enum": names }),
        Type::Option(some) => {
            let some = match **some {
                Type::Option(_) => tagged("some", of_type(some)),
                _ => of_type(some),
            };
            json!({ "anyOf": [some, { "type": "null" }] })
        }
        Type::Result { ok, err } => one_of(vec![side("ok", ok.as_deref()), side("err", err.as_deref())]),
        Type::Flags(names) => json!({ "type": "array", "items": { "enum": names }, "uniqueItems": true }),
    }
}

fn document(mut schema: Json, docs: &str) -> Json {
    if let Json::Object(entries) = &mut schema {
        entries.insert("$schema".into(), DIALECT.into());
        if !docs.trim().is_empty() {
            entries.insert("description".into(), docs.trim().into());
        }
    }
    schema
}

fn integer(minimum: i64, maximum: i64) -> Json {
    json!({ "type": "integer", "minimum": minimum, "maximum": maximum })
}

fn wide_integer(pattern: &str) -> Json {
    json!({ "anyOf": [{ "type": "integer" }, { "type": "string", "pattern": pattern }] })
}

fn bytes(len: Option<u32>) -> Json {
    let mut text = json!({ "type": "string", "contentEncoding": "base64" });
    if let Some(len) = len {
        text["description"] = format!("{len} bytes").into();
    }
    tagged("base64", text)
}

fn tuple<'a>(types: impl IntoIterator<Item = &'a Type>) -> Json {
    let items: Vec<_> = types.into_iter().map(of_type).collect();
    let len = items.len();
    json!({ "type": "array", "prefixItems": items, "items": false, "minItems": len, "maxItems": len })
}

fn object<'a>(properties: impl Iterator<Item = (&'a str, &'a Type)> + Clone) -> Json {
    let is_required = |ty: &Type| !matches!(ty, Type::Option(_));
    let required: Vec<_> =
        properties.clone().filter(|(_, ty)| is_required(ty)).map(|(name, _)| name).collect();
    let properties: Map<_, _> = properties.map(|(name, ty)| (name.to_owned(), of_type(ty))).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn side(name: &str, ty: Option<&Type>) -> Json {
    tagged(name, ty.map_or_else(|| json!({ "type": "null" }), of_type))
}

fn tagged(name: &str, schema: Json) -> Json {
    json!({
        "type": "object",
        "properties": { name: schema },
        "required": [name],
        "additionalProperties": false,
    })
}

fn one_of(mut forms: Vec<Json>) -> Json {
    match forms.len() {
        1 => forms.remove(0),
        _ => json!({ "anyOf": forms }),
    }
}
