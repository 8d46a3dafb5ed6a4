//! `wasi:http/outgoing-handler`: requests under way, and the futures of their responses.

use std::future::{self, Future as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use glassbox_core::egress::{self, Target, TargetError};
use glassbox_core::limits;
use tokio::task::JoinHandle;
use wasmtime::component::Resource;

use super::bindings::wasi::http::{outgoing_handler, types};
use super::code::Code;
use super::messages::{Draft, IncomingResponse, OutgoingRequest, Written, method_name};
use super::{Answer, Host, Request, Response, client};
use crate::host::io::Pollable;
use types::{ErrorCode, Scheme};

const IMPORT: &str = "wasi:http/outgoing-handler#handle";

/// A request that a guest made, and how far it is.
#[derive(Debug)]
pub(super) enum Exchange {
    /// Its body is being written.
    Open {
        /// The request without its body.
        request: Request,
        target: Target,
        body: Draft,
        options: Options,
    },
    /// It left, or would have: in a replay there is no task.
    Sent { request: Arc<Request>, task: Option<Task> },
    /// It is settled, and the guest has not asked yet.
    Answered(Answer),
    /// The guest has the answer.
    Taken,
}

/// A request under way, which ends with its handle.
#[derive(Debug)]
pub(super) struct Task(JoinHandle<Answer>);

impl Task {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Answer> {
        // What panicked answers as any failure of the machine does.
        Pin::new(&mut self.0).poll(context).map(|ended| ended.unwrap_or(Answer(Err(Code::Internal))))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The host's side of a `future-incoming-response`: the place of its exchange.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct FutureResponse(usize);

/// The host's side of `request-options`.
#[derive(Debug, Clone, Copy, Default)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct Options {
    connect_timeout: Option<u64>,
    first_byte_timeout: Option<u64>,
    between_bytes_timeout: Option<u64>,
}

impl Options {
    /// Returns how long the response's head may take.
    pub(super) fn head_timeout(&self) -> Option<Duration> {
        let first_byte = self.first_byte_timeout?;
        Some(Duration::from_nanos(first_byte.saturating_add(self.connect_timeout.unwrap_or(0))))
    }

    /// Returns how long each further part of the body may take.
    pub(super) fn part_timeout(&self) -> Option<Duration> {
        self.between_bytes_timeout.map(Duration::from_nanos)
    }
}

impl Host {
    /// Reads a request, whose body is still apart from it. Depends on nothing but the guest.
    fn read_request(&self, request: OutgoingRequest) -> Result<(Request, Target, Draft), Code> {
        if self.http.exchanges.len() >= limits::HTTP_REQUESTS_MAX {
            return Err(Code::TooMany);
        }
        let method = method_name(&request.method);
        if !egress::is_method(method) {
            return Err(Code::MethodInvalid);
        }
        let scheme = match request.scheme {
            Some(Scheme::Http) => egress::Scheme::Http,
            Some(Scheme::Https) | None => egress::Scheme::Https,
            Some(Scheme::Other(_)) => return Err(Code::UriInvalid),
        };
        let authority = request.authority.as_deref().unwrap_or_default();
        let path = request.path_with_query.as_deref().unwrap_or_default();
        let target = Target::parse(scheme, authority, path).map_err(|error| match error {
            TargetError::TooLong => Code::UriTooLong,
            TargetError::Authority | TargetError::Path => Code::UriInvalid,
        })?;
        let message = Request {
            method: method.to_owned(),
            url: target.to_string(),
            headers: request.headers.entries().to_vec(),
            body: Vec::new(),
        };
        Ok((message, target, request.body.clone()))
    }

    /// Sends every request whose body was finished since.
    pub(super) fn send_finished(&mut self) -> wasmtime::Result<()> {
        for index in 0..self.http.exchanges.len() {
            let Exchange::Open { body, .. } = &self.http.exchanges[index] else { continue };
            let written = body.take();
            if written == Written::Open {
                continue;
            }
            let Exchange::Open { mut request, target, options, .. } =
                std::mem::replace(&mut self.http.exchanges[index], Exchange::Taken)
            else {
                continue;
            };
            self.http.exchanges[index] = match written {
                Written::Whole(bytes) => {
                    request.body = bytes;
                    self.send(request, target, options)?
                }
                Written::Open | Written::Abandoned => Exchange::Answered(Answer(Err(Code::Internal))),
            };
        }
        Ok(())
    }

    fn send(&self, request: Request, target: Target, options: Options) -> wasmtime::Result<Exchange> {
        let request = Arc::new(request);
        let task = match self.observer.live() {
            None => None,
            Some(live) => {
                let (client, grants, allowed) =
                    (self.client.clone(), self.grants.clone(), live.egress.clone());
                let sent = request.clone();
                let task = async move {
                    let rules = client::Rules { declared: &grants, caller: &allowed };
                    Answer(client.fetch(&sent, &target, &options, rules).await)
                };
                Some(Task(live.runtime()?.spawn(task)))
            }
        };
        Ok(Exchange::Sent { request, task })
    }

    /// Waits for the answer to a request that was sent, and records it.
    async fn settle(&mut self, index: usize) -> wasmtime::Result<()> {
        let Some(Exchange::Sent { request, .. }) = self.http.exchanges.get(index) else {
            return Ok(());
        };
        let args = request.encode()?;
        let answer = match self.observer.replay::<Answer>(IMPORT, &args)? {
            Some(answer) => answer,
            None => {
                let mut deadline = self.until_deadline()?;
                let since = Instant::now();
                let exchange = &mut self.http.exchanges[index];
                let answer = future::poll_fn(|context| {
                    let answer = match exchange {
                        Exchange::Sent { task: Some(task), .. } => task.poll(context),
                        _ => Poll::Ready(Answer(Err(Code::Internal))),
                    };
                    if answer.is_pending() {
                        deadline.poll(context);
                    }
                    answer
                })
                .await;
                self.waited += since.elapsed();
                self.observer.record(IMPORT, &args, answer.clone())?;
                answer
            }
        };
        self.http.exchanges[index] = Exchange::Answered(answer);
        Ok(())
    }

    /// Waits for every request that was sent: what left must be on record, also where the guest never looked.
    pub(crate) async fn settle_all(&mut self) -> wasmtime::Result<()> {
        for index in 0..self.http.exchanges.len() {
            self.settle(index).await?;
        }
        Ok(())
    }

    /// Waits for the responses among `pollables` whose requests were sent. The others cannot become ready by waiting.
    pub(in crate::host) async fn settle_polled(
        &mut self,
        pollables: &[Resource<Pollable>],
    ) -> wasmtime::Result<()> {
        for pollable in pollables {
            let Pollable::Response(index) = *self.table.get(pollable)? else { continue };
            self.settle(index).await?;
            if !matches!(self.http.exchanges.get(index), Some(Exchange::Open { .. })) {
                *self.table.get_mut(pollable)? = Pollable::Ready;
            }
        }
        Ok(())
    }
}

impl outgoing_handler::Host for Host {
    fn handle(
        &mut self,
        request: Resource<OutgoingRequest>,
        options: Option<Resource<Options>>,
    ) -> wasmtime::Result<Result<Resource<FutureResponse>, ErrorCode>> {
        self.work.call(0)?;
        let request = self.delete(request)?;
        let options = match options {
            Some(options) => self.delete(options)?,
            None => Options::default(),
        };
        let (request, target, body) = match self.read_request(request) {
            Ok(read) => read,
            Err(code) => return Ok(Err(code.into())),
        };
        let index = self.http.exchanges.len();
        self.http.exchanges.push(Exchange::Open { request, target, body, options });
        self.send_finished()?;
        self.push(FutureResponse(index)).map(Ok)
    }
}

type Got = Option<Result<Result<Resource<IncomingResponse>, ErrorCode>, ()>>;

impl types::HostFutureIncomingResponse for Host {
    fn subscribe(&mut self, response: Resource<FutureResponse>) -> wasmtime::Result<Resource<Pollable>> {
        self.work.call(0)?;
        let index = self.table.get(&response)?.0;
        self.push(Pollable::Response(index))
    }

    async fn get(&mut self, response: Resource<FutureResponse>) -> wasmtime::Result<Got> {
        self.work.call(0)?;
        let index = self.table.get(&response)?.0;
        self.settle(index).await?;
        let exchange = &mut self.http.exchanges[index];
        if matches!(exchange, Exchange::Open { .. }) {
            return Ok(None);
        }
        Ok(Some(match std::mem::replace(exchange, Exchange::Taken) {
            Exchange::Answered(Answer(Ok(Response { status, headers, body }))) => {
                Ok(Ok(self.push(IncomingResponse { status, headers, body: Some(body) })?))
            }
            Exchange::Answered(Answer(Err(code))) => Ok(Err(code.into())),
            _ => Err(()),
        }))
    }

    fn drop(&mut self, response: Resource<FutureResponse>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        self.delete(response).map(|_| ())
    }
}

impl types::HostRequestOptions for Host {
    fn new(&mut self) -> wasmtime::Result<Resource<Options>> {
        self.work.call(0)?;
        self.push(Options::default())
    }

    fn connect_timeout(&mut self, options: Resource<Options>) -> wasmtime::Result<Option<u64>> {
        self.work.call(0)?;
        Ok(self.table.get(&options)?.connect_timeout)
    }

    fn set_connect_timeout(
        &mut self,
        options: Resource<Options>,
        nanoseconds: Option<u64>,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.work.call(0)?;
        self.table.get_mut(&options)?.connect_timeout = nanoseconds;
        Ok(Ok(()))
    }

    fn first_byte_timeout(&mut self, options: Resource<Options>) -> wasmtime::Result<Option<u64>> {
        self.work.call(0)?;
        Ok(self.table.get(&options)?.first_byte_timeout)
    }

    fn set_first_byte_timeout(
        &mut self,
        options: Resource<Options>,
        nanoseconds: Option<u64>,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.work.call(0)?;
        self.table.get_mut(&options)?.first_byte_timeout = nanoseconds;
        Ok(Ok(()))
    }

    fn between_bytes_timeout(&mut self, options: Resource<Options>) -> wasmtime::Result<Option<u64>> {
        self.work.call(0)?;
        Ok(self.table.get(&options)?.between_bytes_timeout)
    }

    fn set_between_bytes_timeout(
        &mut self,
        options: Resource<Options>,
        nanoseconds: Option<u64>,
    ) -> wasmtime::Result<Result<(), ()>> {
        self.work.call(0)?;
        self.table.get_mut(&options)?.between_bytes_timeout = nanoseconds;
        Ok(Ok(()))
    }

    fn drop(&mut self, options: Resource<Options>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        self.delete(options).map(|_| ())
    }
}
