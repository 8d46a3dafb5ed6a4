//! Examples of values, as JSON: the smallest of each type that shows its form.

use serde_json::{Map, Value as Json, json};

use super::{FunctionType, Type};

/// Returns an example of the arguments of a function, an object by name.
pub fn of_args(ty: &FunctionType) -> Json {
    object(ty.params.iter().map(|param| (param.name.as_str(), &param.ty)))
}

/// Returns an example of what a function returns, `null` for nothing.
pub fn of_result(ty: &FunctionType) -> Json {
    ty.result.as_ref().map_or(Json::Null, of_type)
}

/// Returns an example of a type.
pub fn of_type(ty: &Type) -> Json {
    match ty {
        Type::Bool => json!(true),
        Type::S8 | Type::U8 | Type::S16 | Type::U16 | Type::S32 | Type::U32 => json!(1),
        // As text: more than programs in JavaScript can count.
        Type::S64 | Type::U64 => json!("1"),
        Type::F32 | Type::F64 => json!(1.5),
        Type::Char => json!("a"),
        Type::String => json!("text"),
        Type::List(element) if element.is_byte() => json!({ "base64": "" }),
        Type::FixedList(element, len) if element.is_byte() => json!(vec![0; few(*len)]),
        Type::List(element) => json!([of_type(element)]),
        Type::FixedList(element, len) => json!(vec![of_type(element); few(*len)]),
        Type::Map(key, value) => match **key {
            Type::String => json!({ "key": of_type(value) }),
            _ => json!([[of_type(key), of_type(value)]]),
        },
        Type::Record(fields) => object(fields.iter().map(|field| (field.name.as_str(), &field.ty))),
        Type::Tuple(types) => json!(types.iter().map(of_type).collect::<Vec<_>>()),
        Type::Variant(cases) => match cases.first() {
            Some(case) => match &case.ty {
                Some(ty) => json!({ case.name.as_str(): of_type(ty) }),
                None => json!(case.name),
            },
            None => Json::Null,
        },
        Type::Enum(names) => json!(names.first()),
        Type::Option(_) => Json::Null,
        Type::Result { ok, .. } => json!({ "ok": ok.as_deref().map_or(Json::Null, of_type) }),
        Type::Flags(names) => json!(names.first().into_iter().collect::<Vec<_>>()),
    }
}

/// A list of a million is no example.
fn few(len: u32) -> usize {
    len.min(4) as usize
}

fn object<'a>(fields: impl Iterator<Item = (&'a str, &'a Type)>) -> Json {
    Json::Object(fields.map(|(name, ty)| (name.to_owned(), of_type(ty))).collect::<Map<_, _>>())
}
