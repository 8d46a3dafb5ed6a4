//! The OpenAPI document says what there is, and all of it is there.

use serde_json::{Value, json};

use crate::stage::Stage;

/// Paths and methods. Read it before changing it: clients are built from the document.
const ROUTES: &str = "\
get /checkpoint
get /healthz
get /metrics
get /tile/{path}
get /v1/account
get /v1/advisories
post /v1/advisories
get /v1/advisories/{id}
get /v1/approvals
post /v1/approvals/{id}
get /v1/balances/{address}
get /v1/call/{ns}/{name}/{version}/{function}
post /v1/call/{ns}/{name}/{version}/{function}
get /v1/choose/{ns}/{name}/{version}/{function}
post /v1/contradictions
get /v1/credit
post /v1/credit
post /v1/credit/refund
post /v1/credit/revoke
post /v1/devnet/faucet
post /v1/devnet/rpc
get /v1/earnings
get /v1/executors/{did}
get /v1/executors/{did}/contradictions/{digest}
get /v1/interfaces
get /v1/interfaces/{ns}/{package}/{interface}
post /v1/licenses
post /v1/licenses/oidc
get /v1/log/proof/{index}
get /v1/log/standing/{about}
get /v1/namespaces/{ns}
post /v1/namespaces/{ns}/cancel
post /v1/namespaces/{ns}/policy
post /v1/namespaces/{ns}/proof
post /v1/namespaces/{ns}/revocations
post /v1/notices
get /v1/notices/{id}
get /v1/operate/accounts
post /v1/operate/accounts
post /v1/operate/accounts/{account}/budget
post /v1/operate/accounts/{account}/close
post /v1/operate/accounts/{account}/credit
post /v1/operate/accounts/{account}/settlement
get /v1/operate/accounts/{account}/tokens
post /v1/operate/accounts/{account}/tokens
post /v1/operate/accounts/{account}/tokens/{id}/revoke
get /v1/operate/actions
get /v1/operate/audit
get /v1/operate/blocklists
get /v1/operate/chargeback
post /v1/operate/claims
post /v1/operate/credit
post /v1/operate/freezes
get /v1/operate/notices
post /v1/operate/notices/{id}
get /v1/operate/payees
post /v1/operate/payees
post /v1/operate/payouts
post /v1/operate/refunds
get /v1/operate/statement
get /v1/packages
get /v1/packages/{ns}/{name}
get /v1/packages/{ns}/{name}/listing
get /v1/packages/{ns}/{name}/{version}
get /v1/packages/{ns}/{name}/{version}/attestations
post /v1/packages/{ns}/{name}/{version}/attestations
get /v1/packages/{ns}/{name}/{version}/component
post /v1/packages/{ns}/{name}/{version}/confirm
get /v1/packages/{ns}/{name}/{version}/documents
get /v1/packages/{ns}/{name}/{version}/files
post /v1/packages/{ns}/{name}/{version}/licenses
get /v1/packages/{ns}/{name}/{version}/manifest
get /v1/packages/{ns}/{name}/{version}/openapi.json
post /v1/packages/{ns}/{name}/{version}/quarantine
get /v1/packages/{ns}/{name}/{version}/sbom
get /v1/packages/{ns}/{name}/{version}/source
post /v1/packages/{ns}/{name}/{version}/terms
get /v1/packages/{ns}/{name}/{version}/tests
post /v1/packages/{ns}/{name}/{version}/tips
get /v1/packages/{ns}/{name}/{version}/wit
post /v1/packages/{ns}/{name}/{version}/yank
post /v1/publish
get /v1/quote/{ns}/{name}/{version}/{function}
get /v1/receipts/{call}
get /v1/registry
get /v1/sboms
get /v1/search
get /v1/serve/{ns}/{name}/{version}/
get /v1/serve/{ns}/{name}/{version}/{path}
post /v1/tips
post /v1/verify
get /v1/verify/{digest}
";

fn routes(document: &Value) -> Vec<(String, String)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| (method.clone(), path.clone()))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_lists_every_route_and_each_is_there() {
    let stage = Stage::new().await;
    let served = stage.get("/openapi.json").await;
    assert_eq!(served.header("content-type"), Some("application/json"));
    let document = served.json();
    assert_eq!(document, serde_json::to_value(glassbox_server::openapi()).unwrap());
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);

    let found = routes(&document);
    let listed: String = found.iter().map(|(method, path)| format!("{method} {path}\n")).collect();
    assert_eq!(listed, ROUTES);

    for (method, path) in found {
        let filled = [
            ("{ns}", "lab"),
            ("{name}", "bench"),
            ("{version}", "1.0.0"),
            ("{function}", "double"),
            ("{call}", "00"),
            ("{address}", "0x0000000000000000000000000000000000000001"),
            ("{about}", "lab:bench"),
            ("{index}", "0"),
            ("{path}", "0/000.p/1"),
        ];
        let url = filled.iter().fold(path.clone(), |url, (name, value)| url.replace(name, value));
        let reply = match method.as_str() {
            "get" => stage.get(&url).await,
            _ => stage.post(&url, &json!({})).await,
        };
        assert!(
            !["route-not-found", "method-not-allowed"].contains(&reply.code().as_str()),
            "{method} {path}"
        );
        assert!(reply.status < 500, "{method} {path}: {}", reply.text);
        // What it answered is one of the answers that the document promises.
        let promised = &document["paths"][&path][&method]["responses"];
        assert!(
            promised.get(reply.status.to_string()).is_some(),
            "{method} {path}: {} {}",
            reply.status,
            reply.text
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reference_of_the_document_leads_somewhere() {
    let document = serde_json::to_value(glassbox_server::openapi()).unwrap();
    let mut waiting = vec![&document];
    let mut found = 0;
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(reference)) = map.get("$ref") {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                    found += 1;
                }
                waiting.extend(map.values());
            }
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    assert!(found > 20, "{found} references");
}
