//! `bazaar`: what a paid resource takes and gives, for those who list resources.
//!
//! An `info` is an example, and its schema says what any request is like. See `specs/extensions/bazaar.md`.

use serde_json::{Map, Value, json};

use super::DRAFT;

/// The extension's name.
pub const NAME: &str = "bazaar";

/// What a resource takes.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// An HTTP request whose parameters are in its query.
    Query {
        /// `GET`, `HEAD` or `DELETE`.
        method: &'static str,
        /// An example of the parameters, an object.
        example: Value,
        /// Their JSON schema: `properties` and what goes with it.
        schema: Value,
    },
    /// An HTTP request with a body of JSON.
    Body {
        /// `POST`, `PUT` or `PATCH`.
        method: &'static str,
        /// An example of the body.
        example: Value,
        /// Its JSON schema.
        schema: Value,
    },
    /// A tool of an MCP server, over streamable HTTP.
    Tool {
        /// The tool's name.
        name: String,
        /// What it does, in a sentence.
        description: String,
        /// An example of its arguments, an object.
        example: Value,
        /// Their JSON schema.
        schema: Value,
    },
}

/// What a resource gives, as JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// An example.
    pub example: Value,
    /// Its JSON schema: `properties` and what goes with it.
    pub schema: Value,
}

/// Returns the declaration.
pub fn declare(input: &Input, output: Option<&Output>) -> Value {
    let (input_info, input_schema) = input.parts();
    let mut info = json!({"input": input_info});
    let mut properties = json!({"input": input_schema});
    if let Some(Output { example, schema }) = output {
        info["output"] = json!({"type": "json", "example": example});
        properties["output"] = json!({
            "type": "object",
            "properties": {"type": {"type": "string"}, "example": object_of(schema)},
            "required": ["type"],
        });
    }
    json!({
        "info": info,
        "schema": {"$schema": DRAFT, "type": "object", "properties": properties, "required": ["input"]},
    })
}

impl Input {
    /// Returns the example of the input, and its schema.
    fn parts(&self) -> (Value, Value) {
        let input = |properties: Value, required: &[&str]| json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false});
        let only = |text: &str| json!({"type": "string", "enum": [text]});
        let http = json!({"type": "string", "const": "http"});
        match self {
            Self::Query { method, example, schema } => (
                json!({"type": "http", "method": method, "queryParams": example}),
                input(
                    json!({"type": http, "method": only(method), "queryParams": object_of(schema)}),
                    &["type", "method"],
                ),
            ),
            Self::Body { method, example, schema } => (
                json!({"type": "http", "method": method, "bodyType": "json", "body": example}),
                input(
                    json!({
                        "type": http,
                        "method": only(method),
                        "bodyType": {"type": "string", "enum": ["json", "form-data", "text"]},
                        "body": schema,
                    }),
                    &["type", "method", "bodyType", "body"],
                ),
            ),
            Self::Tool { name, description, example, schema } => (
                json!({
                    "type": "mcp",
                    "toolName": name,
                    "description": description,
                    "transport": "streamable-http",
                    "inputSchema": schema,
                    "example": example,
                }),
                input(
                    json!({
                        "type": {"type": "string", "const": "mcp"},
                        "toolName": {"type": "string"},
                        "description": {"type": "string"},
                        "transport": only("streamable-http"),
                        "inputSchema": {"type": "object"},
                        "example": {"type": "object"},
                    }),
                    &["type", "toolName", "inputSchema"],
                ),
            ),
        }
    }
}

/// Says that what the schema describes is an object, where it does not say itself what it is.
fn object_of(schema: &Value) -> Value {
    let mut object = Map::from_iter([("type".to_owned(), Value::from("object"))]);
    object.extend(schema.as_object().cloned().unwrap_or_default());
    Value::Object(object)
}
