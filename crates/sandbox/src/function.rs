//! An exported function, found and type-checked once, called many times.

use glassbox_core::FunctionName;
use glassbox_core::value::{FunctionType, Type};
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
            (ComponentItem::ComponentFunc(found), index) if entry != Entry::Service && is(&found, &own) => {
                let shape = Shape::of(&own);
                Ok(Self { name: name.clone(), ty: ty.clone(), own, entry, index, shape })
            }
            (ComponentItem::ComponentFunc(_), _) => Err(another_type()),
            _ => Err(refused("the component exports something else than a function by this name".into())),
        }
    }
}

/// Tells whether the engine's type is ours. Names of parameters are for people and may differ.
fn is(found: &types::ComponentFunc, ty: &FunctionType) -> bool {
    let params = found.params();
    let results = found.results();
    params.len() == ty.params.len()
        && results.len() == usize::from(ty.result.is_some())
        && params.zip(&ty.params).all(|((_, found), param)| same(&found, &param.ty))
        && results.zip(&ty.result).all(|(found, ty)| same(&found, ty))
}

/// Tells whether a function takes two resources and returns nothing, as a server's does. That they are those that the
/// host makes is the engine's to check.
fn takes_resources(found: &types::ComponentFunc) -> bool {
    let params = found.params();
    params.len() == 2
        && params.into_iter().all(|(_, param)| matches!(param, types::Type::Own(_)))
        && found.results().len() == 0
}

fn same(found: &types::Type, ty: &Type) -> bool {
    use types::Type as Found;
    let same_options = |found: Option<Found>, ty: Option<&Type>| match (found, ty) {
        (Some(found), Some(ty)) => same(&found, ty),
        (None, None) => true,
        _ => false,
    };
    match (found, ty) {
        (Found::Bool, Type::Bool)
        | (Found::S8, Type::S8)
        | (Found::U8, Type::U8)
        | (Found::S16, Type::S16)
        | (Found::U16, Type::U16)
        | (Found::S32, Type::S32)
        | (Found::U32, Type::U32)
        | (Found::S64, Type::S64)
        | (Found::U64, Type::U64)
        | (Found::Float32, Type::F32)
        | (Found::Float64, Type::F64)
        | (Found::Char, Type::Char)
        | (Found::String, Type::String) => true,
        (Found::List(found), Type::List(ty)) => same(&found.ty(), ty),
        (Found::FixedLengthList(found), Type::FixedList(ty, len)) => {
            found.len() == *len && same(&found.ty(), ty)
        }
        (Found::Map(found), Type::Map(key, value)) => same(&found.key(), key) && same(&found.value(), value),
        (Found::Record(found), Type::Record(fields)) => {
            let found = found.fields();
            found.len() == fields.len()
                && found
                    .zip(fields)
                    .all(|(found, field)| found.name == field.name && same(&found.ty, &field.ty))
        }
        (Found::Tuple(found), Type::Tuple(types)) => {
            let found = found.types();
            found.len() == types.len() && found.zip(types).all(|(found, ty)| same(&found, ty))
        }
        (Found::Variant(found), Type::Variant(cases)) => {
            let found = found.cases();
            found.len() == cases.len()
                && found
                    .zip(cases)
                    .all(|(found, case)| found.name == case.name && same_options(found.ty, case.ty.as_ref()))
        }
        (Found::Enum(found), Type::Enum(names)) => found.names().eq(names),
        (Found::Flags(found), Type::Flags(names)) => found.names().eq(names),
        (Found::Option(found), Type::Option(some)) => same(&found.ty(), some),
        (Found::Result(found), Type::Result { ok, err }) => {
            same_options(found.ok(), ok.as_deref()) && same_options(found.err(), err.as_deref())
        }
        _ => false,
    }
}
