//! The vectors of `conformance/value`, for this implementation as for any other.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::hashed::Document as _;
use crate::value::{FunctionType, Type, binary, json, wave};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    about: String,
    values: Vec<Vector>,
    #[serde(default)]
    refused: Vec<Refusal>,
}

/// One value in every notation. `json` and `wave` are what is written; `also` holds other JSON for the same value.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    r#type: Type,
    text: String,
    json: Json,
    #[serde(default)]
    also: Vec<Json>,
    wave: Option<String>,
    hex: String,
}

/// Bytes that are no canonical encoding of the type.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    r#type: Type,
    hex: String,
    why: String,
}

#[test]
fn values_agree_with_the_vectors() {
    for (file, text) in [
        ("scalars", include_str!("../../../../../conformance/value/scalars.json")),
        ("compounds", include_str!("../../../../../conformance/value/compounds.json")),
    ] {
        let vectors: Vectors = serde_json::from_str(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(!vectors.about.is_empty());
        for vector in &vectors.values {
            let ty = &vector.r#type;
            let name = format!("{file}: {ty} {}", vector.json);
            assert_eq!(ty.to_string(), vector.text, "{name}");
            let value = json::from_json(&vector.json, ty).unwrap_or_else(|error| panic!("{name}: {error}"));
            let bytes = binary::encode(&value, ty).expect("a value of its type");
            assert_eq!(hex::encode(&bytes), vector.hex, "{name}");
            assert_eq!(json::to_json(&value, ty).as_ref(), Ok(&vector.json), "{name}");
            let decoded = binary::decode(&bytes, ty).expect("our own encoding");
            assert_eq!(binary::encode(&decoded, ty).as_ref(), Ok(&bytes), "{name}");
            for other in &vector.also {
                let value =
                    json::from_json(other, ty).unwrap_or_else(|error| panic!("{name}: {other}: {error}"));
                assert_eq!(binary::encode(&value, ty).as_ref(), Ok(&bytes), "{name}: {other}");
            }
            match &vector.wave {
                Some(text) => {
                    assert_eq!(wave::to_wave(&value, ty).as_ref(), Ok(text), "{name}");
                    let value = wave::from_wave(text, ty).unwrap_or_else(|error| panic!("{name}: {error}"));
                    assert_eq!(binary::encode(&value, ty).as_ref(), Ok(&bytes), "{name}");
                }
                None => assert!(wave::to_wave(&value, ty).is_err(), "{name}"),
            }
        }
        for refusal in &vectors.refused {
            let bytes = hex::decode(&refusal.hex).expect("the vector is hexadecimal");
            let decoded = binary::decode(&bytes, &refusal.r#type);
            assert!(
                decoded.is_err(),
                "{file}: {} {}: {} was read as {decoded:?}",
                refusal.r#type,
                refusal.hex,
                refusal.why
            );
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Functions {
    about: String,
    functions: Vec<Function>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Function {
    r#type: FunctionType,
    text: String,
    digest: String,
    args: Json,
    call: String,
    args_hex: String,
}

#[test]
fn functions_agree_with_the_vectors() {
    let text = include_str!("../../../../../conformance/value/functions.json");
    let vectors: Functions = serde_json::from_str(text).expect("valid vectors");
    assert!(!vectors.about.is_empty());
    for vector in vectors.functions {
        let ty = &vector.r#type;
        assert_eq!(ty.to_string(), vector.text);
        assert_eq!(ty.compute_digest().to_string(), vector.digest, "{ty}");
        let args = json::args_from_json(ty, &vector.args).expect("arguments of the type");
        assert_eq!(json::args_to_json(ty, &args).as_ref(), Ok(&vector.args), "{ty}");
        assert_eq!(hex::encode(binary::encode_args(ty, &args).expect("arguments")), vector.args_hex, "{ty}");
        let (name, text) = wave::call_from_wave(&vector.call).expect("a call");
        assert_eq!(wave::args_from_wave(ty, &text).as_ref(), Ok(&args), "{}", vector.call);
        let name = name.parse().expect("a function name");
        assert_eq!(wave::call_to_wave(&name, ty, &args).as_ref(), Ok(&vector.call));
    }
}
