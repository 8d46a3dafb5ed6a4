//! The way out: a request that everybody allows goes to a public address, and its response comes back whole and bounded.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use glassbox_core::egress::{Egress, Host, Target};
use glassbox_core::limits;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect;
use tokio::time::{Instant, timeout, timeout_at};

use super::code::Code;
use super::fields::{self, Field};
use super::outgoing::Options;
use super::{Request, Response, address};
use crate::Grants;

/// What the operator lets guests do on the network. By default nothing.
#[derive(Debug, Clone)]
pub struct Network {
    /// The requests that any guest may make, within what its manifest declares and its caller allows.
    pub egress: Egress,
    /// Whether requests may go to addresses that are not public, such as this machine's own. For tests and for
    /// networks that are nobody else's.
    pub private_addresses: bool,
}

impl Default for Network {
    fn default() -> Self {
        Self { egress: Egress::none(), private_addresses: false }
    }
}

/// What a component and its caller allow, beside the operator.
#[derive(Clone, Copy)]
pub(super) struct Rules<'a> {
    /// What the manifest declares.
    pub(super) declared: &'a Grants,
    pub(super) caller: &'a Egress,
}

/// Makes requests for guests. One for a whole sandbox; made when the first request leaves.
pub(crate) struct Client {
    network: Network,
    http: OnceLock<Option<reqwest::Client>>,
}

impl Client {
    pub(crate) fn new(network: Network) -> Self {
        Self { network, http: OnceLock::new() }
    }

    fn http(&self) -> Result<&reqwest::Client, Code> {
        let private_addresses = self.network.private_addresses;
        let http = self.http.get_or_init(|| match client(private_addresses) {
            Ok(http) => Some(http),
            Err(error) => {
                tracing::error!("Cannot make HTTP requests: {error}");
                None
            }
        });
        http.as_ref().ok_or(Code::Internal)
    }

    /// Makes a request, or says why there is no response.
    pub(super) async fn fetch(
        &self,
        request: &Request,
        target: &Target,
        options: &Options,
        rules: Rules<'_>,
    ) -> Result<Response, Code> {
        let deadline = Instant::now() + Duration::from_millis(limits::HTTP_REQUEST_MS_MAX);
        self.check(&request.method, target, rules)?;
        let outgoing = self.outgoing(request, target)?;
        let head = self.http()?.execute(outgoing);
        let head_ms = options.head_timeout().unwrap_or(Duration::MAX);
        let head = timeout_at(deadline, timeout(head_ms, head)).await;
        let response = head.map_err(late)?.map_err(late)?.map_err(|error| code_of(&error))?;
        timeout_at(deadline, read(response, options.part_timeout())).await.map_err(late)?
    }

    /// Asks all three who must allow a request. Names are left to the resolver, whose answers the connection goes to.
    fn check(&self, method: &str, target: &Target, rules: Rules<'_>) -> Result<(), Code> {
        let declared = rules.declared.declares(method, target);
        let allowed = rules.caller.allows(method, target) && self.network.egress.allows(method, target);
        if !declared || !allowed {
            return Err(Code::Denied);
        }
        match target.host() {
            Host::Address(address) if !self.network.private_addresses && !address::is_public(*address) => {
                Err(Code::Prohibited)
            }
            Host::Address(_) | Host::Name(_) => Ok(()),
        }
    }

    fn outgoing(&self, request: &Request, target: &Target) -> Result<reqwest::Request, Code> {
        let url = reqwest::Url::parse(&request.url).map_err(|_| Code::UriInvalid)?;
        // Whatever another parser makes of a URL, it goes where it was allowed to go.
        let same = url.host_str() == Some(&target.host().to_string())
            && url.port_or_known_default() == Some(target.port())
            && url.path() == target.path();
        if !same {
            return Err(Code::UriInvalid);
        }
        let method =
            reqwest::Method::from_bytes(request.method.as_bytes()).map_err(|_| Code::MethodInvalid)?;
        let mut outgoing = self.http()?.request(method, url);
        for (name, value) in &request.headers {
            // The length is that of the body, which was compared.
            if name != "content-length" {
                outgoing = outgoing.header(name.as_str(), value.as_slice());
            }
        }
        if !request.body.is_empty() {
            outgoing = outgoing.body(request.body.clone());
        }
        outgoing.build().map_err(|_| Code::Internal)
    }
}

fn late(_: tokio::time::error::Elapsed) -> Code {
    Code::Timeout
}

/// Reads a response to its end.
async fn read(mut response: reqwest::Response, part_timeout: Option<Duration>) -> Result<Response, Code> {
    let status = response.status().as_u16();
    let shown = response.headers().iter().filter(|(name, _)| !fields::is_forbidden(name.as_str()));
    let headers: Vec<Field> =
        shown.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    if !fields::fit(&headers) {
        return Err(Code::ResponseHeaders);
    }
    let mut body = Vec::new();
    loop {
        let part = timeout(part_timeout.unwrap_or(Duration::MAX), response.chunk()).await.map_err(late)?;
        let Some(part) = part.map_err(|_| Code::Incomplete)? else { break };
        if body.len() + part.len() > limits::HTTP_BODY_BYTES_MAX {
            return Err(Code::ResponseBody);
        }
        body.extend_from_slice(&part);
    }
    Ok(Response { status, headers, body })
}

/// Makes a client that adds nothing of its own: no proxy, no cookies, no redirects, no unpacking, and no connection that
/// one guest's request leaves for another's.
fn client(private_addresses: bool) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .http1_only()
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .pool_max_idle_per_host(0)
        .dns_resolver(Arc::new(Resolver { private_addresses }))
        .build()
}

/// Finds the addresses of a name, once for each connection, which then goes to one of them and nowhere else.
struct Resolver {
    private_addresses: bool,
}

/// Why a name leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Unresolved {
    #[error("the name has no address")]
    NoAddress,
    #[error("the name has no address that requests may go to")]
    Prohibited,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let private_addresses = self.private_addresses;
        Box::pin(async move {
            // The port is the connector's to set.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> = found.map_err(|_| Unresolved::NoAddress)?.collect();
            Ok(Box::new(admit(found, private_addresses)?.into_iter()) as Addrs)
        })
    }
}

/// Keeps the addresses that requests may go to.
fn admit(found: Vec<SocketAddr>, private_addresses: bool) -> Result<Vec<SocketAddr>, Unresolved> {
    if found.is_empty() {
        return Err(Unresolved::NoAddress);
    }
    let admitted: Vec<_> =
        found.into_iter().filter(|found| private_addresses || address::is_public(found.ip())).collect();
    if admitted.is_empty() { Err(Unresolved::Prohibited) } else { Ok(admitted) }
}

/// Says what failed, by the errors that lie behind one of the client's.
fn code_of(error: &reqwest::Error) -> Code {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        match error.downcast_ref::<Unresolved>() {
            Some(Unresolved::NoAddress) => return Code::NoAddress,
            Some(Unresolved::Prohibited) => return Code::Prohibited,
            None => {}
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            match error.kind() {
                io::ErrorKind::ConnectionRefused => return Code::Refused,
                // What the TLS library finds wrong with a certificate comes as this.
                io::ErrorKind::InvalidData => return Code::Certificate,
                _ => {}
            }
        }
        cause = error.source();
    }
    if error.is_connect() { Code::Terminated } else { Code::Protocol }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_public_addresses_or_nowhere() {
        let addresses = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| text.parse().expect("an address")).collect()
        };
        let mixed = || addresses(&["127.0.0.1:0", "8.8.8.8:0", "[::1]:0", "[2606:4700::1111]:0"]);
        assert_eq!(admit(mixed(), false), Ok(addresses(&["8.8.8.8:0", "[2606:4700::1111]:0"])));
        assert_eq!(admit(mixed(), true), Ok(mixed()));
        assert_eq!(admit(addresses(&["10.0.0.1:0"]), false), Err(Unresolved::Prohibited));
        assert_eq!(admit(Vec::new(), false), Err(Unresolved::NoAddress));
    }
}
