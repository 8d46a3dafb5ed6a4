//! An exported function, found and type-checked once, called many times.

use glassbox_core::profile::Profile;
use glassbox_core::value::{Case, Field, FunctionType, Param, Type};
use glassbox_core::{FunctionName, limits};
use wasmtime::component::types::{self, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex};

use crate::bytes::Shape;
use crate::host::entry::Entry;
use crate::{Failure, FailureKind};

/// An exported function of a compiled component.
#[derive(Debug)]
pub(crate) struct Export {
    pub(crate) name: FunctionName,
    pub(crate) ty: FunctionType,
    /// The type of the component's own function, which differs where the sandbox makes one in front of it.
    pub(crate) own: FunctionType,
    /// How a call of it enters the component.
    pub(crate) entry: Entry,
    pub(crate) index: ComponentExportIndex,
    /// How it is called, where that can be known when the host is built.
    pub(crate) shape: Option<Shape>,
}

impl Export {
    /// Finds a function, with versions of its interface compared as semantic versions, and checks that its type is `ty`.
    pub(crate) fn find(
        component: &Component,
        name: &FunctionName,
        ty: &FunctionType,
    ) -> Result<Self, Failure> {
        let refused = |message: String| Failure::new(FailureKind::NoSuchFunction, message);
        let absent = || refused(format!("the component does not export {name:?}"));
        let interface = match name.interface() {
            Some(interface) => Some(component.get_export_index(None, interface).ok_or_else(absent)?),
            None => None,
        };
        let entry = Entry::of(name);
        let another_type = || refused("the component exports this function with another type".into());
        let own = match entry.made() {
            Some(made) if made.ty != *ty => return Err(another_type()),
            Some(made) => made.own,
            None => ty.clone(),
        };
        match component.get_export(interface.as_ref(), name.function()).ok_or_else(absent)? {
            (ComponentItem::ComponentFunc(found), index)
                if entry == Entry::Service && takes_resources(&found) =>
            {
                Ok(Self { name: name.clone(), ty: ty.clone(), own, entry, index, shape: None })
            }
            (ComponentItem::ComponentFunc(found), index)
                if entry != Entry::Service
                    && describe(&found).is_ok_and(|found| same_types(&found, &own)) =>
            {
                let shape = Shape::of(&own);
                Ok(Self { name: name.clone(), ty: ty.clone(), own, entry, index, shape })
            }
            (ComponentItem::ComponentFunc(_), _) => Err(another_type()),
            _ => Err(refused("the component exports something else than a function by this name".into())),
        }
    }
}

/// Tells whether two functions take and return the same. Names of parameters are for people and may differ.
pub(crate) fn same_types(one: &FunctionType, other: &FunctionType) -> bool {
    fn params(ty: &FunctionType) -> impl Iterator<Item = &Type> {
        ty.params.iter().map(|param| &param.ty)
    }
    one.result == other.result && params(one).eq(params(other))
}

/// Tells whether a function takes two resources and returns nothing, as a server's does. That they are those that the
/// host makes is the engine's to check.
fn takes_resources(found: &types::ComponentFunc) -> bool {
    let params = found.params();
    params.len() == 2
        && params.into_iter().all(|(_, param)| matches!(param, types::Type::Own(_)))
        && found.results().len() == 0
}

/// Returns the type of a component's function, or why it cannot be called by value.
pub(crate) fn describe(found: &types::ComponentFunc) -> Result<FunctionType, String> {
    if found.async_() {
        return Err("it is async".into());
    }
    let mut describer = Describer { nodes: 0 };
    let mut params = Vec::new();
    for (name, ty) in found.params() {
        let ty = describer.ty(&ty, 0).map_err(|reason| format!("parameter `{name}` {reason}"))?;
        params.push(Param { name: name.to_owned(), ty });
    }
    let result = found.results().next().map(|ty| describer.ty(&ty, 0)).transpose();
    Ok(FunctionType { params, result: result.map_err(|reason| format!("its result {reason}"))? })
}

/// Spells types out. Few bytes of a component can name a type of any size, so what it finds is bounded.
struct Describer {
    nodes: usize,
}

impl Describer {
    fn ty(&mut self, found: &types::Type, depth: usize) -> Result<Type, String> {
        use types::Type as Found;
        self.nodes += 1;
        if self.nodes > Profile::current().limits.type_nodes_max || depth > limits::VALUE_DEPTH_MAX {
            return Err("has a type that is too large".into());
        }
        let mut of = |found: &Found| self.ty(found, depth + 1);
        Ok(match found {
            Found::Bool => Type::Bool,
            Found::S8 => Type::S8,
            Found::U8 => Type::U8,
            Found::S16 => Type::S16,
            Found::U16 => Type::U16,
            Found::S32 => Type::S32,
            Found::U32 => Type::U32,
            Found::S64 => Type::S64,
            Found::U64 => Type::U64,
            Found::Float32 => Type::F32,
            Found::Float64 => Type::F64,
            Found::Char => Type::Char,
            Found::String => Type::String,
            Found::List(list) => Type::List(Box::new(of(&list.ty())?)),
            Found::FixedLengthList(list) => Type::FixedList(Box::new(of(&list.ty())?), list.len()),
            Found::Map(map) => Type::Map(Box::new(of(&map.key())?), Box::new(of(&map.value())?)),
            Found::Record(record) => {
                let field = |field: types::Field<'_>| {
                    Ok::<_, String>(Field { name: field.name.to_owned(), ty: of(&field.ty)? })
                };
                Type::Record(record.fields().map(field).collect::<Result<_, _>>()?)
            }
            Found::Tuple(tuple) => Type::Tuple(tuple.types().map(|ty| of(&ty)).collect::<Result<_, _>>()?),
            Found::Variant(variant) => {
                let case = |case: types::Case<'_>| {
                    let ty = case.ty.as_ref().map(&mut of).transpose()?;
                    Ok::<_, String>(Case { name: case.name.to_owned(), ty })
                };
                Type::Variant(variant.cases().map(case).collect::<Result<_, _>>()?)
            }
            Found::Enum(names) => Type::Enum(names.names().map(str::to_owned).collect()),
            Found::Flags(names) => Type::Flags(names.names().map(str::to_owned).collect()),
            Found::Option(option) => Type::Option(Box::new(of(&option.ty())?)),
            Found::Result(result) => {
                let mut side = |ty: Option<Found>| ty.map(|ty| of(&ty).map(Box::new)).transpose();
                Type::Result { ok: side(result.ok())?, err: side(result.err())? }
            }
            Found::Own(_) | Found::Borrow(_) => {
                return Err(
                    "holds a resource, which has no meaning outside of the instance that made it".into()
                );
            }
            Found::Future(_) | Found::Stream(_) => {
                return Err("holds a stream or a future, which has no value".into());
            }
            Found::ErrorContext => return Err("holds an error context, which has no value".into()),
        })
    }
}
