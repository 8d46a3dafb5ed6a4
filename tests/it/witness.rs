//! Witnesses: none cosigns two histories of one log, whatever is asked of it and whenever it is ended.

use glassbox_core::Digest;
use glassbox_core::key::SecretKey;
use glassbox_core::log::cosignature::attach;
use glassbox_core::log::{AddCheckpoint, CosignerKey, LogKey, Tree, map, open_checkpoint, prove_consistency};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::buyer::Reply;
use crate::command::{Server, Shell};

const ORIGIN: &str = "it.glassbox.dev/watched";
const CHECKSUM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/checksum");

fn log_key() -> LogKey {
    LogKey::new(ORIGIN, SecretKey::from_seed(&[9; 32])).unwrap()
}

fn tree(size: u64, kind: &str) -> Tree {
    let mut tree = Tree::default();
    (0..size).for_each(|index| tree.push(format!("{kind} {index}").as_bytes()));
    tree
}

fn request(old_size: u64, tree: &Tree) -> AddCheckpoint {
    AddCheckpoint {
        old_size,
        hashes: prove_consistency(old_size, tree.size(), tree).unwrap(),
        checkpoint: log_key().sign(tree.size(), tree.root(), map::EMPTY, 1_000),
    }
}

struct Witness {
    data: TempDir,
    server: Server,
    key: CosignerKey,
    http: reqwest::Client,
}

impl Witness {
    fn start(data: TempDir, args: &[&str]) -> Self {
        let log = log_key().verifier_key();
        let folder = data.path().to_str().unwrap().to_owned();
        let watch = ["witness", "--data", &folder, "--log", &log, "--listen", "127.0.0.1:0"];
        let server = Server::spawn(&[&watch, args].concat());
        let key = server.said["key"].as_str().unwrap().parse().unwrap();
        assert_eq!(server.said["logs"], serde_json::json!([ORIGIN]));
        Self { data, server, key, http: reqwest::Client::builder().no_proxy().build().unwrap() }
    }

    /// Starts it again after it was ended.
    fn again(mut self) -> Self {
        self.server.kill();
        let key = self.key.clone();
        let again = Self::start(self.data, &[]);
        assert_eq!(again.key, key, "a witness keeps its key");
        again
    }

    async fn try_send(&self, body: String) -> Result<reqwest::Response, reqwest::Error> {
        self.http.post(format!("{}/add-checkpoint", self.server.url)).body(body).send().await
    }

    async fn send(&self, request: &AddCheckpoint) -> Reply {
        Reply::of(self.try_send(request.to_text()).await.unwrap()).await
    }

    /// Insists that it cosigns.
    async fn cosigns(&self, request: &AddCheckpoint) {
        let reply = self.send(request).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let note = attach(&request.checkpoint, std::slice::from_ref(&reply.text)).unwrap();
        assert!(self.key.verify(&note).unwrap().is_some(), "{}", reply.text);
    }

    /// Insists that it says which size it knows.
    async fn knows(&self, size: u64, request: &AddCheckpoint) {
        let reply = self.send(request).await;
        assert_eq!((reply.status, reply.text.as_str()), (409, format!("{size}\n").as_str()));
        assert_eq!(reply.header("content-type"), Some("text/x.tlog.size"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_cosigns_one_history_and_refuses_the_other() {
    let witness = Witness::start(tempfile::tempdir().unwrap(), &[]);
    let hash = Digest::of(ORIGIN).hex();
    let shown = async || {
        Reply::of(witness.http.get(format!("{}/{hash}/checkpoint", witness.server.url)).send().await.unwrap())
            .await
    };
    assert_eq!(shown().await.status, 404);
    witness.cosigns(&request(0, &tree(3, "entry"))).await;
    witness.cosigns(&request(3, &tree(300, "entry"))).await;
    witness.cosigns(&request(300, &tree(300, "entry"))).await;
    // Neither back, nor from elsewhere, nor to a fork.
    witness.knows(300, &request(3, &tree(5, "entry"))).await;
    witness.knows(300, &request(0, &tree(300, "other"))).await;
    for fork in [request(300, &tree(300, "other")), request(300, &tree(301, "other"))] {
        let reply = witness.send(&fork).await;
        assert_eq!((reply.status, reply.code().as_str()), (422, "log-inconsistent"), "{}", reply.text);
    }
    let foreign = LogKey::new(ORIGIN, SecretKey::from_seed(&[8; 32])).unwrap();
    let unsigned = AddCheckpoint {
        checkpoint: foreign.sign(301, tree(301, "entry").root(), map::EMPTY, 1),
        ..request(300, &tree(301, "entry"))
    };
    let unknown = LogKey::new("elsewhere.org/log", SecretKey::from_seed(&[9; 32])).unwrap();
    let unknown = AddCheckpoint {
        old_size: 0,
        hashes: Vec::new(),
        checkpoint: unknown.sign(1, Digest::of("x"), map::EMPTY, 1),
    };
    for (request, status, code) in [
        (unsigned.to_text(), 403, "checkpoint-not-signed"),
        (unknown.to_text(), 404, "log-unknown"),
        ("old x".into(), 400, "witness-request-invalid"),
    ] {
        let reply = Reply::of(witness.try_send(request).await.unwrap()).await;
        assert_eq!((reply.status, reply.code().as_str()), (status, code), "{}", reply.text);
    }
    let long = Reply::of(witness.try_send("x".repeat(50_000)).await.unwrap()).await;
    assert_eq!(long.status, 413, "{}", long.text);
    // What it shows is what it cosigned last, with the log's signature and its own.
    let note = shown().await.text;
    assert_eq!(open_checkpoint(&note, &log_key().verifier_key()).unwrap().size, 300);
    assert!(witness.key.verify(&note).unwrap().is_some());
    // And it remembers.
    let witness = witness.again();
    witness.knows(300, &request(0, &tree(1, "other"))).await;
    witness.cosigns(&request(300, &tree(301, "entry"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_requests_that_race_one_history_wins() {
    let witness = std::sync::Arc::new(Witness::start(tempfile::tempdir().unwrap(), &[]));
    witness.cosigns(&request(0, &tree(4, "entry"))).await;
    // The same beginning, then as many continuations as there are requests.
    let continued = |size: u64, kind: &str| {
        let mut grown = tree(4, "entry");
        (4..size).for_each(|index| grown.push(format!("{kind} {index}").as_bytes()));
        grown
    };
    let mut racing = JoinSet::new();
    for size in 5..21 {
        let (witness, tree) = (witness.clone(), continued(size, &format!("history {size}")));
        racing.spawn(async move { (size, witness.send(&request(4, &tree)).await) });
    }
    let replies = racing.join_all().await;
    let won: Vec<u64> =
        replies.iter().filter(|(_, reply)| reply.status == 200).map(|(size, _)| *size).collect();
    assert_eq!(won.len(), 1, "{won:?}");
    for (_, reply) in replies.iter().filter(|(_, reply)| reply.status != 200) {
        assert_eq!((reply.status, reply.text.as_str()), (409, format!("{}\n", won[0]).as_str()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_that_is_killed_at_its_write_never_cosigns_two_histories() {
    let (mine, fork) = (tree(5, "entry"), tree(5, "other"));
    // Before the state reached the disk, nothing was cosigned, so either history may still be.
    let mut witness = Witness::start(tempfile::tempdir().unwrap(), &["--crash-at", "witness:before"]);
    assert!(witness.try_send(request(0, &mine).to_text()).await.is_err());
    witness.server.wait();
    let witness = witness.again();
    witness.cosigns(&request(0, &fork)).await;
    witness.knows(5, &request(0, &mine)).await;
    // After it, the answer is lost and the state is not: the other history is refused.
    let mut witness = Witness::start(tempfile::tempdir().unwrap(), &["--crash-at", "witness:after"]);
    assert!(witness.try_send(request(0, &mine).to_text()).await.is_err());
    witness.server.wait();
    let witness = witness.again();
    witness.knows(5, &request(0, &fork)).await;
    let reply = witness.send(&request(5, &fork)).await;
    assert_eq!((reply.status, reply.code().as_str()), (422, "log-inconsistent"), "{}", reply.text);
    witness.cosigns(&request(5, &mine)).await;
}

#[test]
fn a_witness_without_its_state_needs_a_new_key() {
    let witness = Witness::start(tempfile::tempdir().unwrap(), &[]);
    let Witness { data, mut server, .. } = witness;
    server.kill();
    for file in std::fs::read_dir(data.path()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() && path.file_name().unwrap() != "lock" {
            std::fs::remove_file(path).unwrap();
        }
    }
    let shell = Shell::new("http://127.0.0.1:1");
    let log = log_key().verifier_key();
    let folder = data.path().to_str().unwrap();
    let (exit, said) = shell.json(&["witness", "--data", folder, "--log", &log, "--listen", "127.0.0.1:0"]);
    assert_eq!((exit, said["code"].as_str()), (2, Some("witness-state-lost")), "{said}");
}

/// A policy that believes `log` if `witness` cosigned.
fn policy(shell: &Shell, log: &str, witness: &str) -> String {
    let path = shell.folder.path().join("policy");
    std::fs::write(&path, format!("log {log}\nwitness peer {witness}\nquorum peer\n")).unwrap();
    path.to_str().unwrap().to_owned()
}

fn said(server: &Server, field: &str) -> String {
    server.said[field].as_str().unwrap().to_owned()
}

#[test]
fn two_registries_witness_each_other() {
    let mut shell = Shell::new("");
    let root = shell.folder.path().to_owned();
    let folder = |name: &str| root.join(name);
    // Keys first: each must know the other's before it serves in earnest.
    let first = Server::start(&folder("a"), &[]);
    let (log_a, at_a) = (said(&first, "log_key"), first.address().to_owned());
    drop(first);
    let first = Server::start(&folder("b"), &["--witness-for", &log_a]);
    let (log_b, witness_b, at_b) =
        (said(&first, "log_key"), said(&first, "witness_key"), first.address().to_owned());
    drop(first);
    let by_b = format!("http://{at_b}/witness={witness_b}");
    let for_a = ["--witness-for", &log_b, "--witness", &by_b];
    let a = Server::start_at(&at_a, &folder("a"), &for_a);
    let by_a = format!("{}/witness={}", a.url, said(&a, "witness_key"));
    let for_b = ["--witness-for", &log_a, "--witness", &by_a];
    let mut b = Server::start_at(&at_b, &folder("b"), &for_b);

    let trusting_b = policy(&shell, &log_a, &witness_b);
    shell.registry = a.url.clone();
    shell.ok(&["publish", CHECKSUM, "--log-policy", &trusting_b]);
    let shown = shell.ok(&["log", "show", "--log-policy", &trusting_b]);
    // The first entry is what the registry says of itself.
    assert_eq!((&shown["size"], &shown["witnesses"]), (&2.into(), &serde_json::json!(["peer"])));
    assert_eq!(shown["log_key"].as_str(), Some(log_a.as_str()));
    let proof = shell.folder.path().join("checksum.tlog-proof");
    let proof = proof.to_str().unwrap();
    shell.ok(&["log", "proof", "bits:checksum", "--out", proof, "--log-policy", &trusting_b]);
    let verified = shell.ok(&["log", "verify", proof, "--log-policy", &trusting_b]);
    assert_eq!((&verified["release"], &verified["index"]), (&"bits:checksum@1.0.0".into(), &1.into()));

    // And the other way round.
    let shell_b = Shell::new(&b.url);
    let trusting_a = policy(&shell_b, &log_b, &said(&a, "witness_key"));
    shell_b.ok(&["publish", CHECKSUM, "--log-policy", &trusting_a]);

    // Without its witness the registry still publishes; who asks for the witness is not satisfied, everybody else is.
    b.kill();
    assert!(shell.run(&["new", "hello", "--lang", "wat", "--name", "acme:hello"]).status.success());
    shell.refused(&["publish", "hello", "--log-policy", &trusting_b], "log-unwitnessed");
    assert_eq!(shell.ok(&["publish", "hello"])["new"], false);
    // What was cosigned before stays proved.
    shell.ok(&["log", "verify", proof, "--log-policy", &trusting_b]);

    // Once it is back, the next checkpoint has its cosignature again, over all that it missed.
    let _b = Server::start_at(&at_b, &folder("b"), &for_b);
    assert!(shell.run(&["new", "again", "--lang", "wat", "--name", "acme:again"]).status.success());
    shell.ok(&["publish", "again", "--log-policy", &trusting_b]);
    assert_eq!(shell.ok(&["log", "show", "--log-policy", &trusting_b])["size"], 4);
}
