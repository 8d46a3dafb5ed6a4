//! The example packages of these scenarios: folders with a manifest, an interface, cases and components as text.

use std::path::{Path, PathBuf};

use glassbox_core::files::Files;
use glassbox_core::manifest::Manifest;
use glassbox_registry::PackageFiles;

/// Reads the package in a folder of `packages`. A component `dist/NAME.wasm` stands there, or among its sources, as `NAME.wat`.
pub(crate) fn package(name: &str) -> PackageFiles {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/economy/packages").join(name);
    let text = std::fs::read_to_string(folder.join("glassbox.toml")).unwrap();
    let manifest = Manifest::parse(&text).unwrap();
    let component = |path: &str| {
        let text = Path::new(path).with_extension("wat");
        let name = text.file_name().unwrap();
        let found = [folder.join(name), folder.join("src").join(name)].into_iter().find(|path| path.exists());
        wat::parse_file(found.unwrap()).unwrap()
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
        files: manifest.component.files.as_ref().map(|path| files(&folder.join(path))),
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
    let read = |path: PathBuf| {
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read(&path).unwrap())
    };
    Files::new(paths(folder).into_iter().map(read)).unwrap()
}

/// Returns the files in a folder and its folders.
fn paths(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found.into_iter().flat_map(|path| if path.is_dir() { paths(&path) } else { vec![path] }).collect()
}
