//! Files that the program carries, so that it needs nothing beside it: the templates of `new` and the examples of
//! `demo`.

/// A file by its path in a package.
pub(crate) type File = (&'static str, &'static [u8]);

macro_rules! files {
    ($root:literal: $($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../", $root, "/", $path)))),*]
    };
}

/// What every new package has, whatever its language.
pub(crate) const COMMON: &[File] =
    files!("templates/common": "glassbox.toml", "wit/world.wit", "tests/count-words.toml");

/// A new package in Rust.
pub(crate) const RUST: &[File] = files!("templates/rust":
    ".cargo/config.toml", ".gitignore", "Cargo.toml", "README.md", "src/lib.rs", "dist/component.wasm");

/// A new package in JavaScript.
pub(crate) const JS: &[File] = files!("templates/js":
    ".gitignore", "README.md", "package.json", "src/component.js", "dist/component.wasm");

/// A new package in WebAssembly text.
pub(crate) const WAT: &[File] =
    files!("templates/wat": "README.md", "src/component.wat", "dist/component.wasm");

/// The examples that the demo publishes.
pub(crate) const EXAMPLES: [&[File]; 3] = [
    files!("examples/markdown":
        "glassbox.toml", "wit/world.wit", "tests/html.toml", "tests/outline.toml", "dist/markdown.wasm", "src/lib.rs"),
    files!("examples/semver":
        "glassbox.toml", "wit/world.wit", "tests/ranges.toml", "tests/versions.toml", "dist/semver.wasm",
        "src/semver.js"),
    files!("examples/checksum":
        "glassbox.toml", "wit/world.wit", "tests/crc.toml", "tests/sums.toml", "dist/checksum.wasm",
        "src/checksum.wat"),
];
