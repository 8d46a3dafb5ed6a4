//! The side of `wasi:http/types` that servers use: the request they are called with, and their response.

use glassbox_core::limits;
use wasmtime::component::Resource;

use super::Host;
use super::bindings::wasi::http::types::{self, ErrorCode, Method, Scheme};
use super::fields::{Field, Fields};
use super::messages::{
    Draft, IncomingBody, OutgoingBody, Written, declared_length, method_name, method_of, scheme_bytes,
    scheme_of,
};

/// The host's side of an `incoming-request`.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct IncomingRequest {
    pub(crate) method: String,
    pub(crate) path_with_query: Option<String>,
    pub(crate) scheme: Option<String>,
    pub(crate) authority: Option<String>,
    pub(crate) headers: Vec<Field>,
    /// Gone once the guest took it.
    pub(crate) body: Option<Vec<u8>>,
}

/// The host's side of an `outgoing-response`.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct OutgoingResponse {
    status: u16,
    headers: Fields,
    body: Draft,
}

/// The host's side of a `response-outparam`.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct ResponseOutparam;

/// What a server answered: its body may still be written.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Fields,
    body: Draft,
}

impl Reply {
    /// Takes the body, or returns `None` where it was not finished.
    pub(crate) fn body(&self) -> Option<Vec<u8>> {
        match self.body.take() {
            Written::Whole(body) => Some(body),
            Written::Open | Written::Abandoned => None,
        }
    }
}

impl types::HostIncomingRequest for Host {
    fn method(&mut self, request: Resource<IncomingRequest>) -> wasmtime::Result<Method> {
        let method = method_of(&self.table.get(&request)?.method);
        self.work.call(method_name(&method).len())?;
        Ok(method)
    }

    fn path_with_query(&mut self, request: Resource<IncomingRequest>) -> wasmtime::Result<Option<String>> {
        let path = self.table.get(&request)?.path_with_query.clone();
        self.work.call(path.as_ref().map_or(0, String::len))?;
        Ok(path)
    }

    fn scheme(&mut self, request: Resource<IncomingRequest>) -> wasmtime::Result<Option<Scheme>> {
        let scheme = self.table.get(&request)?.scheme.as_deref().map(scheme_of);
        self.work.call(scheme.as_ref().map_or(0, scheme_bytes))?;
        Ok(scheme)
    }

    fn authority(&mut self, request: Resource<IncomingRequest>) -> wasmtime::Result<Option<String>> {
        let authority = self.table.get(&request)?.authority.clone();
        self.work.call(authority.as_ref().map_or(0, String::len))?;
        Ok(authority)
    }

    fn headers(&mut self, request: Resource<IncomingRequest>) -> wasmtime::Result<Resource<Fields>> {
        self.work.call(0)?;
        let headers = self.table.get(&request)?.headers.clone();
        self.headers(&headers)
    }

    fn consume(
        &mut self,
        request: Resource<IncomingRequest>,
    ) -> wasmtime::Result<Result<Resource<IncomingBody>, ()>> {
        self.work.call(0)?;
        let body = self.table.get_mut(&request)?.body.take();
        self.incoming_body(body)
    }

    fn drop(&mut self, request: Resource<IncomingRequest>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        self.delete(request).map(|_| ())
    }
}

impl types::HostOutgoingResponse for Host {
    fn new(&mut self, headers: Resource<Fields>) -> wasmtime::Result<Resource<OutgoingResponse>> {
        self.work.call(0)?;
        let headers = self.take_headers(headers)?;
        self.push(OutgoingResponse { status: 200, headers, body: Draft::empty() })
    }

    fn status_code(&mut self, response: Resource<OutgoingResponse>) -> wasmtime::Result<u16> {
        self.work.call(0)?;
        Ok(self.table.get(&response)?.status)
    }

    fn set_status_code(
        &mut self,
        response: Resource<OutgoingResponse>,
        status: u16,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.work.call(0)?;
        // Below 200 a response is not the last one, and there is no other here.
        if !(200..=599).contains(&status) {
            return Ok(Err(()));
        }
        self.table.get_mut(&response)?.status = status;
        Ok(Ok(()))
    }

    fn headers(&mut self, response: Resource<OutgoingResponse>) -> wasmtime::Result<Resource<Fields>> {
        self.work.call(0)?;
        let headers = self.table.get(&response)?.headers.entries().to_vec();
        self.headers(&headers)
    }

    fn body(
        &mut self,
        response: Resource<OutgoingResponse>,
    ) -> wasmtime::Result<Result<Resource<OutgoingBody>, ()>> {
        self.work.call(0)?;
        let response = self.table.get(&response)?;
        let (draft, declared) = (response.body.clone(), declared_length(response.headers.entries()));
        let allowance = self.http.response_bodies.clone();
        self.open_body(draft, declared, allowance, limits::OUTPUT_BYTES_MAX)
    }

    fn drop(&mut self, response: Resource<OutgoingResponse>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        self.delete(response).map(|_| ())
    }
}

impl types::HostResponseOutparam for Host {
    fn set(
        &mut self,
        outparam: Resource<ResponseOutparam>,
        response: Result<Resource<OutgoingResponse>, ErrorCode>,
    ) -> wasmtime::Result<()> {
        self.work.call(0)?;
        self.delete(outparam)?;
        self.http.reply = Some(match response {
            Ok(response) => {
                let response = self.delete(response)?;
                let OutgoingResponse { status, headers, body } = response;
                Ok(Reply { status, headers, body })
            }
            Err(code) => Err(code),
        });
        Ok(())
    }

    fn drop(&mut self, outparam: Resource<ResponseOutparam>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        self.delete(outparam).map(|_| ())
    }
}
