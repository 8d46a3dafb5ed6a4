//! The WIT side of a package: its world, functions, names and documentation.
//!
//! A built component has lost its documentation and the names of its world, so the WIT text is published beside it
//! and is the truth about what is promised. Whether a component keeps the promise is [`Spec::check_world`]'s question.

mod types;

use std::collections::{BTreeMap, BTreeSet};

use glassbox_core::value::{FunctionType, Param};
use glassbox_core::{FunctionName, Hashed, limits};
use wit_parser::{
    Docs, FunctionKind, InterfaceId, PackageId, Resolve, SourceMap, UnresolvedPackageGroup, WorldId,
    WorldItem, WorldKey,
};

use crate::host::entry::{Entry, Made};
use crate::{Kind, SandboxError};

/// A parsed WIT package with one of its worlds chosen.
#[derive(Debug, Clone)]
pub struct Spec {
    pub(crate) resolve: Resolve,
    pub(crate) package: PackageId,
    pub(crate) world: WorldId,
    functions: Vec<Function>,
}

/// A function that a world exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// Its full name.
    pub name: FunctionName,
    /// What it takes and returns. Empty where [`Function::callable`] says that it cannot be called.
    pub ty: Hashed<FunctionType>,
    /// Its documentation comment.
    pub docs: String,
    /// Whether it can be called by value, or why not.
    pub callable: Result<(), String>,
    /// Its signature as WIT writes it, with the names of its types.
    pub signature: String,
}

impl Spec {
    /// Parses the files of a WIT package and chooses its world.
    ///
    /// `files` are pairs of a path and a text. Those under a folder `deps` are other packages, one per subfolder or
    /// file; all the rest together are the package itself. Without `world` the package must have exactly one.
    pub fn parse(files: &[(String, String)], world: Option<&str>) -> Result<Spec, SandboxError> {
        let (main, dependencies) = sort(files)?;
        let mut resolve = Resolve::default();
        let dependencies = dependencies.into_iter().map(parse).collect::<Result<_, _>>()?;
        let package = resolve
            .push_groups(parse(main)?, dependencies)
            .map_err(|error| SandboxError::Wit { reason: error.render(&resolve.source_map) })?;
        types::check_depth(&resolve)?;
        let world = choose(&resolve, package, world)?;
        let functions = types::functions(&resolve, world)?;
        Ok(Spec { resolve, package, world, functions })
    }

    /// Returns the id of the package, with its version where it has one: `demo:markdown@0.1.0`.
    pub fn package(&self) -> String {
        self.resolve.packages[self.package].name.to_string()
    }

    /// Returns the version that the package declares, if any.
    pub fn version(&self) -> Option<&semver::Version> {
        self.resolve.packages[self.package].name.version.as_ref()
    }

    /// Returns the name of the chosen world.
    pub fn world_name(&self) -> &str {
        &self.resolve.worlds[self.world].name
    }

    /// Returns what a component of the world is for.
    pub fn kind(&self) -> Kind {
        let exports = self.resolve.worlds[self.world].exports.keys();
        let names: Vec<_> = exports.map(|key| self.resolve.name_world_key(key)).collect();
        Kind::of(names.iter().map(String::as_str))
    }

    /// Returns the functions that the world exports: its own first, then those of its interfaces, each in the order
    /// of the text.
    ///
    /// Methods and constructors of resources are left out: nothing can be called on them by value. A program's
    /// `wasi:cli/run` is shown as a function of arguments, standard input and files.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// Returns the function that `text` names in any accepted form, or `None` where it names none or several.
    pub fn function(&self, text: &str) -> Option<&Function> {
        let mut named = self.functions.iter().filter(|function| function.name.matches(text));
        let function = named.next();
        if named.next().is_none() { function } else { None }
    }

    /// Returns the function that runs the program, or `None` where the world is not that of one.
    pub fn program(&self) -> Option<&Function> {
        self.functions.iter().find(|function| Entry::of(&function.name) == Entry::Command)
    }

    /// Returns what the world imports: interfaces with their versions, and bare functions.
    pub fn imports(&self) -> Vec<String> {
        let imports = self.resolve.worlds[self.world].imports.iter();
        let provided = imports.filter(|(_, item)| !matches!(item, WorldItem::Type { .. }));
        provided.map(|(key, _)| self.resolve.name_world_key(key)).collect()
    }

    /// Returns what the world exports: interfaces with their versions, and bare functions.
    pub fn exports(&self) -> Vec<String> {
        let exports = self.resolve.worlds[self.world].exports.iter();
        let provided = exports.filter(|(_, item)| !matches!(item, WorldItem::Type { .. }));
        provided.map(|(key, _)| self.resolve.name_world_key(key)).collect()
    }

    /// Returns every name of the package once, sorted: of worlds, interfaces, functions, parameters, types, fields,
    /// cases and flags. Search splits them at their hyphens.
    pub fn identifiers(&self) -> Vec<String> {
        let mut names = BTreeSet::new();
        let package = &self.resolve.packages[self.package];
        names.extend([package.name.namespace.clone(), package.name.name.clone()]);
        for (name, world) in &package.worlds {
            names.insert(name.clone());
            let world = &self.resolve.worlds[*world];
            for (key, item) in world.imports.iter().chain(&world.exports) {
                if let (WorldKey::Name(name), WorldItem::Function(function)) = (key, item) {
                    names.insert(name.clone());
                    names.extend(function.params.iter().map(|param| param.name.clone()));
                }
            }
        }
        for (name, _) in &package.interfaces {
            names.insert(name.clone());
        }
        for interface in self.interfaces() {
            let interface = &self.resolve.interfaces[interface];
            for function in interface.functions.values() {
                names.insert(function.item_name().to_owned());
                names.extend(function.params.iter().map(|param| param.name.clone()));
            }
            for (name, ty) in &interface.types {
                names.insert(name.clone());
                types::member_names(&self.resolve.types[*ty].kind, &mut names);
            }
        }
        names.into_iter().collect()
    }

    /// Returns every documentation comment of the package, in the order of the text, separated by empty lines.
    pub fn docs(&self) -> String {
        let package = &self.resolve.packages[self.package];
        let mut docs: Vec<&Docs> = vec![&package.docs];
        for world in package.worlds.values() {
            let world = &self.resolve.worlds[*world];
            docs.push(&world.docs);
            for item in world.imports.values().chain(world.exports.values()) {
                if let WorldItem::Function(function) = item {
                    docs.push(&function.docs);
                }
            }
        }
        for interface in self.interfaces() {
            let interface = &self.resolve.interfaces[interface];
            docs.push(&interface.docs);
            for ty in interface.types.values() {
                let ty = &self.resolve.types[*ty];
                docs.push(&ty.docs);
                docs.extend(types::member_docs(&ty.kind));
            }
            docs.extend(interface.functions.values().map(|function| &function.docs));
        }
        let texts = docs.iter().filter_map(|docs| docs.contents.as_deref()).map(str::trim);
        texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
    }

    /// Returns the interfaces of the package itself, those inline in its worlds included.
    fn interfaces(&self) -> impl Iterator<Item = InterfaceId> {
        let own = move |interface: &wit_parser::Interface| interface.package == Some(self.package);
        self.resolve.interfaces.iter().filter(move |(_, interface)| own(interface)).map(|(id, _)| id)
    }
}

/// Sorts files into the package itself and its dependencies, and refuses too many or too large ones.
fn sort(files: &[(String, String)]) -> Result<(SourceMap, Vec<SourceMap>), SandboxError> {
    if files.len() > limits::FILES_MAX {
        return Err(SandboxError::TooMany { what: "WIT files", count: files.len(), max: limits::FILES_MAX });
    }
    let bytes = files.iter().map(|(_, text)| text.len()).sum();
    if bytes > limits::WIT_BYTES_MAX {
        return Err(SandboxError::TooMany { what: "bytes of WIT", count: bytes, max: limits::WIT_BYTES_MAX });
    }
    let interfaces = files.iter().map(|(_, text)| interfaces_at_most(text)).sum();
    if interfaces > limits::WIT_INTERFACES_MAX {
        let max = limits::WIT_INTERFACES_MAX;
        return Err(SandboxError::TooMany { what: "WIT interfaces", count: interfaces, max });
    }
    let mut main = BTreeMap::new();
    let mut dependencies: BTreeMap<&str, BTreeMap<&str, &str>> = BTreeMap::new();
    for (path, text) in files {
        if text.len() > limits::TEXT_FILE_BYTES_MAX {
            let reason = format!("`{path}` has more than {} bytes", limits::TEXT_FILE_BYTES_MAX);
            return Err(SandboxError::Wit { reason });
        }
        if !path.ends_with(".wit") {
            continue;
        }
        let inside =
            path.strip_prefix("deps/").or_else(|| path.split_once("/deps/").map(|(_, inside)| inside));
        match inside {
            Some(inside) => {
                let package = inside.split('/').next().unwrap_or(inside);
                dependencies.entry(package).or_default().insert(path, text);
            }
            None => {
                main.insert(path.as_str(), text.as_str());
            }
        }
    }
    if main.is_empty() {
        return Err(SandboxError::Wit { reason: "there is no `.wit` file outside of `deps`".into() });
    }
    Ok((source_map(main), dependencies.into_values().map(source_map).collect()))
}

/// Returns how many interfaces a text defines, or more than that.
fn interfaces_at_most(text: &str) -> usize {
    // A comment in the other form can hide that a line goes on, so that with one of them every word counts.
    let is_plain = !text.contains("/*");
    let code = |line| if is_plain { str::split(line, "//").next().unwrap_or(line) } else { line };
    text.lines().map(|line| code(line).matches("interface").count()).sum()
}

fn source_map(files: BTreeMap<&str, &str>) -> SourceMap {
    let mut map = SourceMap::new();
    for (path, text) in files {
        map.push_str(path, text);
    }
    map
}

fn parse(map: SourceMap) -> Result<UnresolvedPackageGroup, SandboxError> {
    map.parse().map_err(|(map, error)| SandboxError::Wit { reason: error.render(&map) })
}

fn choose(resolve: &Resolve, package: PackageId, world: Option<&str>) -> Result<WorldId, SandboxError> {
    let package = &resolve.packages[package];
    let names = || package.worlds.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let reason = match world {
        Some(name) => match package.worlds.get(name) {
            Some(world) => return Ok(*world),
            None if package.worlds.is_empty() => {
                format!("the package `{}` has no world `{name}`, and no other", package.name)
            }
            None => format!("the package `{}` has no world `{name}`; it has {}", package.name, names()),
        },
        None => match package.worlds.values().next() {
            Some(world) if package.worlds.len() == 1 => return Ok(*world),
            Some(_) => format!("the package `{}` has several worlds, name one of {}", package.name, names()),
            None => format!("the package `{}` has no world", package.name),
        },
    };
    Err(SandboxError::World { reason })
}

/// Makes the entry of one exported function, or `None` for what belongs to a resource.
pub(crate) fn function(
    resolve: &Resolve,
    interface: Option<&str>,
    function: &wit_parser::Function,
    nodes: &mut usize,
) -> Result<Option<Function>, SandboxError> {
    if !matches!(function.kind, FunctionKind::Freestanding | FunctionKind::AsyncFreestanding) {
        return Ok(None);
    }
    let name = FunctionName::new(interface, &function.name)
        .map_err(|error| SandboxError::Wit { reason: error.to_string() })?;
    if let Some(Made { ty, signature, docs, .. }) = Entry::of(&name).made() {
        return Ok(Some(Function {
            name,
            ty: ty.into(),
            docs: docs.to_owned(),
            callable: Ok(()),
            signature,
        }));
    }
    let mut converter = types::Converter::new(resolve);
    let typed = typed(&mut converter, function);
    *nodes += converter.nodes();
    let callable = typed.as_ref().map(|_| ()).map_err(String::clone);
    Ok(Some(Function {
        name,
        ty: typed.unwrap_or(FunctionType { params: Vec::new(), result: None }).into(),
        docs: function.docs.contents.as_deref().unwrap_or_default().trim().to_owned(),
        callable,
        signature: types::signature(resolve, function),
    }))
}

fn typed(
    converter: &mut types::Converter<'_>,
    function: &wit_parser::Function,
) -> Result<FunctionType, String> {
    if matches!(function.kind, FunctionKind::AsyncFreestanding) {
        return Err("it is async".into());
    }
    let mut params = Vec::new();
    for param in &function.params {
        let ty =
            converter.convert(&param.ty).map_err(|reason| format!("parameter `{}` {reason}", param.name))?;
        params.push(Param { name: param.name.clone(), ty });
    }
    let result = function.result.as_ref().map(|ty| converter.convert(ty)).transpose();
    Ok(FunctionType { params, result: result.map_err(|reason| format!("its result {reason}"))? })
}
