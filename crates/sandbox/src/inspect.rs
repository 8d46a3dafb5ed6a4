//! Looks at a component without compiling or running anything of it.
//!
//! This is the first gate for a publisher's bytes: they must be a component, valid with exactly the features of the
//! profile, and of bounded size and shape. What it imports is then a matter of [`Grants`].

use glassbox_core::limits;
use glassbox_core::profile::{Profile, StartWork};
use serde::{Deserialize, Serialize};
use wasmparser::component_types::{ComponentEntityType, ComponentInstanceTypeId};
use wasmparser::types::TypesRef;
use wasmparser::{
    ComponentTypeRef, Encoding, FuncValidatorAllocations, Parser, Payload, TypeBounds, ValidPayload,
    Validator,
};

use crate::grants::{Grants, is_tolerated};
use crate::shape::{Shape, invalid};
use crate::{Kind, SandboxError};
use crate::{features, host, link};

/// What a component says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// What it imports, in its own order.
    pub imports: Vec<Import>,
    /// The functions that it exports, as `function` or `ns:pkg/interface@version#function`.
    ///
    /// Methods of resources are among them, under their encoded names such as `[method]blob.read`.
    pub exports: Vec<String>,
    /// How many core modules it is made of, over all nesting.
    pub core_modules: usize,
    /// How many bytes it has.
    pub bytes: usize,
    /// What each call of it does before any of its code runs.
    pub start: StartWork,
    /// The memory that an instance of it begins with, over all linear memories, in bytes.
    pub memory_bytes: usize,
}

/// Something that a component imports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The name of the interface with its version, or of the function where it is imported bare.
    pub interface: String,
    /// The functions that it imports from there.
    pub functions: Vec<String>,
    /// Whether only types are imported, which needs nobody to provide anything.
    pub types_only: bool,
}

/// What an import means for a component that is given certain grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportKind {
    /// Nothing that reaches outside: types alone, or a part of WASI that is not granted. Standard libraries drag such
    /// imports in for functions that never use them. In a library they refuse when called; a program or a server finds
    /// clocks and random bytes that follow from its input, since its standard library needs them to start.
    Inert,
    /// Granted, or the meter, which needs no grant: calls of it are answered.
    Granted,
    /// Nothing that this sandbox provides: another package, or a host interface that cannot be granted.
    Foreign,
}

impl Import {
    /// Returns the name of the interface without its version.
    pub(crate) fn name(&self) -> &str {
        self.interface.split('@').next().unwrap_or(&self.interface)
    }

    /// Classifies the import for a component with `grants`.
    pub fn kind(&self, grants: &Grants) -> ImportKind {
        if self.types_only {
            ImportKind::Inert
        } else if !is_tolerated(&self.interface) {
            ImportKind::Foreign
        } else if grants.allows(&self.interface) || self.name() == host::events::INTERFACE {
            ImportKind::Granted
        } else {
            ImportKind::Inert
        }
    }
}

impl Inspection {
    /// Returns the names of the imports of one kind.
    pub fn imports_of(&self, kind: ImportKind, grants: &Grants) -> Vec<String> {
        let of_kind = self.imports.iter().filter(|import| import.kind(grants) == kind);
        of_kind.map(|import| import.interface.clone()).collect()
    }

    /// Tells whether the component can do nothing but compute: none of its imports is foreign, or granted and answered
    /// from outside.
    pub fn is_pure(&self, grants: &Grants) -> bool {
        self.computes_only(grants) && self.imports_of(ImportKind::Foreign, grants).is_empty()
    }

    /// Tells the same of the component without the packages that it imports.
    pub(crate) fn computes_only(&self, grants: &Grants) -> bool {
        let observes =
            |import: &Import| import.kind(grants) == ImportKind::Granted && host::is_observing(import.name());
        !self.imports.iter().any(observes)
    }

    /// Returns the interfaces that the host provides to the component, without their versions.
    pub(crate) fn provided(&self, grants: &Grants, kind: Kind) -> Vec<String> {
        let names = self.imports.iter().map(Import::name);
        names.filter(|name| link::is_provided(name, grants, kind)).map(str::to_owned).collect()
    }

    /// Tells what the component is for.
    pub fn kind(&self) -> Kind {
        Kind::of(self.exports.iter().map(String::as_str))
    }
}

/// Validates a component and lists what it imports and exports. Compiles nothing.
pub fn inspect(component: &[u8]) -> Result<Inspection, SandboxError> {
    if component.len() > limits::COMPONENT_BYTES_MAX {
        return Err(SandboxError::TooLarge { bytes: component.len(), max: limits::COMPONENT_BYTES_MAX });
    }
    if !component.starts_with(b"\0asm") {
        return Err(SandboxError::NotWasm);
    }
    let features = features::of(Profile::current());
    let mut shape = Shape::new();
    let mut validator = Validator::new_with_features(features);
    let mut allocations = FuncValidatorAllocations::default();
    let mut ends = Ends::default();
    let mut parser = Parser::new(0);
    parser.set_features(features);
    for payload in parser.parse_all(component) {
        let payload = payload.map_err(invalid)?;
        if let Payload::Version { encoding: Encoding::Module, .. } = payload
            && shape.depth() == 0
        {
            return Err(SandboxError::CoreModule);
        }
        shape.count(component, &payload)?;
        if shape.depth() == 1 {
            ends.note(&payload).map_err(invalid)?;
        }
        match validator.payload(&payload).map_err(invalid)? {
            ValidPayload::Func(function, body) => {
                allocations = shape.function(function, &body, allocations)?;
            }
            ValidPayload::End(types) if shape.depth() == 0 => {
                return ends.describe(types.as_ref(), &shape, component.len());
            }
            _ => {}
        }
    }
    Err(SandboxError::Invalid { offset: component.len(), reason: "unexpected end".into() })
}

/// The names at the two ends of the outermost component.
#[derive(Default)]
struct Ends {
    /// With whether it is a resource of its own, which somebody has to define.
    imports: Vec<(String, bool)>,
    exports: Vec<String>,
}

impl Ends {
    fn note(&mut self, payload: &Payload<'_>) -> Result<(), wasmparser::BinaryReaderError> {
        match payload {
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    let import = import?;
                    let is_resource = matches!(import.ty, ComponentTypeRef::Type(TypeBounds::SubResource));
                    self.imports.push((import.name.name.to_owned(), is_resource));
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    self.exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn describe(self, types: TypesRef<'_>, shape: &Shape, bytes: usize) -> Result<Inspection, SandboxError> {
        let mut imports = Vec::new();
        for (name, is_resource) in self.imports {
            let (functions, types_only) = match types.component_item_for_import(&name).map(|item| item.ty) {
                Some(ComponentEntityType::Instance(id)) => functions_of(types, id),
                Some(ComponentEntityType::Type { .. }) => (Vec::new(), !is_resource),
                _ => (Vec::new(), false),
            };
            imports.push(Import { interface: name, functions, types_only });
        }
        let mut exports = Vec::new();
        for name in self.exports {
            match types.component_item_for_export(&name).map(|item| item.ty) {
                Some(ComponentEntityType::Instance(id)) => {
                    let (functions, _) = functions_of(types, id);
                    exports.extend(functions.iter().map(|function| format!("{name}#{function}")));
                }
                Some(ComponentEntityType::Func(_)) => exports.push(name),
                _ => {}
            }
        }
        let (core_modules, start, memory_bytes) = (shape.modules(), shape.start(), shape.memory_bytes());
        Ok(Inspection { imports, exports, core_modules, bytes, start, memory_bytes })
    }
}

/// Returns the functions of an instance, and whether it holds nothing but types.
fn functions_of(types: TypesRef<'_>, id: ComponentInstanceTypeId) -> (Vec<String>, bool) {
    let mut functions = Vec::new();
    let mut types_only = true;
    let instance = &types[id];
    for (name, item) in &instance.exports {
        match item.ty {
            ComponentEntityType::Type { .. } => {}
            ComponentEntityType::Func(_) => {
                functions.push(name.clone());
                types_only = false;
            }
            _ => types_only = false,
        }
    }
    // A resource of its own is a thing that somebody must provide, even without a function to make one.
    types_only &= instance.defined_resources.is_empty();
    (functions, types_only)
}
