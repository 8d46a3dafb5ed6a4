//! The supply chain of a release: what it is made of, and who says what about it.

use serde_json::json;

use crate::packages;
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
        { "name": part, "version": part_version, "source": "crates.io" },
        { "name": "cc", "version": "1.2.0", "source": "crates.io", "kind": "build" },
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
        json!([{ "release": "lab:bench@1.1.0", "version": "1.6.0", "source": "crates.io" }])
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
