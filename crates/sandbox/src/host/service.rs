//! Servers as functions: `wasi:http/incoming-handler` with a request in and the response out.
//!
//! The handler's function may go on after it set the response, and often does: to write the body. So the response is
//! what stands when the function returns. A handler that set none, or an error in its place, or left the body
//! unfinished, has not answered: the call fails as a trap does.

use glassbox_core::egress::is_method;
use glassbox_core::value::{Field, FunctionType, Param, Type, Value};

use super::Host;
use super::entry::Made;
use super::http::serving::IncomingRequest;
use super::http::{fields, headers_from, headers_type, response_type, response_value};
use super::stream::Allowance;

/// The interface that servers export, without its version.
pub(crate) const INTERFACE: &str = "wasi:http/incoming-handler";

/// Returns `handle` as callers see it.
pub(crate) fn function() -> Made {
    let text = || Type::Option(Box::new(Type::String));
    let field = |name: &str, ty| Field { name: name.into(), ty };
    let request = Type::Record(vec![
        field("method", Type::String),
        field("scheme", text()),
        field("authority", text()),
        field("path-with-query", text()),
        field("headers", headers_type()),
        field("body", Type::List(Box::new(Type::U8))),
    ]);
    let ty = FunctionType {
        params: vec![Param { name: "request".into(), ty: request }],
        result: Some(response_type()),
    };
    Made {
        // Its own takes resources, which have no type here.
        own: FunctionType { params: Vec::new(), result: None },
        signature: format!("handle: {ty}"),
        ty,
        docs: "Answers an HTTP request. Names of headers are in lower case; the body is whole.",
    }
}

/// Reads the argument of `handle`, which was checked against its type. Fails where it is no request.
pub(super) fn enter(host: &mut Host, args: &[Value], output_bytes: usize) -> Result<(), String> {
    let [Value::Record(parts)] = args else {
        return Err("a server takes a request".into());
    };
    let [Value::String(method), scheme, authority, path, headers, Value::Bytes(body)] = &parts[..] else {
        return Err("a server takes a request".into());
    };
    if !is_method(method) {
        return Err("the request has a method that is none".into());
    }
    let headers = headers_from(headers).filter(|headers| fields::fit(headers));
    host.http.response_bodies = Allowance::new(output_bytes);
    host.http.request = Some(IncomingRequest {
        method: method.clone(),
        scheme: text(scheme),
        authority: text(authority),
        path_with_query: text(path),
        headers: headers.ok_or("the request has headers that are none, or too many")?,
        body: Some(body.clone()),
    });
    Ok(())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Option(Some(value)) => match &**value {
            Value::String(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// Makes the result of `handle` of what the handler left, or says how it did not answer.
pub(crate) fn leave(host: &mut Host) -> Result<Value, String> {
    let reply = host.http.reply.take().ok_or("the handler returned without a response")?;
    let reply = reply.map_err(|error| format!("the handler answered with an error: {error:?}"))?;
    let body = reply.body().ok_or("the handler did not finish the body of its response")?;
    Ok(response_value(reply.status, reply.headers.entries().to_vec(), body))
}
