//! `wasi:http`: requests that a guest makes, and the one that a server is called with.
//!
//! A message is whole before its other side sees any of it: a request leaves when its body is finished, and a guest
//! finds its response complete or not at all. So it learns nothing of timing and of packets, and one observation holds
//! all that it learned. Requests are under way side by side; a guest that looks at one, or ends, waits for it.

pub(crate) mod address;
pub(crate) mod client;
mod code;
pub(crate) mod fields;
pub(crate) mod messages;
pub(crate) mod outgoing;
pub(crate) mod serving;

use glassbox_core::limits;
use glassbox_core::value::{Field as RecordField, Type, Value};
use wasmtime::component::Resource;

use super::bindings::wasi::http::types::ErrorCode;
use super::stream::Allowance;
use super::wire::{Bytes, Wire};
use super::{Host, bindings};
use code::Code;
use fields::Field;
use outgoing::Exchange;
use serving::{IncomingRequest, Reply, ResponseOutparam};

/// What the host keeps of a guest's HTTP messages.
pub(crate) struct Http {
    /// The requests that it made, in order.
    exchanges: Vec<Exchange>,
    /// How many messages it began to make.
    messages: usize,
    /// What it may hold in headers.
    headers: Allowance,
    /// What it may write into the bodies of all its requests together.
    request_bodies: Allowance,
    /// What a server may write into the body of its response.
    pub(super) response_bodies: Allowance,
    /// What a server is called with, until it takes it.
    pub(super) request: Option<IncomingRequest>,
    /// What a server answered.
    pub(super) reply: Option<Result<Reply, ErrorCode>>,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            exchanges: Vec::new(),
            messages: 0,
            headers: Allowance::new(limits::HTTP_FIELDS_HELD_BYTES_MAX),
            request_bodies: Allowance::new(limits::TRANSCRIPT_BYTES_MAX),
            response_bodies: Allowance::new(0),
            request: None,
            reply: None,
        }
    }
}

impl Host {
    /// Gives a server the request that it is called with, and the place for its response.
    pub(crate) fn incoming(
        &mut self,
    ) -> wasmtime::Result<(Resource<IncomingRequest>, Resource<ResponseOutparam>)> {
        let Some(request) = self.http.request.take() else {
            wasmtime::bail!("there is no request to answer");
        };
        Ok((self.push(request)?, self.push(ResponseOutparam)?))
    }
}

/// A request as it leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<Field>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Returns the question that an observation records.
    fn encode(&self) -> wasmtime::Result<Vec<u8>> {
        let headers = self.headers.iter().cloned().map(|(name, value)| (name, Bytes(value)));
        let headers: Vec<_> = headers.collect();
        let parts = [
            self.method.clone().encode()?,
            self.url.clone().encode()?,
            headers.encode()?,
            Bytes(self.body.clone()).encode()?,
        ];
        Ok(parts.concat())
    }
}

/// A response as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<Field>,
    pub(crate) body: Vec<u8>,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer(pub(crate) Result<Response, Code>);

/// In a transcript, `result<record { status: u16, headers: list<tuple<string, list<u8>>>, body: list<u8> }, string>`,
/// whose error is the name that WASI gives it.
impl Wire for Answer {
    fn ty() -> Type {
        Type::Result { ok: Some(Box::new(response_type())), err: Some(Box::new(Type::String)) }
    }

    fn into_value(self) -> Value {
        Value::Result(match self.0 {
            Ok(Response { status, headers, body }) => {
                Ok(Some(Box::new(response_value(status, headers, body))))
            }
            Err(code) => Err(Some(Box::new(Value::String(code.name().to_owned())))),
        })
    }

    fn from_value(value: Value) -> Option<Self> {
        let Value::Result(result) = value else { return None };
        Some(Self(match result {
            Ok(response) => {
                let Value::Record(parts) = *response? else { return None };
                let [Value::U16(status), headers, Value::Bytes(body)] = <[Value; 3]>::try_from(parts).ok()?
                else {
                    return None;
                };
                Ok(Response { status, headers: headers_from(&headers)?, body })
            }
            Err(name) => match *name? {
                Value::String(name) => Err(Code::from_name(&name)?),
                _ => return None,
            },
        }))
    }
}

/// Returns the type of headers: names and values.
pub(super) fn headers_type() -> Type {
    <Vec<(String, Bytes)>>::ty()
}

/// Returns the type of a response.
pub(super) fn response_type() -> Type {
    let field = |name: &str, ty| RecordField { name: name.into(), ty };
    Type::Record(vec![
        field("status", Type::U16),
        field("headers", headers_type()),
        field("body", Bytes::ty()),
    ])
}

/// Makes a value of [`response_type`].
pub(super) fn response_value(status: u16, headers: Vec<Field>, body: Vec<u8>) -> Value {
    let headers: Vec<_> = headers.into_iter().map(|(name, value)| (name, Bytes(value))).collect();
    Value::Record(vec![Value::U16(status), headers.into_value(), Value::Bytes(body)])
}

/// Reads a value of [`headers_type`]. Returns `None` where some are no headers.
pub(super) fn headers_from(value: &Value) -> Option<Vec<Field>> {
    let Value::List(values) = value else { return None };
    let read = |value: &Value| match value {
        Value::Tuple(parts) => match &parts[..] {
            [Value::String(name), Value::Bytes(value)] => fields::field(name, value),
            _ => None,
        },
        _ => None,
    };
    values.iter().map(read).collect()
}
