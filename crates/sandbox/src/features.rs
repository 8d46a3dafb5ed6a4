//! The profile's feature names as the validator's flags.

use glassbox_core::profile::Profile;
use wasmparser::WasmFeatures;

/// Returns exactly the features that the profile names.
///
/// # Panics
///
/// When the profile names a feature that the validator does not know. The built-in profile does not.
pub(crate) fn of(profile: &Profile) -> WasmFeatures {
    profile.features.iter().fold(WasmFeatures::empty(), |features, name| {
        let flag = WasmFeatures::from_name(&name.replace('-', "_").to_uppercase());
        features | flag.unwrap_or_else(|| panic!("the profile names an unknown feature `{name}`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_list() {
        let features = of(Profile::current());
        assert!(
            features.contains(WasmFeatures::COMPONENT_MODEL | WasmFeatures::SIMD | WasmFeatures::TAIL_CALL)
        );
        for off in
            [WasmFeatures::THREADS, WasmFeatures::RELAXED_SIMD, WasmFeatures::GC, WasmFeatures::MEMORY64]
        {
            assert!(!features.intersects(off), "{off:?}");
        }
    }
}
