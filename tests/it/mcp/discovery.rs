//! What finds a registry: each document is there, says the same, and is what its specification asks for.

use serde_json::{Value, json};

use crate::buyer::Reply;
use crate::packages;
use crate::stage::Stage;

async fn as_markdown(stage: &Stage, path: &str) -> Reply {
    let request = stage.http.get(format!("{}{path}", stage.url)).header("accept", "text/markdown, */*");
    Reply::of(request.send().await.unwrap()).await
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|item| item.as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn catalogues_list_what_there_is() {
    let stage = Stage::new().await;
    stage.publish(&packages::example("checksum")).await;
    let url = &stage.url;

    let catalog = stage.get("/.well-known/ai-catalog.json").await;
    assert_eq!(catalog.header("content-type"), Some("application/ai-catalog+json"));
    let catalog = catalog.json();
    assert_eq!(catalog["specVersion"], "1.0");
    let entries = catalog["entries"].as_array().unwrap();
    let identifiers: Vec<&str> = entries.iter().map(|entry| entry["identifier"].as_str().unwrap()).collect();
    assert_eq!(
        identifiers,
        [
            "urn:air:127.0.0.1:registry:main",
            "urn:air:127.0.0.1:mcp:main",
            "urn:air:127.0.0.1:skill:main",
            "urn:air:127.0.0.1:bits:checksum",
            "urn:air:127.0.0.1:lab:bench",
        ]
    );
    for entry in entries {
        assert_eq!(entry["type"], entry["mediaType"]);
        // Each address leads somewhere.
        let there = entry["url"].as_str().unwrap().strip_prefix(url.as_str()).unwrap();
        if there != "/" {
            assert_eq!(stage.get(there).await.status, 200, "{there}");
        }
    }

    let apis = stage.get("/.well-known/api-catalog").await;
    assert_eq!(apis.header("content-type"), Some("application/linkset+json"));
    for link in apis.json()["linkset"].as_array().unwrap() {
        for described in link["service-desc"].as_array().into_iter().flatten() {
            let there = described["href"].as_str().unwrap().strip_prefix(url.as_str()).unwrap();
            assert_eq!(stage.get(there).await.status, 200, "{there}");
        }
    }

    let payable = stage.get("/.well-known/x402").await.json();
    let resources = strings(&payable["resources"]);
    assert!(resources.contains(&format!("{url}/v1/call/lab/bench/1.0.0/double").as_str()), "{payable}");
    assert!(!resources.iter().any(|resource| resource.ends_with("/gift")), "{payable}");
    for resource in resources {
        let asked = stage.get(resource.strip_prefix(url.as_str()).unwrap()).await;
        assert_eq!(asked.status, 402, "{resource}");
    }

    let card = stage.get("/mcp/server-card").await;
    assert_eq!(card.header("content-type"), Some("application/mcp-server-card+json"));
    assert_eq!(card.json()["remotes"][0]["url"], format!("{url}/mcp"));
}

#[tokio::test(flavor = "multi_thread")]
async fn search_finds_what_may_be_paid_for_and_nothing_that_reaches_out() {
    let stage = Stage::new().await;
    stage.publish(&packages::example("checksum")).await;
    let found = async |filters: &str| {
        let found = stage.get(&format!("/v1/search?q=checksum+bench{filters}")).await.json();
        let names = |result: &Value| result["package"].as_str().unwrap().to_owned();
        let mut names: Vec<String> = found["results"].as_array().unwrap().iter().map(names).collect();
        names.sort();
        names
    };
    let both = ["bits:checksum", "lab:bench"];
    assert_eq!(found("").await, both);
    assert_eq!(found("&pure=true").await, both);
    assert_eq!(found("&interface=sums").await, ["bits:checksum"]);
    assert_eq!(found("&max_price=0").await, both, "both have a function that is free");
    assert_eq!(found("&interface=no-such").await, [""; 0]);
    stage.get("/v1/search?q=bench&max_price=cheap").await.assert_problem(400, "amount-invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn resource_discovery_searches_filters_and_pages() {
    let stage = Stage::new().await;
    stage.publish(&packages::example("checksum")).await;
    let search = async |request: Value| stage.post("/search", &request).await;
    let found = search(json!({ "query": { "text": "crc32 checksum" }, "federation": "auto" })).await.json();
    let first = &found["results"][0];
    assert_eq!(
        (&first["identifier"], &first["score"]),
        (&json!("urn:air:127.0.0.1:bits:checksum"), &json!(100))
    );
    assert_eq!(first["source"], format!("{}/", stage.url));
    assert!(strings(&first["capabilities"]).contains(&"bits:checksum#sums.crc32"), "{first}");
    let pure = json!({ "query": { "text": "number", "filter": { "metadata.pure": [true], "displayName": "lab:bench" } } });
    let found = search(pure).await.json();
    assert_eq!(found["results"].as_array().unwrap().len(), 1, "{found}");
    let none = json!({ "query": { "text": "number", "filter": { "type": ["application/other"] } } });
    assert_eq!(search(none).await.json(), json!({ "results": [] }));
    search(json!({ "text": "x" })).await.assert_problem(400, "body-invalid");
    search(json!({ "query": { "text": "x" }, "pageToken": "x" })).await.assert_problem(400, "query-invalid");

    let first = stage.get("/agents?pageSize=1").await.json();
    assert_eq!((&first["total"], &first["items"][0]["displayName"]), (&json!(2), &json!("bits:checksum")));
    let token = first["pageToken"].as_str().unwrap();
    let second = stage.get(&format!("/agents?pageSize=1&pageToken={token}")).await.json();
    assert_eq!(second["items"][0]["displayName"], "lab:bench");
    assert!(second.get("pageToken").is_none());
    let explored = stage.post("/explore", &json!({ "resultType": { "facets": [] } })).await;
    assert_eq!(explored.assert_problem(501, "not-implemented")["errorCode"], "NOT_IMPLEMENTED");
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_say_the_same_as_the_data() {
    let stage = Stage::new().await;
    let index = stage.get("/llms.txt").await;
    assert_eq!(index.header("content-type"), Some("text/markdown; charset=utf-8"));
    assert!(index.text.starts_with("# Glassbox registry\n\n> "), "{}", index.text);
    assert!(
        index.text.contains(&format!("- [lab:bench@1.0.0]({}/v1/packages/lab/bench/1.0.0): ", stage.url))
    );
    let full = stage.get("/llms-full.txt").await.text;
    assert!(
        full.contains("- `double: func(n: u32) -> u32`, $0.002 per call: Returns twice the number."),
        "{full}"
    );
    let skill = stage.get("/SKILL.md").await.text;
    assert!(skill.starts_with("---\nname: glassbox\ndescription: "), "{skill}");

    for path in ["/v1/packages", "/v1/search?q=twice", "/v1/packages/lab/bench/latest"] {
        let text = as_markdown(&stage, path).await;
        assert_eq!(text.header("content-type"), Some("text/markdown; charset=utf-8"), "{path}");
        assert_eq!(text.header("vary"), Some("accept"));
        assert!(
            text.text.starts_with("# ") && text.text.contains("lab:bench@1.0.0"),
            "{path}: {}",
            text.text
        );
        assert_eq!(stage.get(path).await.header("content-type"), Some("application/json"), "{path}");
    }

    let document = stage.get("/v1/packages/lab/bench/latest/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let operation = &document["paths"]["/v1/call/lab/bench/1.0.0/double"]["post"];
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(schema["properties"]["args"]["properties"]["n"]["type"], "integer");
    assert_eq!(operation["x-price"], "$0.002 per call");
}

/// Every code that an agent may meet is explained where it is named.
#[tokio::test(flavor = "multi_thread")]
async fn codes_are_explained_at_their_addresses() {
    let stage = Stage::empty().await;
    let problem = stage.get("/v1/packages/no/body").await.assert_problem(404, "package-not-found");
    let code = problem["type"].as_str().unwrap().rsplit('/').next().unwrap();
    for code in [code, "payment-required", "price-above-max", "tool-not-found", "policy-refused"] {
        let page = stage.get(&format!("/problems/{code}")).await;
        assert_eq!(page.status, 200, "{code}");
        assert!(page.text.starts_with(&format!("# {code}\n\n- ")), "{}", page.text);
    }
    stage.get("/problems/none").await.assert_problem(404, "problem-not-found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_is_told_why_others_do_not_find_the_package() {
    let stage = Stage::new().await;
    let listing =
        async |query: &str| stage.get(&format!("/v1/packages/lab/bench/listing{query}")).await.json();
    let listed = listing("?q=twice").await;
    assert_eq!((&listed["listed"], &listed["rank"]), (&json!(true), &json!(1)));
    assert!(!listed["matched"].as_array().unwrap().is_empty());
    let advice = listed["advice"].to_string();
    assert!(advice.contains("representative-queries") && advice.contains("keywords"), "{advice}");
    let unknown = listing("?q=zebra").await;
    assert!(
        unknown.get("rank").is_none()
            && unknown["advice"][0].as_str().unwrap().starts_with("none of these words")
    );
    stage.get("/v1/packages/no/body/listing").await.assert_problem(404, "package-not-found");
}
