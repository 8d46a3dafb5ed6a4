//! Copies of a registry: they hold what the log names, and a reader believes them nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::command::{Server, Shell};
use crate::packages::{bench, example};
use crate::stage::{Stage, Sweep, World};

const CHECKSUM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/checksum");
const MARKDOWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/markdown");

struct Copied {
    shell: Shell,
    server: Server,
    folder: PathBuf,
}

impl Copied {
    /// A registry with two releases, and a copy of it.
    fn new() -> Self {
        let mut shell = Shell::new("");
        let server = Server::start(&shell.folder.path().join("data"), &[]);
        let folder = shell.folder.path().join("mirror");
        shell.registry = server.url.clone();
        shell.ok(&["publish", CHECKSUM]);
        shell.ok(&["publish", MARKDOWN]);
        let copied = Self { shell, server, folder };
        let report = copied.sync();
        // The first entry is what the registry says of itself.
        assert_eq!((&report["entries"], &report["releases"]), (&3.into(), &2.into()));
        copied
    }

    fn sync(&self) -> serde_json::Value {
        self.shell.ok(&["mirror", &self.server.url, "--to", self.folder.to_str().unwrap()])
    }

    fn serve(&self) -> Server {
        Server::spawn(&["mirror", "serve", self.folder.to_str().unwrap(), "--listen", "127.0.0.1:0"])
    }

    /// Returns a reader of the copy alone who knows the log, as after an earlier visit to the registry.
    fn reader(&self, mirror: &Server) -> Shell {
        let reader = Shell::new(&mirror.url);
        let home = reader.folder.path().join("home");
        std::fs::create_dir_all(&home).unwrap();
        let policy = format!("log {}\nquorum none\n", self.server.said["log_key"].as_str().unwrap());
        std::fs::write(home.join("log-policy"), policy).unwrap();
        reader
    }

    /// Returns the files below a folder of the copy.
    fn files(&self, below: &str) -> Vec<PathBuf> {
        fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, found) } else { found.push(path) }
            }
        }
        let mut found = Vec::new();
        walk(&self.folder.join(below), &mut found);
        found.sort();
        found
    }
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_copy_serves_what_the_registry_had() {
    let mut copied = Copied::new();
    let mirror = copied.serve();
    let reader = copied.reader(&mirror);
    copied.server.kill();
    assert_eq!(reader.ok(&["log", "show"])["size"], 3);
    assert_eq!(reader.ok(&["info", "docs:markdown"])["release"], "docs:markdown@1.0.0");
    assert!(reader.ok(&["info", "docs:markdown", "--wit"])["files"].is_array());
    reader.ok(&["download", "bits:checksum"]);
    reader.ok(&["log", "proof", "docs:markdown"]);
    reader.ok(&["log", "verify", "markdown-1.0.0.tlog-proof"]);
    // Nothing runs here, and nothing is published.
    for command in [&["call", "bits:checksum", "crc32([1])"][..], &["search", "x"], &["publish", CHECKSUM]] {
        let refused = reader.refused(command, "mirror-read-only");
        assert!(refused["hint"].as_str().unwrap().contains(&copied.server.url), "{refused}");
    }
    // The copy of a copy is one of the registry.
    let second = reader.folder.path().join("second");
    reader.ok(&["mirror", &mirror.url, "--to", second.to_str().unwrap()]);
    let again = Server::spawn(&["mirror", "serve", second.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    assert_eq!(again.said["mirror_of"], copied.server.url.as_str());
    copied.reader(&again).ok(&["download", "bits:checksum"]);
}

#[test]
fn a_second_run_fetches_only_what_is_new() {
    let copied = Copied::new();
    let report = copied.sync();
    assert_eq!(report["fetched"], 0, "{report}");
    assert!(copied.shell.run(&["new", "hello", "--lang", "wat", "--name", "acme:hello"]).status.success());
    copied.shell.ok(&["publish", "hello"]);
    let mirror = copied.serve();
    let report = copied.sync();
    // The last bundle, and of the new release its page, manifest, WIT, tests and component; sources where it has them.
    let fetched = report["fetched"].as_u64().unwrap();
    assert!((6..=7).contains(&fetched), "{report}");
    assert_eq!(report["entries"], 4);
    // Whoever serves the folder meanwhile shows it at once.
    assert_eq!(copied.reader(&mirror).ok(&["info", "acme:hello"])["release"], "acme:hello@0.1.0");
}

#[test]
fn an_interrupted_copy_goes_on() {
    let copied = Copied::new();
    // What a run leaves that was ended in the middle: some files missing, one cut short, and no checkpoint yet.
    std::fs::remove_file(copied.folder.join("checkpoint")).unwrap();
    std::fs::remove_file(&copied.files("objects")[0]).unwrap();
    let cut = &copied.files("files")[0];
    std::fs::write(cut, &std::fs::read(cut).unwrap()[..20]).unwrap();
    let report = copied.sync();
    assert_eq!(report["fetched"], 2, "{report}");
    let mirror = copied.serve();
    copied.reader(&mirror).ok(&["download", "bits:checksum"]);
}

#[test]
fn a_damaged_copy_is_refused_and_mended() {
    let copied = Copied::new();
    let mirror = copied.serve();
    let reader = || copied.reader(&mirror);
    let mended = || {
        copied.sync();
        let reader = reader();
        reader.ok(&["download", "bits:checksum"]);
        reader.ok(&["log", "proof", "bits:checksum"]);
    };
    // A byte of whatever is there: manifests, components, interfaces.
    let (objects, sets) = (copied.files("objects"), copied.files("files"));
    objects.iter().for_each(|path| flip(path));
    reader().refused(&["download", "bits:checksum"], "component-differs");
    mended();
    for path in &sets {
        let text = std::fs::read_to_string(path).unwrap();
        std::fs::write(path, text.replace("package ", "package  ").replace("func", "func ")).unwrap();
    }
    // A call would go elsewhere, but its interface is read here first.
    reader().refused(&["call", "bits:checksum", "crc32([1])"], "release-differs");
    mended();
    // A tile: a byte of it, or its end.
    let tiles = copied.files("tile/0");
    assert_eq!(tiles.len(), 1);
    let tile = std::fs::read(&tiles[0]).unwrap();
    flip(&tiles[0]);
    let (exit, said) = reader().json(&["log", "proof", "bits:checksum"]);
    assert_eq!((exit, said["code"].as_str()), (2, Some("mirror-damaged")), "{said}");
    mended();
    std::fs::write(&tiles[0], &tile[..tile.len() - 1]).unwrap();
    let (exit, said) = reader().json(&["log", "proof", "bits:checksum"]);
    assert_eq!((exit, said["code"].as_str()), (2, Some("mirror-damaged")), "{said}");
    mended();
    // An entry: a byte of a bundle.
    let bundles = copied.files("tile/entries");
    flip(&bundles[0]);
    let (exit, said) = reader().json(&["log", "proof", "bits:checksum"]);
    assert!(exit != 0, "{said}");
    mended();
}

#[test]
fn an_omitted_release_is_noticed() {
    let copied = Copied::new();
    // The copy of yesterday, by somebody who would rather not show today's release.
    let old = copied.shell.folder.path().join("old");
    let status = std::process::Command::new("cp").arg("-r").arg(&copied.folder).arg(&old).status().unwrap();
    assert!(status.success());
    assert!(copied.shell.run(&["new", "hello", "--lang", "wat", "--name", "acme:hello"]).status.success());
    copied.shell.ok(&["publish", "hello"]);
    copied.sync();
    let mirror = copied.serve();
    let reader = copied.reader(&mirror);
    assert_eq!(reader.ok(&["log", "show"])["size"], 4);
    let lying = Server::spawn(&["mirror", "serve", old.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    // Whoever saw more does not believe less …
    reader.refused(&["log", "show", "--registry", &lying.url], "log-rolled-back");
    // … and the copy cannot claim that there is less under the newer checkpoint.
    std::fs::copy(copied.folder.join("checkpoint"), old.join("checkpoint")).unwrap();
    let (exit, said) = copied.reader(&lying).json(&["download", "bits:checksum"]);
    assert!(exit != 0, "{said}");
}

/// Passes everything on to a server, and one path as if another had been asked for.
async fn liar(of: &str, asked: &'static str, answered: &'static str) -> String {
    passing_on(of, move |path| if path == asked { answered } else { path }.to_owned(), |_, said| said).await
}

/// Passes everything on to a server, under the paths that `route` makes of those that are asked for, and what it says as `say`
/// has it.
pub(crate) async fn passing_on(
    of: &str,
    route: impl Fn(&str) -> String + Clone + Send + Sync + 'static,
    say: impl Fn(&str, Vec<u8>) -> Vec<u8> + Clone + Send + Sync + 'static,
) -> String {
    let (of, http) = (of.to_owned(), reqwest::Client::builder().no_proxy().build().unwrap());
    let pass = move |request: axum::extract::Request| {
        let (of, http, route, say) = (of.clone(), http.clone(), route.clone(), say.clone());
        async move {
            let path = route(request.uri().path());
            let reply = http.get(format!("{of}{path}")).send().await.unwrap();
            let status = axum::http::StatusCode::from_u16(reply.status().as_u16()).unwrap();
            (status, say(&path, reply.bytes().await.unwrap().to_vec()))
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(pass)).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_release_cannot_be_hidden() {
    let now_ms = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let stage = Stage::open(folder, World::at(now_ms as i64), Sweep::Off).await;
    for package in [bench("1.0.0"), bench("2.0.0"), example("checksum")] {
        stage.publish(&package).await;
    }
    let shell = Shell::new(&stage.url);
    let newest = |shell: &Shell| shell.ok(&["log", "proof", "lab:bench"])["release"].clone();
    assert_eq!(newest(&shell), "lab:bench@2.0.0");
    let hiding = liar(&stage.url, "/v1/packages/lab/bench/latest", "/v1/packages/lab/bench/1.0.0").await;
    let refused = Shell::new(&hiding).refused(&["log", "proof", "lab:bench"], "log-unproved");
    assert!(refused["message"].as_str().unwrap().contains("2.0.0 is the newest release"), "{refused}");
    // Whoever asks for the older one by its version gets it.
    Shell::new(&hiding).ok(&["log", "proof", "lab:bench@1.0.0"]);
    // Another package's standing is no answer, nor is another's entry.
    let other = liar(&stage.url, "/v1/log/standing/lab%3Abench", "/v1/log/standing/bits%3Achecksum").await;
    Shell::new(&other).refused(&["log", "proof", "lab:bench"], "log-unproved");
    let entry = liar(&stage.url, "/v1/log/proof/1", "/v1/log/proof/0").await;
    Shell::new(&entry).refused(&["log", "proof", "lab:bench"], "log-unproved");
}

#[test]
fn a_folder_holds_one_copy() {
    let copied = Copied::new();
    let other = Server::start(&copied.shell.folder.path().join("other"), &[]);
    let (exit, said) = copied.shell.json(&["mirror", &other.url, "--to", copied.folder.to_str().unwrap()]);
    assert_eq!((exit, said["code"].as_str()), (2, Some("mirror-invalid")), "{said}");
}
