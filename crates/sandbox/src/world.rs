//! Does a component keep the promise of its world?

use wac_types::{ItemKind, Package, Type, Types, WorldId, validate_target};

use crate::grants::is_tolerated;
use crate::{Spec, WorldMismatch, inspect};

impl Spec {
    /// Checks that `component` can stand for the world of this spec.
    ///
    /// It may export more and import less than the world says. Imports of WASI beyond the world are allowed: they are
    /// inert unless granted. Versions of interfaces are compared as semantic versions.
    pub fn check_world(&self, component: &[u8]) -> Result<(), WorldMismatch> {
        self.check_world_without(component, &[])
    }

    /// Checks the same, and lets it leave out some of the exports, by their names in [`Spec::exports`].
    pub fn check_world_without(&self, component: &[u8], left_out: &[String]) -> Result<(), WorldMismatch> {
        let world = format!("{}/{}", self.package(), self.world_name());
        let refused = |problem: String| WorldMismatch {
            world: world.clone(),
            problem: Some(problem),
            ..WorldMismatch::default()
        };
        // What the comparison reads must be valid and bounded before it is read.
        let inspection = inspect(component).map_err(|error| refused(error.to_string()))?;
        // Types alone need nobody to provide anything.
        let types_only = |name: &str| {
            inspection.imports.iter().any(|import| import.types_only && import.interface == name)
        };
        let mut types = Types::default();
        let target =
            self.target(&mut types).map_err(|error| refused(format!("cannot read the world: {error:#}")))?;
        let component = Package::from_bytes("component", None, component, &mut types)
            .map_err(|error| refused(format!("cannot read the component: {error:#}")))?;
        let Err(report) = validate_target(&types, target, component.ty()) else {
            return Ok(());
        };
        let mismatch = WorldMismatch {
            world: world.clone(),
            missing_exports: report
                .missing_exports()
                .filter(|(name, _)| !left_out.iter().any(|left_out| left_out == name))
                .map(|(name, _)| name.to_owned())
                .collect(),
            unexpected_imports: report
                .imports_not_in_target()
                .filter(|name| !is_tolerated(name) && !types_only(name))
                .map(str::to_owned)
                .collect(),
            mismatched_types: report
                .mismatched_types()
                .map(|(name, _, error)| (name.to_owned(), format!("{error:#}")))
                .collect(),
            problem: None,
        };
        let agrees = mismatch.missing_exports.is_empty()
            && mismatch.unexpected_imports.is_empty()
            && mismatch.mismatched_types.is_empty();
        if agrees { Ok(()) } else { Err(mismatch) }
    }

    /// Returns the chosen world as `wac` sees it: the package is encoded, and read back.
    fn target(&self, types: &mut Types) -> Result<WorldId, String> {
        let bytes =
            wit_component::encode(&self.resolve, self.package).map_err(|error| format!("{error:#}"))?;
        let package =
            Package::from_bytes("spec", None, bytes, types).map_err(|error| format!("{error:#}"))?;
        let world = match types[package.ty()].exports.get(self.world_name()) {
            Some(ItemKind::Type(Type::World(id))) => *id,
            _ => return Err("its encoding does not hold the world".into()),
        };
        match types[world].exports.values().next() {
            Some(ItemKind::Component(id)) => Ok(*id),
            _ => Err("its encoding holds no component type".into()),
        }
    }
}
