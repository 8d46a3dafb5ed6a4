//! The supply chain of a release: what it is made of, and who says what about it.

use glassbox_core::Digest;
use glassbox_core::attestation::{self, Provenance};
use glassbox_core::dsse::{Envelope, Predicate, Subject};
use glassbox_core::key::SecretKey;
use glassbox_core::limits;
use glassbox_core::receipt::audit::VerificationResult;
use glassbox_core::sbom::CARGO_HOST;
use glassbox_store::Moment;
use serde_json::json;

use crate::packages::{self, publisher};
use crate::stage::Stage;

/// The list that `cargo auditable` leaves, compressed as zlib can without compressing.
fn auditable(json: &str) -> Vec<u8> {
    let length = u16::try_from(json.len()).unwrap();
    let (mut a, mut b) = (1u32, 0u32);
    for byte in json.bytes() {
        a = (a + u32::from(byte)) % 65_521;
        b = (b + a) % 65_521;
    }
    let mut bytes = vec![0x78, 0x01, 0x01];
    bytes.extend(length.to_le_bytes());
    bytes.extend((!length).to_le_bytes());
    bytes.extend(json.bytes());
    bytes.extend((b << 16 | a).to_be_bytes());
    bytes
}

/// The package with one more section in its component.
fn with_section(version: &str, name: &str, data: &[u8]) -> glassbox_registry::PackageFiles {
    let leb = |number: usize| {
        [(number & 0x7f) as u8 | 0x80, (number >> 7 & 0x7f) as u8 | 0x80, (number >> 14) as u8]
    };
    let mut package = packages::bench(version);
    package.component.push(0);
    package.component.extend(leb(1 + name.len() + data.len()));
    package.component.push(name.len() as u8);
    package.component.extend(name.bytes());
    package.component.extend(data);
    package
}

pub(crate) fn made_of(version: &str, part: &str, part_version: &str) -> glassbox_registry::PackageFiles {
    let list = json!({ "packages": [
        { "name": "bench", "version": "0.1.0", "source": "local", "root": true, "dependencies": [1, 2] },
        { "name": part, "version": part_version, "source": CARGO_HOST },
        { "name": "cc", "version": "1.2.0", "source": CARGO_HOST, "kind": "build" },
    ] });
    with_section(version, ".dep-v0", &auditable(&list.to_string()))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_component_is_made_of_is_read_at_publish_and_found_by_its_parts() {
    let stage = Stage::new().await;
    stage.publish(&made_of("1.1.0", "smallvec", "1.6.0")).await;
    stage.publish(&made_of("1.2.0", "smallvec", "1.13.0")).await;
    let reply = stage.get("/v1/packages/lab/bench/1.1.0/sbom").await;
    assert!(reply.header("content-type").unwrap().starts_with("application/vnd.cyclonedx+json"));
    let sbom = reply.json();
    assert_eq!((&sbom["bomFormat"], &sbom["specVersion"]), (&json!("CycloneDX"), &json!("1.6")));
    assert_eq!(sbom["components"][1]["purl"], "pkg:cargo/smallvec@1.6.0");
    assert_eq!(sbom["components"][2]["scope"], "excluded");
    let release = stage.get("/v1/packages/lab/bench/1.1.0").await.json();
    let digest = release["component"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    assert_eq!(sbom["metadata"]["component"]["hashes"][0]["content"], digest);

    let found = stage.get("/v1/sboms?package=smallvec&version=1.6.0").await.json();
    assert_eq!(
        found["releases"],
        json!([{ "release": "lab:bench@1.1.0", "version": "1.6.0", "source": "cargo" }])
    );
    let all = stage.get("/v1/sboms?package=smallvec").await.json();
    assert_eq!(all["releases"].as_array().unwrap().len(), 2);
    // What only took part in the build is not in it.
    assert_eq!(stage.get("/v1/sboms?package=cc").await.json()["releases"], json!([]));
    // Nothing was left in this one.
    assert_eq!(stage.get("/v1/packages/lab/bench/1.0.0/sbom").await.json()["components"], json!([]));
    stage.get("/v1/packages/lab/none/1.0.0/sbom").await.assert_problem(404, "package-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_lies_about_its_parts_is_refused() {
    let stage = Stage::empty().await;
    for data in [b"not zlib".to_vec(), auditable("[]"), auditable(r#"{"packages": [{"name": ""}]}"#)] {
        let package = with_section("1.0.0", ".dep-v0", &data);
        let honest = packages::sign(&packages::bench("1.0.0"), &packages::publisher());
        let request = packages::request(&package, honest);
        stage.post("/v1/publish", &request).await.assert_problem(422, "sbom-invalid");
    }
}

const ATTESTATIONS: &str = "/v1/packages/lab/bench/1.0.0/attestations";

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

fn component() -> Digest {
    Digest::of(&packages::bench("1.0.0").component)
}

fn signed(component: Digest, says: impl Predicate, key: &SecretKey) -> Envelope {
    Envelope::sign(vec![Subject::new("bench.wasm", component)], says, key)
}

fn rebuilt(key: &SecretKey, time: &str) -> Envelope {
    signed(component(), attestation::rebuilt(&key.public(), time.into()), key)
}

fn provenance() -> Provenance {
    serde_json::from_value(json!({
        "buildDefinition": { "buildType": "https://example.org/build/v1", "externalParameters": {} },
        "runDetails": { "builder": { "id": "https://example.org/builder" } },
    }))
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_say_of_a_release_is_kept_with_who_signed_it() {
    let stage = Stage::new().await;
    let by_publisher = signed(component(), provenance(), &publisher());
    assert_eq!(stage.post(ATTESTATIONS, &by_publisher).await.status, 201);
    assert_eq!(stage.post(ATTESTATIONS, &by_publisher).await.status, 200, "the same again");
    assert_eq!(stage.post(ATTESTATIONS, &rebuilt(&key(40), "2026-11-22T00:00:00Z")).await.status, 201);
    let said = stage.get(ATTESTATIONS).await.json();
    let said = said["attestations"].as_array().unwrap();
    let kinds: Vec<_> = said.iter().map(|said| (&said["kind"], &said["by_publisher"])).collect();
    assert_eq!(kinds, [(&json!("provenance"), &json!(true)), (&json!("rebuild"), &json!(false))]);
    assert_eq!(said[1]["signer"], key(40).public().to_string());
    assert!(said[1]["means"].as_str().unwrap().contains("may be anybody"));
    // What is shown can be checked by whoever reads it.
    let statement: Envelope = serde_json::from_value(said[1]["statement"].clone()).unwrap();
    statement.verify::<VerificationResult>(&key(40).public()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_attestation_of_this_release_is_refused() {
    let stage = Stage::new().await;
    let stranger = signed(component(), provenance(), &key(40));
    stage.post(ATTESTATIONS, &stranger).await.assert_problem(403, "attestation-not-publishers");
    let elsewhere = signed(Digest::of("other"), provenance(), &publisher());
    stage.post(ATTESTATIONS, &elsewhere).await.assert_problem(422, "attestation-invalid");
    // A statement of another kind is none, whoever signed it: a release presented as an attestation.
    let release = packages::sign(&packages::bench("1.0.0"), &publisher());
    stage.post(ATTESTATIONS, &release).await.assert_problem(422, "attestation-invalid");
    let mut forged = rebuilt(&key(40), "2026-11-22T00:00:00Z");
    forged.signatures[0].keyid = publisher().public().to_string();
    stage.post(ATTESTATIONS, &forged).await.assert_problem(422, "attestation-invalid");
    let mut long = provenance();
    long.build_definition.rest.insert("x".into(), "x".repeat(limits::ATTESTATION_BYTES_MAX).into());
    let long = signed(component(), long, &publisher());
    stage.post(ATTESTATIONS, &long).await.assert_problem(422, "attestation-invalid");
    stage.post(ATTESTATIONS, &json!({ "payload": "x" })).await.assert_problem(400, "body-invalid");
    let nowhere = ATTESTATIONS.replace("1.0.0", "3.0.0");
    stage.post(&nowhere, &stranger).await.assert_problem(404, "release-not-found");
    // One signer can correct itself, and cannot fill the list.
    for second in 0..limits::ATTESTATIONS_PER_SIGNER_MAX {
        let again = rebuilt(&key(40), &format!("2026-11-22T00:00:0{second}Z"));
        assert_eq!(stage.post(ATTESTATIONS, &again).await.status, 201);
    }
    let more = rebuilt(&key(40), "2026-11-22T00:01:00Z");
    stage.post(ATTESTATIONS, &more).await.assert_problem(409, "attestations-full");
    assert_eq!(stage.post(ATTESTATIONS, &rebuilt(&key(41), "2026-11-22T00:01:00Z")).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attestation_that_fails_half_way_is_repeated() {
    for moment in [Moment::Before, Moment::After] {
        let stage = Stage::without_sweep().await;
        let rebuilt = rebuilt(&key(40), "2026-11-22T00:00:00Z");
        stage.inject("attest", moment);
        assert_eq!(stage.post(ATTESTATIONS, &rebuilt).await.status, 500);
        let again = stage.post(ATTESTATIONS, &rebuilt).await;
        assert_eq!(again.status, if moment == Moment::Before { 201 } else { 200 }, "{}", again.text);
        assert_eq!(stage.get(ATTESTATIONS).await.json()["attestations"].as_array().unwrap().len(), 1);
    }
}
