//! The example packages of these scenarios: folders with a manifest, an interface, cases and components as text.

use std::path::{Path, PathBuf};

use glassbox_core::files::Files;
use glassbox_core::manifest::Manifest;
use glassbox_registry::PackageFiles;

/// Reads the package in a folder of `packages`. A component `dist/NAME.wasm` stands there as `NAME.wat`.
pub(crate) fn package(name: &str) -> PackageFiles {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/economy/packages").join(name);
    let text = std::fs::read_to_string(folder.join("glassbox.toml")).unwrap();
    let manifest = Manifest::parse(&text).unwrap();
    let component = |path: &str| {
        let name = Path::new(path).with_extension("wat");
        wat::parse_file(folder.join(name.file_name().unwrap())).unwrap()
    };
    let document = |(_, path): (&str, &str)| (path.to_owned(), std::fs::read(folder.join(path)).unwrap());
    let edition = |(name, path): (&String, &String)| (name.clone(), component(path));
    PackageFiles {
        wit: files(&folder.join("wit")),
        tests: files(&folder.join("tests")),
        component: component(&manifest.component.path),
        documents: Files::new(manifest.documents().map(document)).unwrap(),
        editions: manifest
            .edition
            .iter()
            .filter_map(|(name, edition)| Some((name, edition.path.as_ref()?)))
            .map(edition)
            .collect(),
        files: None,
        source: manifest.source.as_ref().map(|source| files(&folder.join(&source.path))),
        manifest: text,
    }
}

/// Reads the same, with all of its editions for whoever pays so many dollars for a copy.
pub(crate) fn sold_whole(name: &str, usd: &str) -> PackageFiles {
    let files = package(name);
    let kept = |line: &&str| !line.starts_with("requires = ");
    let open = |line: &str| match line.starts_with("execute = [\"remote\"]") {
        true => "execute = [\"remote\", \"local\"]\n".to_owned(),
        false => format!("{line}\n"),
    };
    let open: String = files.manifest.lines().filter(kept).map(open).collect();
    let price =
        format!("[[price]]\nid = \"copy\"\non = \"download\"\nunit = \"download\"\namount = \"{usd}\"\n\n");
    PackageFiles { manifest: open.replace("[security]", &format!("{price}[security]")), ..files }
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
