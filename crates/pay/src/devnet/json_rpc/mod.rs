//! A small JSON-RPC of the devnet, so that wallets and stock x402 clients can look at it and approve tokens.
//!
//! Only the latest state is kept, gas is free, and there are no coins. See JSON-RPC 2.0 and the Ethereum execution
//! APIs.

mod door;
mod methods;
mod words;

use serde_json::{Value, json};

pub(super) use self::door::Door;

use super::Devnet;
use glassbox_core::limits::{JSON_RPC_BATCH_MAX, JSON_RPC_BYTES_MAX};

/// Why a request was refused.
#[derive(Debug)]
struct Fault {
    code: i64,
    message: String,
    data: Option<String>,
}

impl Fault {
    fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    fn request(message: impl Into<String>) -> Self {
        Self::new(-32600, message)
    }

    fn parameters(message: impl Into<String>) -> Self {
        Self::new(-32602, message)
    }

    /// `limit exceeded`, by EIP-1474.
    fn limit(message: impl Into<String>) -> Self {
        Self::new(-32005, message)
    }

    fn refused(message: impl Into<String>) -> Self {
        Self::new(-32000, message)
    }
}

impl Devnet {
    /// Answers a JSON-RPC request, or a batch of at most [`JSON_RPC_BATCH_MAX`]. Whatever is wrong with it is in the
    /// answer.
    pub async fn json_rpc(&self, body: &[u8]) -> Value {
        if body.len() > JSON_RPC_BYTES_MAX {
            let message = format!("a request has at most {JSON_RPC_BYTES_MAX} bytes");
            return answer(Value::Null, Err(Fault::request(message)));
        }
        let Some(_permit) = self.door.enter() else {
            return answer(Value::Null, Err(Fault::limit("too many ask at once; ask again in a moment")));
        };
        match serde_json::from_slice(body) {
            Err(error) => answer(Value::Null, Err(Fault::new(-32700, format!("it is not JSON: {error}")))),
            Ok(Value::Array(requests)) if requests.is_empty() || requests.len() > JSON_RPC_BATCH_MAX => {
                let message = format!("a batch has between 1 and {JSON_RPC_BATCH_MAX} requests");
                answer(Value::Null, Err(Fault::request(message)))
            }
            Ok(Value::Array(requests)) => {
                let mut answers = Vec::with_capacity(requests.len());
                for request in &requests {
                    answers.push(self.answer_one(request).await);
                }
                Value::Array(answers)
            }
            Ok(request) => self.answer_one(&request).await,
        }
    }

    async fn answer_one(&self, request: &Value) -> Value {
        // An id is a number, a text or nothing; anything else would only be repeated.
        let id = request.get("id").filter(|id| id.is_number() || id.is_string()).cloned();
        let answered = match (request.get("method"), request.get("params")) {
            (Some(Value::String(method)), None | Some(Value::Null)) => self.method(method, &[]).await,
            (Some(Value::String(method)), Some(Value::Array(parameters))) => {
                self.method(method, parameters).await
            }
            (Some(Value::String(_)), Some(_)) => Err(Fault::parameters("`params` is not a list")),
            _ => Err(Fault::request("`method` is missing")),
        };
        answer(id.unwrap_or(Value::Null), answered)
    }
}

fn answer(id: Value, answered: Result<Value, Fault>) -> Value {
    match answered {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(Fault { code, message, data }) => {
            let mut error = json!({ "code": code, "message": message });
            if let Some(data) = data {
                error["data"] = data.into();
            }
            json!({ "jsonrpc": "2.0", "id": id, "error": error })
        }
    }
}
