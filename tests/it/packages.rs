//! What the scenarios publish: the examples of the repository, and a small package of functions made to misbehave.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use glassbox_api::{File, PublishRequest};
use glassbox_core::dsse::Envelope;
use glassbox_core::files::Files;
use glassbox_core::key::SecretKey;
use glassbox_registry::PackageFiles;
use glassbox_registry::package::Package;

/// The key that publishes everything, unless a scenario says otherwise.
pub(crate) fn publisher() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

/// Reads an example as its publisher's folder has it, with its source.
pub(crate) fn example(name: &str) -> PackageFiles {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    PackageFiles {
        manifest: std::fs::read_to_string(folder.join("glassbox.toml")).unwrap(),
        wit: files(&folder.join("wit")),
        tests: files(&folder.join("tests")),
        editions: Default::default(),
        documents: Default::default(),
        component: std::fs::read(folder.join("dist").join(format!("{name}.wasm"))).unwrap(),
        files: None,
        source: Some(files(&folder.join("src"))),
    }
}

fn files(folder: &Path) -> Files {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap())
    };
    Files::new(paths.into_iter().map(read)).unwrap()
}

/// Makes a file set of one file.
pub(crate) fn one_file(path: &str, text: impl Into<String>) -> Files {
    Files::new([(path.to_owned(), text.into().into_bytes())]).unwrap()
}

/// The functions of `lab:bench`. `double` works, the others are what a guest may do instead.
const BENCH: &str = r#"(component
  (core module $m
    (memory (export "memory") 1)
    (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "burn") (param i32) (result i32) (local $n i32)
      (block $end (loop $more
        (br_if $end (i32.eq (local.get $n) (local.get 0)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br $more)))
      (local.get $n))
    (func (export "boom") (param i32) (result i32) unreachable)
    (func (export "spin") (result i32) (loop $forever (br $forever)) unreachable)
    (func (export "flood") (param i32) (result i32)
      (drop (memory.grow (i32.const 400)))
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (local.get 0))
      (i32.const 0)))
  (core instance $i (instantiate $m))
  (func (export "double") (param "n" u32) (result u32) (canon lift (core func $i "double")))
  (func (export "gift") (param "n" u32) (result u32) (canon lift (core func $i "double")))
  (func (export "burn") (param "rounds" u32) (result u32) (canon lift (core func $i "burn")))
  (func (export "boom") (param "n" u32) (result u32) (canon lift (core func $i "boom")))
  (func (export "try-boom") (param "n" u32) (result u32) (canon lift (core func $i "boom")))
  (func (export "spin") (result u32) (canon lift (core func $i "spin")))
  (func (export "flood") (param "size" u32) (result (list u8))
    (canon lift (core func $i "flood") (memory (core memory $i "memory")))))
"#;

const BENCH_WIT: &str = "
/// Works, and what else a guest may do.
world bench {
  /// Returns twice the number.
  export double: func(n: u32) -> u32;
  /// The same for nothing.
  export gift: func(n: u32) -> u32;
  /// Goes round a loop.
  export burn: func(rounds: u32) -> u32;
  /// Traps.
  export boom: func(n: u32) -> u32;
  /// Traps, and costs all the same.
  export try-boom: func(n: u32) -> u32;
  /// Never returns.
  export spin: func() -> u32;
  /// Returns many bytes.
  export flood: func(size: u32) -> list<u8>;
}
";

const BENCH_MANIFEST: &str = r#"
[package]
name = "lab:bench"
version = "VERSION"
description = "Functions that work, trap, spin and flood"
license = "Apache-2.0"

[spec]
world = "bench"

[component]
path = "bench.wasm"
execute = ["remote"]
fuel-max = 100_000_000_000

[[price]]
id = "double"
export = "double"
unit = "call"
amount = "0.002"

[[price]]
id = "burn"
export = "burn"
unit = "fuel"
amount = "0.0001"
per = 1_000_000
minimum = "0.0001"

[[price]]
id = "boom"
export = "boom"
unit = "call"
amount = "0.002"

[[price]]
id = "try-boom"
export = "try-boom"
unit = "call"
amount = "0.002"
charge-on = "attempt"

[[price]]
id = "spin"
export = "spin"
unit = "call"
amount = "0.002"

[[price]]
id = "flood"
export = "flood"
unit = "call"
amount = "0.002"

[security]
contact = "security@lab.example"
support-until = 2029-12-31

[[payee]]
id = "acct:ana@lab.example"
share = 7000

[[payee]]
id = "acct:ben@lab.example"
share = 3000
"#;

const BENCH_CASES: &str = r#"
[[case]]
name = "twice two"
call = "double(2)"
expect = "4"
"#;

/// Makes `lab:bench` at a version: small, so that it compiles in no time.
pub(crate) fn bench(version: &str) -> PackageFiles {
    PackageFiles {
        manifest: BENCH_MANIFEST.replace("VERSION", version),
        wit: one_file("world.wit", format!("package lab:bench@{version};\n{BENCH_WIT}")),
        tests: one_file("bench.toml", BENCH_CASES),
        editions: Default::default(),
        documents: Default::default(),
        component: wat::parse_str(BENCH).unwrap(),
        files: None,
        source: None,
    }
}

/// Makes `lab:bench` at a version, to be downloaded with one file: for so many dollars, or for nothing.
pub(crate) fn downloadable(version: &str, price: Option<&str>) -> PackageFiles {
    let component =
        "execute = [\"remote\", \"local\"]\nfiles = \"data/\"\nimports-allow = [\"wasi:filesystem\"]";
    let price = price.map(|amount| {
        format!("[[price]]\nid = \"copy\"\non = \"download\"\nunit = \"download\"\namount = \"{amount}\"\n\n")
    });
    let bench = bench(version);
    let manifest = bench.manifest.replace("execute = [\"remote\"]", component);
    PackageFiles {
        manifest: manifest.replace("[security]", &format!("{}[security]", price.unwrap_or_default())),
        files: Some(one_file("words.txt", format!("the words of {version}"))),
        ..bench
    }
}

/// Signs what the package says of itself, as an honest publisher does.
pub(crate) fn sign(package: &PackageFiles, key: &SecretKey) -> Envelope {
    Package::check(package.clone()).unwrap().statement().sign(key)
}

/// Writes a publish request.
pub(crate) fn request(package: &PackageFiles, statement: Envelope) -> PublishRequest {
    let files = |files: &Files| -> Vec<File> {
        let file = |(path, bytes): (&str, &[u8])| match std::str::from_utf8(bytes) {
            Ok(text) => File { path: path.into(), text: Some(text.into()), base64: None },
            Err(_) => File { path: path.into(), text: None, base64: Some(STANDARD.encode(bytes)) },
        };
        files.iter().map(file).collect()
    };
    PublishRequest {
        manifest: package.manifest.clone(),
        wit: files(&package.wit),
        tests: files(&package.tests),
        component: STANDARD.encode(&package.component),
        editions: package
            .editions
            .iter()
            .map(|(name, bytes)| (name.clone(), STANDARD.encode(bytes)))
            .collect(),
        documents: files(&package.documents),
        files: package.files.as_ref().map(files),
        source: package.source.as_ref().map(files),
        statement,
    }
}
