//! `wasi:http/types` beside headers: requests, responses and their bodies, all of them in memory.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use glassbox_core::egress::is_method;
use glassbox_core::limits;
use wasmtime::component::Resource;

use super::bindings::wasi::http::types::{self, ErrorCode, Method, Scheme};
use super::code::Code;
use super::fields::{Field, Fields};
use super::{Host, fields};
use crate::host::io::Pollable;
use crate::host::stream::{Allowance, Buffer, InputStream, IoError, OutputStream, Source};

/// The body of a message that a guest writes: shared by the message and the handle that writes it.
#[derive(Debug, Clone)]
pub(crate) struct Draft(Arc<Mutex<DraftState>>);

#[derive(Debug)]
enum DraftState {
    Empty,
    Open,
    Finished(Vec<u8>),
    Abandoned,
}

/// What became of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It is still being written.
    Open,
    /// All of it is here.
    Whole(Vec<u8>),
    /// It was dropped before it was finished.
    Abandoned,
}

impl Draft {
    pub(super) fn empty() -> Self {
        Self(Arc::new(Mutex::new(DraftState::Empty)))
    }

    /// Guards a state that is whole between any two statements.
    fn state(&self) -> MutexGuard<'_, DraftState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to write. Returns `false` where somebody did already.
    fn open(&self) -> bool {
        let mut state = self.state();
        let first = matches!(*state, DraftState::Empty);
        if first {
            *state = DraftState::Open;
        }
        first
    }

    /// Tells what became of the body, and takes it where all of it is here. A body that nobody writes is empty.
    pub(super) fn take(&self) -> Written {
        let mut state = self.state();
        match &mut *state {
            DraftState::Empty => Written::Whole(Vec::new()),
            DraftState::Open => Written::Open,
            DraftState::Finished(bytes) => Written::Whole(std::mem::take(bytes)),
            DraftState::Abandoned => Written::Abandoned,
        }
    }
}

/// The host's side of an `outgoing-request`.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct OutgoingRequest {
    pub(super) method: Method,
    pub(super) path_with_query: Option<String>,
    pub(super) scheme: Option<Scheme>,
    pub(super) authority: Option<String>,
    pub(super) headers: Fields,
    pub(super) body: Draft,
}

/// The host's side of an `outgoing-body`.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct OutgoingBody {
    draft: Draft,
    buffer: Buffer,
    written: bool,
    /// What the message's headers say of its length.
    declared: Option<Vec<u8>>,
    bytes_max: usize,
}

impl Drop for OutgoingBody {
    fn drop(&mut self) {
        let mut state = self.draft.state();
        if matches!(*state, DraftState::Open) {
            *state = DraftState::Abandoned;
        }
    }
}

/// The host's side of an `incoming-response`.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct IncomingResponse {
    pub(super) status: u16,
    pub(super) headers: Vec<Field>,
    /// Gone once the guest took it.
    pub(super) body: Option<Vec<u8>>,
}

/// The host's side of an `incoming-body`: its bytes, gone once the guest reads them.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct IncomingBody(Option<Vec<u8>>);

/// The host's side of `future-trailers`. There are none.
#[derive(Debug, Default)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct FutureTrailers {
    taken: bool,
}

/// Returns a method's name.
pub(super) fn method_name(method: &Method) -> &str {
    match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => name,
    }
}

pub(super) fn method_of(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        name => Method::Other(name.to_owned()),
    }
}

pub(super) fn scheme_of(name: &str) -> Scheme {
    match name {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        name => Scheme::Other(name.to_owned()),
    }
}

pub(super) fn scheme_bytes(scheme: &Scheme) -> usize {
    match scheme {
        Scheme::Http | Scheme::Https => 0,
        Scheme::Other(name) => name.len(),
    }
}

pub(super) fn declared_length(headers: &[Field]) -> Option<Vec<u8>> {
    headers.iter().find(|(name, _)| name == "content-length").map(|(_, value)| value.clone())
}

impl Host {
    /// Takes the headers of a new message, which the guest gives away.
    pub(super) fn take_headers(&mut self, headers: Resource<Fields>) -> wasmtime::Result<Fields> {
        self.http.messages += 1;
        if self.http.messages > limits::HTTP_MESSAGES_MAX {
            wasmtime::bail!("the guest made more HTTP messages than it may");
        }
        let headers = self.delete(headers)?;
        if !fields::fit(headers.entries()) {
            wasmtime::bail!("a message has more headers than it may");
        }
        Ok(headers)
    }

    /// Opens the body of a message, once.
    pub(super) fn open_body(
        &mut self,
        draft: Draft,
        declared: Option<Vec<u8>>,
        allowance: Allowance,
        bytes_max: usize,
    ) -> wasmtime::Result<Result<Resource<OutgoingBody>, ()>> {
        if !draft.open() {
            return Ok(Err(()));
        }
        let buffer = Buffer::new(allowance);
        self.push(OutgoingBody { draft, buffer, written: false, declared, bytes_max }).map(Ok)
    }

    pub(super) fn incoming_body(
        &mut self,
        bytes: Option<Vec<u8>>,
    ) -> wasmtime::Result<Result<Resource<IncomingBody>, ()>> {
        match bytes {
            Some(bytes) => self.push(IncomingBody(Some(bytes))).map(Ok),
            None => Ok(Err(())),
        }
    }
}

impl types::Host for Host {
    fn http_error_code(&mut self, error: Resource<IoError>) -> wasmtime::Result<Option<ErrorCode>> {
        self.work.call(0)?;
        self.table.get(&error)?;
        // Bodies are in memory, and fail in no way that has to do with HTTP.
        Ok(None)
    }
}

impl types::HostOutgoingRequest for Host {
    fn new(&mut self, headers: Resource<Fields>) -> wasmtime::Result<Resource<OutgoingRequest>> {
        self.work.call(0)?;
        let headers = self.take_headers(headers)?;
        self.push(OutgoingRequest {
            method: Method::Get,
            path_with_query: None,
            scheme: None,
            authority: None,
            headers,
            body: Draft::empty(),
        })
    }

    fn body(
        &mut self,
        request: Resource<OutgoingRequest>,
    ) -> wasmtime::Result<Result<Resource<OutgoingBody>, ()>> {
        self.work.call(0)?;
        let request = self.table.get(&request)?;
        let (draft, declared) = (request.body.clone(), declared_length(request.headers.entries()));
        let allowance = self.http.request_bodies.clone();
        self.open_body(draft, declared, allowance, limits::HTTP_BODY_BYTES_MAX)
    }

    fn method(&mut self, request: Resource<OutgoingRequest>) -> wasmtime::Result<Method> {
        let method = self.table.get(&request)?.method.clone();
        self.work.call(method_name(&method).len())?;
        Ok(method)
    }

    fn set_method(
        &mut self,
        request: Resource<OutgoingRequest>,
        method: Method,
    ) -> wasmtime::Result<Result<(), ()>> {
        let name = method_name(&method);
        self.work.call(name.len())?;
        if !is_method(name) {
            return Ok(Err(()));
        }
        self.table.get_mut(&request)?.method = method_of(name);
        Ok(Ok(()))
    }

    fn path_with_query(&mut self, request: Resource<OutgoingRequest>) -> wasmtime::Result<Option<String>> {
        let path = self.table.get(&request)?.path_with_query.clone();
        self.work.call(path.as_ref().map_or(0, String::len))?;
        Ok(path)
    }

    fn set_path_with_query(
        &mut self,
        request: Resource<OutgoingRequest>,
        path: Option<String>,
    ) -> wasmtime::Result<Result<(), ()>> {
        let bytes = path.as_ref().map_or(0, String::len);
        self.work.call(bytes)?;
        if bytes > limits::HTTP_URL_BYTES_MAX {
            return Ok(Err(()));
        }
        self.table.get_mut(&request)?.path_with_query = path;
        Ok(Ok(()))
    }

    fn scheme(&mut self, request: Resource<OutgoingRequest>) -> wasmtime::Result<Option<Scheme>> {
        let scheme = self.table.get(&request)?.scheme.clone();
        self.work.call(scheme.as_ref().map_or(0, scheme_bytes))?;
        Ok(scheme)
    }

    fn set_scheme(
        &mut self,
        request: Resource<OutgoingRequest>,
        scheme: Option<Scheme>,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.work.call(scheme.as_ref().map_or(0, scheme_bytes))?;
        if matches!(scheme, Some(Scheme::Other(_))) {
            return Ok(Err(()));
        }
        self.table.get_mut(&request)?.scheme = scheme;
        Ok(Ok(()))
    }

    fn authority(&mut self, request: Resource<OutgoingRequest>) -> wasmtime::Result<Option<String>> {
        let authority = self.table.get(&request)?.authority.clone();
        self.work.call(authority.as_ref().map_or(0, String::len))?;
        Ok(authority)
    }

    fn set_authority(
        &mut self,
        request: Resource<OutgoingRequest>,
        authority: Option<String>,
    ) -> wasmtime::Result<Result<(), ()>> {
        let bytes = authority.as_ref().map_or(0, String::len);
        self.work.call(bytes)?;
        if bytes > limits::HTTP_URL_BYTES_MAX {
            return Ok(Err(()));
        }
        self.table.get_mut(&request)?.authority = authority;
        Ok(Ok(()))
    }

    fn headers(&mut self, request: Resource<OutgoingRequest>) -> wasmtime::Result<Resource<Fields>> {
        self.work.call(0)?;
        let headers = self.table.get(&request)?.headers.entries().to_vec();
        self.headers(&headers)
    }

    fn drop(&mut self, request: Resource<OutgoingRequest>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        self.delete(request).map(|_| ())
    }
}

impl types::HostOutgoingBody for Host {
    fn write(
        &mut self,
        body: Resource<OutgoingBody>,
    ) -> wasmtime::Result<Result<Resource<OutputStream>, ()>> {
        self.work.call(0)?;
        let body = self.table.get_mut(&body)?;
        if std::mem::replace(&mut body.written, true) {
            return Ok(Err(()));
        }
        let stream = OutputStream::Buffer(body.buffer.clone());
        self.push(stream).map(Ok)
    }

    fn finish(
        &mut self,
        body: Resource<OutgoingBody>,
        trailers: Option<Resource<Fields>>,
    ) -> wasmtime::Result<Result<(), ErrorCode>> {
        self.work.call(0)?;
        // Trailers are allowed to be dropped on the way, and here they are.
        if let Some(trailers) = trailers {
            self.delete(trailers)?;
        }
        let body = self.delete(body)?;
        let bytes = body.buffer.take();
        let length = bytes.len().to_string();
        let agrees = body.declared.as_ref().is_none_or(|declared| *declared == length.as_bytes());
        if bytes.len() > body.bytes_max || !agrees {
            // Dropping it tells the message's other side.
            return Ok(Err(Code::RequestBody.into()));
        }
        *body.draft.state() = DraftState::Finished(bytes);
        drop(body);
        self.send_finished()?;
        Ok(Ok(()))
    }

    fn drop(&mut self, body: Resource<OutgoingBody>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        self.delete(body)?;
        self.send_finished()
    }
}

impl types::HostIncomingResponse for Host {
    fn status(&mut self, response: Resource<IncomingResponse>) -> wasmtime::Result<u16> {
        self.work.call(0)?;
        Ok(self.table.get(&response)?.status)
    }

    fn headers(&mut self, response: Resource<IncomingResponse>) -> wasmtime::Result<Resource<Fields>> {
        self.work.call(0)?;
        let headers = self.table.get(&response)?.headers.clone();
        self.headers(&headers)
    }

    fn consume(
        &mut self,
        response: Resource<IncomingResponse>,
    ) -> wasmtime::Result<Result<Resource<IncomingBody>, ()>> {
        self.work.call(0)?;
        let body = self.table.get_mut(&response)?.body.take();
        self.incoming_body(body)
    }

    fn drop(&mut self, response: Resource<IncomingResponse>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        self.delete(response).map(|_| ())
    }
}

impl types::HostIncomingBody for Host {
    fn stream(
        &mut self,
        body: Resource<IncomingBody>,
    ) -> wasmtime::Result<Result<Resource<InputStream>, ()>> {
        self.work.call(0)?;
        match self.table.get_mut(&body)?.0.take() {
            Some(bytes) => self.push(InputStream::Source(Source::new(bytes))).map(Ok),
            None => Ok(Err(())),
        }
    }

    fn finish(&mut self, body: Resource<IncomingBody>) -> wasmtime::Result<Resource<FutureTrailers>> {
        self.work.call(0)?;
        self.delete(body)?;
        self.push(FutureTrailers::default())
    }

    fn drop(&mut self, body: Resource<IncomingBody>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        self.delete(body).map(|_| ())
    }
}

type Trailers = Option<Result<Result<Option<Resource<Fields>>, ErrorCode>, ()>>;

impl types::HostFutureTrailers for Host {
    fn subscribe(&mut self, trailers: Resource<FutureTrailers>) -> wasmtime::Result<Resource<Pollable>> {
        self.work.call(0)?;
        self.table.get(&trailers)?;
        self.push(Pollable::Ready)
    }

    fn get(&mut self, trailers: Resource<FutureTrailers>) -> wasmtime::Result<Trailers> {
        self.work.call(0)?;
        let taken = std::mem::replace(&mut self.table.get_mut(&trailers)?.taken, true);
        Ok(Some(if taken { Err(()) } else { Ok(Ok(None)) }))
    }

    fn drop(&mut self, trailers: Resource<FutureTrailers>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        self.delete(trailers).map(|_| ())
    }
}
