//! A receipt that holds, and is not of what was asked: a client relies on neither.

use glassbox_api::{CallBody, CallResponse};
use glassbox_client::{Call, check_reply};
use glassbox_core::receipt::Bundle;
use glassbox_core::value::{FunctionType, Param, Type};
use serde_json::{Value, json};

use crate::buyer::bench;
use crate::stage::Stage;

/// The type of `double`.
fn double() -> FunctionType {
    FunctionType { params: vec![Param { name: "n".into(), ty: Type::U32 }], result: Some(Type::U32) }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_only_with_the_receipt_of_its_own_request() {
    let stage = Stage::new().await;
    let buyer = stage.buyer("payer", 1).await;
    let path = bench("double");
    let parse = |reply: Value| serde_json::from_value::<CallResponse>(reply).unwrap();
    let first = parse(buyer.pay(&path, json!([21]), "first").await.json());
    let second = parse(buyer.pay(&path, json!([4]), "second").await.json());
    let release = "lab:bench@1.0.0".parse().unwrap();
    let call = |args: Value| Call {
        release: &release,
        function: "double",
        body: CallBody { args, ..CallBody::default() },
    };
    let executor = stage.registry.executor();
    let check = |args: Value, response: &CallResponse| {
        check_reply(&call(args), &double().into(), response, &executor).map_err(|error| error.to_string())
    };
    assert_eq!(check(json!([21]), &first).unwrap().charge.amount.0, 2_000);
    assert!(check(json!({ "n": 21 }), &first).is_ok(), "by name as by position");

    let refused = |response: CallResponse, why: &str| {
        let error = check(json!([21]), &response).unwrap_err();
        assert!(error.contains(why), "{error}");
    };
    refused(second.clone(), "other arguments");
    refused(CallResponse { receipt: second.receipt.clone(), ..first.clone() }, "another call");
    refused(CallResponse { output: json!(43), ..first.clone() }, "another output");
    refused(CallResponse { fuel_used: 1, ..first.clone() }, "another charge");
    refused(CallResponse { call: "../wallet".into(), ..first.clone() }, "another call");
    let other: Bundle = Bundle { format: "glassbox-bundle/9".into(), ..first.receipt.clone() };
    refused(CallResponse { receipt: other, ..first.clone() }, "format");
    let stranger = glassbox_core::key::SecretKey::from_seed(&[42; 32]).public();
    let error = check_reply(&call(json!([21])), &double().into(), &first, &stranger).unwrap_err();
    assert!(error.to_string().contains("signature"), "{error}");
}
