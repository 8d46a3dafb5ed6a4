//! Rebuilds the components that are committed beside their sources: examples and templates.
//!
//! Nobody needs this to build or test Glassbox; it is for whoever edits a guest. Every guest is
//! built as its own README says, and the result must satisfy its world before it is kept.
//! Whether it also answers rightly is for the tests to say, which run the committed components.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};
use sha2::{Digest as _, Sha256};
use wit_parser::Resolve;

const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Rebuilds all fixtures, or the one called `only`, and prints what came of each.
///
/// A fixture is called like its folder in `examples/`, or `template-rust` and so on.
///
/// # Errors
///
/// When no fixture has that name, or when one could not be built. The others are built all the same.
pub(crate) fn run(root: &Path, only: Option<&str>) -> Result<()> {
    let mut fixtures = find_fixtures(root)?;
    if let Some(name) = only {
        let names: Vec<_> = fixtures.iter().map(|fixture| fixture.name.clone()).collect();
        fixtures.retain(|fixture| fixture.name == name);
        ensure!(!fixtures.is_empty(), "no fixture `{name}`\nhint: there are {}", names.join(", "));
    }

    let mut failed = Vec::new();
    for fixture in &fixtures {
        match rebuild(fixture, root, only.is_some()) {
            Ok(report) => println!("{:<14} {report}", fixture.name),
            Err(error) => {
                eprintln!("{:<14} not built: {error:#}", fixture.name);
                failed.push(fixture.name.as_str());
            }
        }
    }
    ensure!(failed.is_empty(), "not built: {}", failed.join(", "));
    Ok(())
}

struct Fixture {
    name: String,
    /// The package that is built. Of a template, a copy with its placeholders filled in.
    folder: PathBuf,
    /// Of a template, the same under other names, which the component must fit as well.
    other_names: Option<PathBuf>,
    /// Where the component is committed.
    committed: PathBuf,
    language: Language,
}

#[derive(Clone, Copy, PartialEq)]
enum Language {
    Rust,
    JavaScript,
    Wat,
}

fn find_fixtures(root: &Path) -> Result<Vec<Fixture>> {
    let mut fixtures = Vec::new();
    for folder in folders_in(&root.join("examples"))? {
        if folder.join("glassbox.toml").exists() {
            let committed = folder.join(manifest_value(&folder, "component", "path")?);
            let language = language_of(&folder)?;
            fixtures.push(Fixture {
                name: last_name(&folder),
                folder,
                other_names: None,
                committed,
                language,
            });
        }
    }
    for source in folders_in(&root.join("templates"))? {
        if last_name(&source) == "common" {
            continue;
        }
        let name = format!("template-{}", last_name(&source));
        let folder = fill_in(root, &source, "example", "template")?;
        let other_names = Some(fill_in(root, &source, "another-owner", "another-name")?);
        let committed = source.join(manifest_value(&folder, "component", "path")?);
        let language = language_of(&source)?;
        fixtures.push(Fixture { name, folder, other_names, committed, language });
    }
    Ok(fixtures)
}

fn folders_in(parent: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(parent).with_context(|| format!("cannot read {}", parent.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

fn last_name(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn language_of(folder: &Path) -> Result<Language> {
    if folder.join("Cargo.toml").exists() {
        return Ok(Language::Rust);
    }
    if folder.join("package.json").exists() {
        return Ok(Language::JavaScript);
    }
    text_format_source(folder).map(|_| Language::Wat)
}

fn text_format_source(folder: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(folder.join("src"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wat") {
            return Ok(path);
        }
    }
    bail!("{} holds no Cargo.toml, package.json or src/*.wat", folder.display())
}

fn manifest_value(folder: &Path, table: &str, key: &str) -> Result<String> {
    let path = folder.join("glassbox.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let manifest: toml::Table = text.parse().with_context(|| format!("{} is not TOML", path.display()))?;
    let value = manifest.get(table).and_then(|table| table.get(key)).and_then(|value| value.as_str());
    value.map(str::to_owned).with_context(|| format!("{} has no {table}.{key}", path.display()))
}

/// Copies a template as `glassbox new` would, to where its build may leave things behind.
fn fill_in(root: &Path, source: &Path, namespace: &str, name: &str) -> Result<PathBuf> {
    let folder = root.join("target/fixtures").join(format!("{}-{name}", last_name(source)));
    for part in [root.join("templates/common"), source.to_owned()] {
        copy_filled_in(&part, &folder, namespace, name)?;
    }
    Ok(folder)
}

fn copy_filled_in(from: &Path, to: &Path, namespace: &str, name: &str) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        let target = to.join(last_name(&path));
        if path.is_dir() {
            copy_filled_in(&path, &target, namespace, name)?;
        } else if path.extension().is_none_or(|extension| extension != "wasm") {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("template file {} is not text", path.display()))?;
            fs::write(&target, text.replace("{{namespace}}", namespace).replace("{{name}}", name))?;
        }
    }
    Ok(())
}

fn rebuild(fixture: &Fixture, root: &Path, asked_for: bool) -> Result<String> {
    // Read first: a guest of `examples` is built in place, over the committed file.
    let before = match fs::read(&fixture.committed) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", fixture.committed.display()));
        }
    };
    let built = build(fixture).and_then(|bytes| check(fixture, root, &bytes).map(|()| bytes));
    let built = match (built, &before) {
        (Ok(bytes), _) => bytes,
        (Err(error), Some(before)) => {
            fs::write(&fixture.committed, before)?;
            return Err(error);
        }
        (Err(error), None) => return Err(error),
    };

    let size_bytes = built.len();
    let digest = Sha256::digest(&built);
    // QuickJS is started while building and its memory kept, clock and random seed included, so its
    // bytes never repeat. Replacing 1.5 MB by its equal is worth a commit only when somebody asks.
    let keep = fixture.language == Language::JavaScript && !asked_for;
    let (keeper, verdict) = match before {
        None => (built, "new".to_owned()),
        Some(before) if before == built => (before, "same as committed".to_owned()),
        Some(before) if keep => (
            before,
            format!(
                "differs, as every build with QuickJS; committed bytes kept, \
                 `cargo xtask fixtures {}` replaces them",
                fixture.name
            ),
        ),
        Some(_) => (built, "differs from the committed bytes, replaced".to_owned()),
    };
    if let Some(folder) = fixture.committed.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&fixture.committed, keeper)
        .with_context(|| format!("cannot write {}", fixture.committed.display()))?;
    Ok(format!("{size_bytes:>9} bytes  sha256:{digest:x}  {verdict}"))
}

fn build(fixture: &Fixture) -> Result<Vec<u8>> {
    match fixture.language {
        Language::Rust => build_rust(&fixture.folder),
        Language::JavaScript => build_javascript(&fixture.folder),
        Language::Wat => {
            let source = text_format_source(&fixture.folder)?;
            Ok(wat::parse_file(source)?)
        }
    }
}

/// Runs Cargo, whose linker `wasm-component-ld` makes the component.
fn build_rust(folder: &Path) -> Result<Vec<u8>> {
    demand_wasm_target(folder)?;
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let cargo = |command: &str| {
        let mut cargo = Command::new(&cargo);
        // Flags meant for the host would change the guest, or break it.
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            cargo.env_remove(variable);
        }
        cargo.arg(command).args(["--quiet", "--target", WASM_TARGET]).current_dir(folder);
        if folder.join("Cargo.lock").exists() {
            cargo.arg("--locked");
        }
        cargo
    };
    // Dependencies must be unpacked before their folders can be listed.
    succeed(&mut cargo("fetch"))?;
    let target = folder.join("target");
    let mut build = cargo("build");
    build.args(["--release", "--lib", "--target-dir"]).arg(&target);
    build.arg("--config").arg(remapping_config()?);
    succeed(&mut build)?;

    let manifest: toml::Table = fs::read_to_string(folder.join("Cargo.toml"))?.parse()?;
    let name = |table: &str| manifest.get(table)?.get("name")?.as_str();
    let library = name("lib").or_else(|| name("package")).context("Cargo.toml has no package.name")?;
    let built = target.join(WASM_TARGET).join("release").join(library.replace('-', "_") + ".wasm");
    fs::read(&built).with_context(|| format!("cannot read {}", built.display()))
}

/// Returns the Cargo setting that takes this machine's folders out of panic messages.
///
/// Otherwise no two machines would build the same bytes, and all would tell who built them.
fn remapping_config() -> Result<String> {
    let mut flags = Vec::new();
    let sources = cargo_home()?.join("registry/src");
    if sources.is_dir() {
        for registry in folders_in(&sources)? {
            flags.push(toml::Value::from(format!("--remap-path-prefix={}=/deps", registry.display())));
        }
    }
    Ok(format!("target.{WASM_TARGET}.rustflags={}", toml::Value::Array(flags)))
}

fn cargo_home() -> Result<PathBuf> {
    match env::var_os("CARGO_HOME") {
        Some(home) => Ok(home.into()),
        None => Ok(env::home_dir().context("no home folder")?.join(".cargo")),
    }
}

fn demand_wasm_target(folder: &Path) -> Result<()> {
    let rustc = Command::new("rustc").args(["--print", "sysroot"]).current_dir(folder).output();
    let Ok(rustc) = rustc else { bail!("`rustc` is missing\nhint: install Rust with rustup") };
    let sysroot = PathBuf::from(String::from_utf8(rustc.stdout)?.trim());
    let targets = sysroot.join("lib/rustlib");
    ensure!(
        targets.join(WASM_TARGET).join("lib").is_dir(),
        "the standard library for {WASM_TARGET} is missing\nhint: run `rustup target add {WASM_TARGET}`"
    );
    let linker = format!("wasm-component-ld{}", env::consts::EXE_SUFFIX);
    let shipped = folders_in(&targets)?.iter().any(|target| target.join("bin").join(&linker).exists());
    ensure!(
        shipped || runs("wasm-component-ld"),
        "`wasm-component-ld` is missing\n\
         hint: toolchains of rustup have it; elsewhere run `cargo install --locked wasm-component-ld`"
    );
    Ok(())
}

/// Runs npm, whose package `componentize-qjs` puts script and engine into one component.
fn build_javascript(folder: &Path) -> Result<Vec<u8>> {
    ensure!(runs(npm()), "`npm` is missing\nhint: install Node.js 20 or newer");
    fs::create_dir_all(folder.join("dist"))?;
    let install = ["install", "--no-package-lock", "--no-audit", "--no-fund", "--prefer-offline", "--silent"];
    succeed(Command::new(npm()).args(install).current_dir(folder))?;
    succeed(Command::new(npm()).args(["run", "--silent", "build"]).current_dir(folder))?;
    let built = folder.join(manifest_value(folder, "component", "path")?);
    fs::read(&built).with_context(|| format!("cannot read {}", built.display()))
}

fn npm() -> &'static str {
    if cfg!(windows) { "npm.cmd" } else { "npm" }
}

fn runs(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Runs a command silently, unless it fails: then what it said is the error.
fn succeed(command: &mut Command) -> Result<()> {
    let said = command.output().with_context(|| format!("cannot run {command:?}"))?;
    if said.status.success() {
        return Ok(());
    }
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    bail!("{command:?}: {}\n{out}{err}", said.status)
}

/// Checks that the component satisfies its world, imports nothing beyond, and tells no folder of
/// this machine.
fn check(fixture: &Fixture, root: &Path, component: &[u8]) -> Result<()> {
    for folder in [Some(&fixture.folder), fixture.other_names.as_ref()].into_iter().flatten() {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_path(folder.join(manifest_value(folder, "spec", "wit")?))?;
        let name = manifest_value(folder, "spec", "world")?;
        let world = resolve.select_world(&[package], Some(&name))?;
        wit_component::targets(&resolve, world, component)
            .with_context(|| format!("the component does not satisfy world `{name}`"))?;
    }
    for private in [root.to_owned(), cargo_home()?] {
        let path = private.display().to_string();
        let found = component.windows(path.len()).any(|window| window == path.as_bytes());
        ensure!(!found, "the component tells the folder {path}");
    }
    Ok(())
}
