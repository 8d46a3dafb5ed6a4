//! From the parser's types to ours, and to text.

use std::collections::{BTreeSet, HashMap};

use glassbox_core::limits;
use glassbox_core::profile::Profile;
use glassbox_core::value::{Case, Field, Type};
use wit_parser::{Docs, FunctionKind, Handle, Resolve, TypeDefKind, WorldId, WorldItem};

use super::Function;
use crate::SandboxError;

/// Returns the functions that a world exports.
pub(super) fn functions(resolve: &Resolve, world: WorldId) -> Result<Vec<Function>, SandboxError> {
    let mut exported = Vec::new();
    for (key, item) in &resolve.worlds[world].exports {
        match item {
            WorldItem::Function(function) => exported.push((None, function)),
            WorldItem::Interface { id, .. } => {
                let interface = resolve.name_world_key(key);
                let functions = resolve.interfaces[*id].functions.values();
                exported.extend(functions.map(|function| (Some(interface.clone()), function)));
            }
            WorldItem::Type { .. } => {}
        }
    }
    let too_many = |what, count, max| Err(SandboxError::TooMany { what, count, max });
    if exported.len() > limits::FUNCTIONS_MAX {
        return too_many("functions", exported.len(), limits::FUNCTIONS_MAX);
    }
    let mut functions = Vec::new();
    let mut nodes = 0;
    for (interface, function) in exported {
        functions.extend(super::function(resolve, interface.as_deref(), function, &mut nodes)?);
        // Each function may spell out the same large type, so a short text could fill the memory.
        if nodes > limits::WORLD_TYPE_NODES_MAX {
            return too_many("parts in its types", nodes, limits::WORLD_TYPE_NODES_MAX);
        }
    }
    Ok(functions)
}

/// Refuses types that are nested too deep, or named again and again.
pub(super) fn check_depth(resolve: &Resolve) -> Result<(), SandboxError> {
    let mut depths = HashMap::new();
    // The parser keeps types in an order in which each comes after those that it is made of.
    for (id, def) in resolve.types.iter() {
        let parts = parts(&def.kind);
        let below = parts.iter().filter_map(|ty| match ty {
            wit_parser::Type::Id(part) => depths.get(part).copied(),
            _ => None,
        });
        let depth = 1 + below.max().unwrap_or(0);
        if depth > limits::WIT_TYPE_DEPTH_MAX {
            let name = def.name.as_deref().unwrap_or("a type without a name");
            let reason = format!("`{name}` nests types deeper than {} levels", limits::WIT_TYPE_DEPTH_MAX);
            return Err(SandboxError::Wit { reason });
        }
        depths.insert(id, depth);
    }
    Ok(())
}

/// Returns the types that a type is made of directly.
fn parts(kind: &TypeDefKind) -> Vec<wit_parser::Type> {
    match kind {
        TypeDefKind::Record(record) => record.fields.iter().map(|field| field.ty).collect(),
        TypeDefKind::Tuple(tuple) => tuple.types.clone(),
        TypeDefKind::Variant(variant) => variant.cases.iter().filter_map(|case| case.ty).collect(),
        TypeDefKind::Result(result) => [result.ok, result.err].into_iter().flatten().collect(),
        TypeDefKind::Option(ty)
        | TypeDefKind::List(ty)
        | TypeDefKind::FixedLengthList(ty, _)
        | TypeDefKind::Type(ty) => vec![*ty],
        TypeDefKind::Map(key, value) => vec![*key, *value],
        TypeDefKind::Handle(Handle::Own(id) | Handle::Borrow(id)) => vec![wit_parser::Type::Id(*id)],
        TypeDefKind::Future(ty) | TypeDefKind::Stream(ty) => ty.iter().copied().collect(),
        _ => Vec::new(),
    }
}

/// Converts the types of one function.
pub(super) struct Converter<'r> {
    resolve: &'r Resolve,
    nodes: usize,
}

impl<'r> Converter<'r> {
    pub(super) fn new(resolve: &'r Resolve) -> Self {
        Self { resolve, nodes: 0 }
    }

    /// Returns how many parts were converted, those of types that were refused included.
    pub(super) fn nodes(&self) -> usize {
        self.nodes
    }

    /// Converts a type, or says what about it cannot leave an instance.
    pub(super) fn convert(&mut self, ty: &wit_parser::Type) -> Result<Type, String> {
        self.at(ty, 0)
    }

    fn at(&mut self, ty: &wit_parser::Type, depth: usize) -> Result<Type, String> {
        if depth >= limits::TYPE_DEPTH_MAX {
            return Err(format!("nests types deeper than {} levels", limits::TYPE_DEPTH_MAX));
        }
        // Named types are spelled out, so a few lines that each use the last name twice stand for more than fits
        // into any memory.
        self.nodes += 1;
        let nodes_max = Profile::current().limits.type_nodes_max;
        if self.nodes > nodes_max {
            return Err(format!("has a type of more than {nodes_max} parts"));
        }
        let id = match ty {
            wit_parser::Type::Bool => return Ok(Type::Bool),
            wit_parser::Type::U8 => return Ok(Type::U8),
            wit_parser::Type::U16 => return Ok(Type::U16),
            wit_parser::Type::U32 => return Ok(Type::U32),
            wit_parser::Type::U64 => return Ok(Type::U64),
            wit_parser::Type::S8 => return Ok(Type::S8),
            wit_parser::Type::S16 => return Ok(Type::S16),
            wit_parser::Type::S32 => return Ok(Type::S32),
            wit_parser::Type::S64 => return Ok(Type::S64),
            wit_parser::Type::F32 => return Ok(Type::F32),
            wit_parser::Type::F64 => return Ok(Type::F64),
            wit_parser::Type::Char => return Ok(Type::Char),
            wit_parser::Type::String => return Ok(Type::String),
            wit_parser::Type::ErrorContext => return Err("holds an error-context".into()),
            wit_parser::Type::Id(id) => *id,
        };
        let resolve = self.resolve;
        Ok(match &resolve.types[id].kind {
            TypeDefKind::Type(ty) => self.at(ty, depth + 1)?,
            TypeDefKind::Record(record) => {
                let field = |field: &wit_parser::Field| {
                    Ok(Field { name: field.name.clone(), ty: self.at(&field.ty, depth + 1)? })
                };
                Type::Record(record.fields.iter().map(field).collect::<Result<_, String>>()?)
            }
            TypeDefKind::Tuple(tuple) => {
                Type::Tuple(tuple.types.iter().map(|ty| self.at(ty, depth + 1)).collect::<Result<_, _>>()?)
            }
            TypeDefKind::Variant(variant) => {
                let case = |case: &wit_parser::Case| {
                    let ty = case.ty.as_ref().map(|ty| self.at(ty, depth + 1)).transpose()?;
                    Ok(Case { name: case.name.clone(), ty })
                };
                Type::Variant(variant.cases.iter().map(case).collect::<Result<_, String>>()?)
            }
            TypeDefKind::Enum(names) => {
                Type::Enum(names.cases.iter().map(|case| case.name.clone()).collect())
            }
            TypeDefKind::Flags(flags) => {
                Type::Flags(flags.flags.iter().map(|flag| flag.name.clone()).collect())
            }
            TypeDefKind::Option(some) => Type::Option(self.boxed(some, depth)?),
            TypeDefKind::Result(result) => {
                let mut side =
                    |ty: &Option<wit_parser::Type>| ty.as_ref().map(|ty| self.boxed(ty, depth)).transpose();
                Type::Result { ok: side(&result.ok)?, err: side(&result.err)? }
            }
            TypeDefKind::List(element) => Type::List(self.boxed(element, depth)?),
            TypeDefKind::Map(key, value) => Type::Map(self.boxed(key, depth)?, self.boxed(value, depth)?),
            TypeDefKind::FixedLengthList(element, len) => Type::FixedList(self.boxed(element, depth)?, *len),
            TypeDefKind::Resource | TypeDefKind::Handle(_) => return Err("holds a resource".into()),
            TypeDefKind::Future(_) => return Err("holds a future".into()),
            TypeDefKind::Stream(_) => return Err("holds a stream".into()),
            TypeDefKind::Unknown => return Err("holds a type that is not known".into()),
        })
    }

    fn boxed(&mut self, ty: &wit_parser::Type, depth: usize) -> Result<Box<Type>, String> {
        self.at(ty, depth + 1).map(Box::new)
    }
}

/// Returns a function's signature in WIT: `to-html: func(markdown: string, flavour: flavour) -> string`.
pub(super) fn signature(resolve: &Resolve, function: &wit_parser::Function) -> String {
    let params: Vec<_> =
        function.params.iter().map(|param| format!("{}: {}", param.name, text(resolve, &param.ty))).collect();
    let keyword =
        if matches!(function.kind, FunctionKind::AsyncFreestanding) { "async func" } else { "func" };
    let result = function.result.as_ref().map(|ty| format!(" -> {}", text(resolve, ty))).unwrap_or_default();
    format!("{}: {keyword}({}){result}", function.name, params.join(", "))
}

/// Returns a type as it is written where it is used: by its name, if it has one.
fn text(resolve: &Resolve, ty: &wit_parser::Type) -> String {
    let name = match ty {
        wit_parser::Type::Bool => "bool",
        wit_parser::Type::U8 => "u8",
        wit_parser::Type::U16 => "u16",
        wit_parser::Type::U32 => "u32",
        wit_parser::Type::U64 => "u64",
        wit_parser::Type::S8 => "s8",
        wit_parser::Type::S16 => "s16",
        wit_parser::Type::S32 => "s32",
        wit_parser::Type::S64 => "s64",
        wit_parser::Type::F32 => "f32",
        wit_parser::Type::F64 => "f64",
        wit_parser::Type::Char => "char",
        wit_parser::Type::String => "string",
        wit_parser::Type::ErrorContext => "error-context",
        wit_parser::Type::Id(id) => {
            let def = &resolve.types[*id];
            return match &def.name {
                Some(name) => name.clone(),
                None => anonymous(resolve, &def.kind),
            };
        }
    };
    name.to_owned()
}

fn anonymous(resolve: &Resolve, kind: &TypeDefKind) -> String {
    let text = |ty: &wit_parser::Type| text(resolve, ty);
    let maybe = |ty: &Option<wit_parser::Type>| ty.as_ref().map(text);
    match kind {
        TypeDefKind::Type(ty) => text(ty),
        TypeDefKind::Tuple(tuple) => {
            format!("tuple<{}>", tuple.types.iter().map(text).collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Option(some) => format!("option<{}>", text(some)),
        TypeDefKind::Result(result) => match (maybe(&result.ok), maybe(&result.err)) {
            (None, None) => "result".into(),
            (Some(ok), None) => format!("result<{ok}>"),
            (None, Some(err)) => format!("result<_, {err}>"),
            (Some(ok), Some(err)) => format!("result<{ok}, {err}>"),
        },
        TypeDefKind::List(element) => format!("list<{}>", text(element)),
        TypeDefKind::Map(key, value) => format!("map<{}, {}>", text(key), text(value)),
        TypeDefKind::FixedLengthList(element, len) => format!("list<{}, {len}>", text(element)),
        TypeDefKind::Handle(Handle::Own(id)) => resolve.types[*id].name.clone().unwrap_or_default(),
        TypeDefKind::Handle(Handle::Borrow(id)) => {
            format!("borrow<{}>", resolve.types[*id].name.as_deref().unwrap_or_default())
        }
        TypeDefKind::Future(ty) => maybe(ty).map_or_else(|| "future".into(), |ty| format!("future<{ty}>")),
        TypeDefKind::Stream(ty) => maybe(ty).map_or_else(|| "stream".into(), |ty| format!("stream<{ty}>")),
        // Records, variants, enums, flags and resources always have a name in WIT.
        other => other.as_str().to_owned(),
    }
}

/// Collects the names of fields, cases and flags.
pub(super) fn member_names(kind: &TypeDefKind, names: &mut BTreeSet<String>) {
    match kind {
        TypeDefKind::Record(record) => names.extend(record.fields.iter().map(|field| field.name.clone())),
        TypeDefKind::Variant(variant) => names.extend(variant.cases.iter().map(|case| case.name.clone())),
        TypeDefKind::Enum(cases) => names.extend(cases.cases.iter().map(|case| case.name.clone())),
        TypeDefKind::Flags(flags) => names.extend(flags.flags.iter().map(|flag| flag.name.clone())),
        _ => {}
    }
}

/// Returns the documentation of fields, cases and flags.
pub(super) fn member_docs(kind: &TypeDefKind) -> Vec<&Docs> {
    match kind {
        TypeDefKind::Record(record) => record.fields.iter().map(|field| &field.docs).collect(),
        TypeDefKind::Variant(variant) => variant.cases.iter().map(|case| &case.docs).collect(),
        TypeDefKind::Enum(cases) => cases.cases.iter().map(|case| &case.docs).collect(),
        TypeDefKind::Flags(flags) => flags.flags.iter().map(|flag| &flag.docs).collect(),
        _ => Vec::new(),
    }
}
