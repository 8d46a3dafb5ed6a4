//! Canonical JSON, for the few documents that are hashed rather than signed as bytes.
//!
//! Objects are written with their keys sorted by code point and without white space. Numbers are integers only,
//! which every JSON library writes the same way.

use serde::Serialize;
use serde_json::Value;

use crate::Digest;

/// Writes `document` canonically.
///
/// # Panics
///
/// When `document` holds a float or a non-string key: both are mistakes in our own types.
pub fn to_bytes(document: &impl Serialize) -> Vec<u8> {
    let value = serde_json::to_value(document).expect("our documents have string keys");
    let mut out = Vec::new();
    write(&value, &mut out);
    out
}

/// Returns the digest of the canonical form.
pub fn digest(document: &impl Serialize) -> Digest {
    Digest::of(to_bytes(document))
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(map) => {
            // Sorted here and not by the map: another crate may switch serde_json to insertion order.
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            out.push(b'{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(&Value::String(key.clone()), out);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Number(number) => {
            assert!(!number.is_f64(), "a canonical document holds no float, but found {number}");
            out.extend_from_slice(number.to_string().as_bytes());
        }
        other => out.extend_from_slice(other.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_and_white_space_is_gone() {
        let document = serde_json::json!({"b": [1, null, {"d": "\"", "c": true}], "a": "ž"});
        assert_eq!(
            to_bytes(&document),
            "{\"a\":\"ž\",\"b\":[1,null,{\"c\":true,\"d\":\"\\\"\"}]}".as_bytes()
        );
    }
}
