//! Requests and answers.

use std::collections::BTreeMap;
use std::time::Duration;

use glassbox_api::{
    ActRequest, ActResponse, AdvisoriesResponse, AdvisoryResponse, AttestationResponse, AttestationsResponse,
    AuditResponse, BalanceResponse, CallBody, CallResponse, ChosenResponse, ClaimResponse,
    ContradictionResponse, CreditBalanceResponse, CreditRefundRequest, CreditResponse, Descriptor,
    EarningsQuery, EarningsResponse, ExecutorResponse, FaucetRequest, FilesResponse, GrantRequest,
    ImplementationsResponse, NamespaceResponse, PackageResponse, PayoutRequest, PayoutResponse, Problem,
    ProofResponse, PublishRequest, PublishResponse, QuoteResponse, ReleaseResponse, RevokeRequest,
    SearchQuery, SearchResponse, StatementResponse,
};
use glassbox_core::dsse::Envelope;
use glassbox_core::files::Files;
use glassbox_core::key::{PublicKey, SecretKey};
use glassbox_core::log::StandingProof;
use glassbox_core::receipt::{Certificate, Proof};
use glassbox_core::{Digest, FunctionName, Namespace, PackageName, PackageRef, ReleaseId, limits};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ClientError;
use crate::mirror::unpack;
use crate::proof;

/// A registry, seen from outside.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    /// What every request shows: a token that spends credit, an account's, or the operator's.
    bearer: Option<String>,
    /// What every request is signed with, where the token names a holder.
    holder: Option<SecretKey>,
}

impl Client {
    /// Makes a client for the registry at `url`, such as `http://127.0.0.1:8402`. Sends nothing yet.
    pub fn new(url: &str) -> Result<Self, ClientError> {
        let base = url.trim_end_matches('/');
        let parsed = reqwest::Url::parse(base).map_err(|_| ClientError::Url(url.into()))?;
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
            return Err(ClientError::Url(url.into()));
        }
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .timeout(Duration::from_secs(limits::REQUEST_SECONDS_MAX + 10))
            // A payment is for one registry: it must not be carried to wherever an answer points.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|source| ClientError::Transport { url: base.into(), source })?;
        Ok(Self { http, base: base.into(), bearer: None, holder: None })
    }

    /// Returns the same client with a token that every request shows: one that spends prepaid credit or opens an account,
    /// which then pays for calls, or the operator's.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.bearer = Some(token.to_owned());
        self
    }

    /// Returns the same client, which signs every request with the key of whoever holds its token.
    #[must_use]
    pub fn with_holder(mut self, key: SecretKey) -> Self {
        self.holder = Some(key);
        self
    }

    /// Tells whether calls are paid by credit, or by an account.
    pub(crate) fn pays_by_credit(&self) -> bool {
        self.bearer.is_some()
    }

    /// Returns the registry's address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.base
    }

    /// Returns who the registry is.
    pub async fn descriptor(&self) -> Result<Descriptor, ClientError> {
        self.get("/v1/registry", &[]).await
    }

    /// Finds packages.
    pub async fn search(&self, query: &SearchQuery) -> Result<SearchResponse, ClientError> {
        let (limit, pure) = (query.limit.map(|limit| limit.to_string()), query.pure.then_some("true"));
        let asked = [
            ("q", Some(query.q.as_str())),
            ("limit", limit.as_deref()),
            ("interface", query.interface.as_deref()),
            ("pure", pure),
            ("max_price", query.max_price.as_deref()),
        ];
        let asked: Vec<_> = asked.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        self.get("/v1/search", &asked).await
    }

    /// Returns a package and its versions.
    pub async fn package(&self, name: &PackageName) -> Result<PackageResponse, ClientError> {
        self.get(&format!("/v1/packages/{}/{}", name.namespace(), name.name()), &[]).await
    }

    /// Returns everything public of a release, but its files.
    pub async fn release(&self, reference: &PackageRef) -> Result<ReleaseResponse, ClientError> {
        self.get(&release_path("/v1/packages", reference), &[]).await
    }

    /// Returns the files of a layer: `wit`, `tests` or `source`, and `files` where the terms let them be downloaded.
    pub async fn files(&self, reference: &PackageRef, layer: &str) -> Result<FilesResponse, ClientError> {
        self.get(&format!("{}/{layer}", release_path("/v1/packages", reference)), &[]).await
    }

    /// Returns the manifest, as it was published.
    pub async fn manifest(&self, reference: &PackageRef) -> Result<String, ClientError> {
        let path = format!("{}/manifest", release_path("/v1/packages", reference));
        let response = self.expect_success(self.send(self.request(Method::GET, &path)).await?).await?;
        String::from_utf8(self.bytes(response).await?).map_err(|error| self.odd(error.to_string()))
    }

    /// Returns the files of a layer whose digest is known: what comes must have it.
    pub async fn signed_files(
        &self,
        reference: &PackageRef,
        layer: &str,
        digest: Digest,
    ) -> Result<Files, ClientError> {
        let response = self.files(reference, layer).await?;
        let files = unpack(response.files);
        match files {
            Some(files) if files.digest() == digest => Ok(files),
            Some(_) => Err(ClientError::Layer(layer.to_owned())),
            None => Err(self.odd(format!("the files of `{layer}` cannot be read"))),
        }
    }

    /// Returns the documents of a release, by paths and digests that its publisher signed.
    pub async fn signed_documents(
        &self,
        reference: &PackageRef,
        signed: &BTreeMap<String, Digest>,
    ) -> Result<Files, ClientError> {
        let mut documents = Vec::new();
        for (path, digest) in signed {
            let url = document_path(reference, path);
            let bytes = self.bytes_of(&url, limits::DOCUMENTS_BYTES_MAX).await?;
            if Digest::of(&bytes) != *digest {
                return Err(ClientError::Layer(path.clone()));
            }
            documents.push((path.clone(), bytes));
        }
        let documents = Files::within(limits::DOCUMENTS_BYTES_MAX, documents);
        documents.map_err(|error| self.odd(error.to_string()))
    }

    /// Returns what a release says that it is made of, as CycloneDX.
    pub async fn sbom(&self, reference: &PackageRef) -> Result<serde_json::Value, ClientError> {
        self.get(&format!("{}/sbom", release_path("/v1/packages", reference)), &[]).await
    }

    /// Returns what others say of a release.
    pub async fn attestations(&self, reference: &PackageRef) -> Result<AttestationsResponse, ClientError> {
        self.get(&format!("{}/attestations", release_path("/v1/packages", reference)), &[]).await
    }

    /// Says something of a release, in a signed statement.
    pub async fn attest(
        &self,
        reference: &PackageRef,
        statement: &Envelope,
    ) -> Result<AttestationResponse, ClientError> {
        self.post(&format!("{}/attestations", release_path("/v1/packages", reference)), statement).await
    }

    /// Lets a held release go, by the word of a second key.
    pub async fn confirm(&self, reference: &PackageRef, statement: &Envelope) -> Result<(), ClientError> {
        let path = format!("{}/confirm", release_path("/v1/packages", reference));
        let response = self
            .send(self.request(Method::POST, &path).json(&ActRequest { statement: statement.clone() }))
            .await?;
        self.expect_success(response).await.map(|_| ())
    }

    /// Returns the newest advisories, about one thing or all.
    pub async fn advisories(&self, about: Option<&str>) -> Result<AdvisoriesResponse, ClientError> {
        let query: Vec<_> = about.map(|about| ("about", about)).into_iter().collect();
        self.get("/v1/advisories", &query).await
    }

    /// Publishes an advisory.
    pub async fn advise(&self, statement: &Envelope) -> Result<AdvisoryResponse, ClientError> {
        self.post("/v1/advisories", &ActRequest { statement: statement.clone() }).await
    }

    /// Returns the component's bytes, where the terms let them be downloaded for nothing, unchecked. See
    /// [`download`](Self::download).
    pub async fn component(&self, reference: &PackageRef) -> Result<Vec<u8>, ClientError> {
        let response = self.send(self.request(Method::GET, &component_path(reference))).await?;
        self.bytes(self.expect_success(response).await?).await
    }

    /// The same of an edition that has a component of its own.
    pub async fn edition_component(
        &self,
        reference: &PackageRef,
        edition: &str,
    ) -> Result<Vec<u8>, ClientError> {
        let request = self.request(Method::GET, &component_path(reference)).query(&[("edition", edition)]);
        let response = self.send(request).await?;
        self.bytes(self.expect_success(response).await?).await
    }

    /// Returns the most that a call can cost.
    pub async fn quote(
        &self,
        reference: &PackageRef,
        function: &str,
        fuel: Option<u64>,
    ) -> Result<QuoteResponse, ClientError> {
        let path = function_path("/v1/quote", reference, function);
        match fuel {
            Some(fuel) => self.get(&path, &[("fuel", &fuel.to_string())]).await,
            None => self.get(&path, &[]).await,
        }
    }

    /// Returns the packages that export an interface, such as `acme:text/slug@1.0.0`.
    pub async fn implementations(&self, interface: &str) -> Result<ImplementationsResponse, ClientError> {
        let path = interface.replacen(':', "/", 1);
        let path: Vec<String> = path.split('/').map(escape).collect();
        self.get(&format!("/v1/interfaces/{}", path.join("/")), &[]).await
    }

    /// Chooses among the packages that have the same function, as the body of a call says. What comes back is a function that
    /// `function` names: which package runs is left open, and what it shall do is not.
    pub async fn choose(
        &self,
        reference: &PackageRef,
        function: &str,
        body: &CallBody,
    ) -> Result<ChosenResponse, ClientError> {
        let fuel = body.fuel.map(|fuel| fuel.to_string());
        let grants = body.grants.as_ref().map(|grants| serde_json::json!(grants).to_string());
        let mut query = vec![("by", body.choose.as_deref().unwrap_or("pinned"))];
        query.extend(body.untested.then_some(("untested", "true")));
        query.extend(fuel.as_deref().map(|fuel| ("fuel", fuel)));
        query.extend(grants.as_deref().map(|grants| ("grants", grants)));
        let chosen: ChosenResponse =
            self.get(&function_path("/v1/choose", reference, function), &query).await?;
        match chosen.function.parse::<FunctionName>() {
            Ok(name) if name.matches(function) => Ok(chosen),
            _ => Err(self.odd(format!("`{}` was chosen in place of `{function}`", chosen.function))),
        }
    }

    /// Publishes a release.
    pub async fn publish(&self, request: &PublishRequest) -> Result<PublishResponse, ClientError> {
        self.post("/v1/publish", request).await
    }

    /// Returns the reply of a paid call again.
    pub async fn receipt(&self, call: &str) -> Result<CallResponse, ClientError> {
        self.get(&format!("/v1/receipts/{}", escape(call)), &[]).await
    }

    /// Returns what holds of a namespace.
    pub async fn namespace(&self, name: &Namespace) -> Result<NamespaceResponse, ClientError> {
        self.get(&format!("/v1/namespaces/{name}"), &[]).await
    }

    /// Has the domain of a namespace asked which keys it vouches for.
    pub async fn prove_domain(&self, name: &Namespace) -> Result<NamespaceResponse, ClientError> {
        self.post(&format!("/v1/namespaces/{name}/proof"), &serde_json::json!({})).await
    }

    /// Sends an act that is signed, and returns its entry in the log, unchecked.
    pub async fn act(&self, act: &ActPath, statement: Envelope) -> Result<ActResponse, ClientError> {
        self.post(&act.path(), &ActRequest { statement }).await
    }

    /// Returns the proof that a receipt is logged, by the digest of its payload; nothing while it waits to be.
    pub async fn proof(&self, receipt: Digest) -> Result<Option<Box<Proof>>, ClientError> {
        let answer: ProofResponse = self.get(&format!("/v1/verify/{receipt}"), &[]).await?;
        Ok(answer.proof)
    }

    /// Returns what the log says of an executor.
    pub async fn executor(&self, executor: &PublicKey) -> Result<ExecutorResponse, ClientError> {
        self.get(&format!("/v1/executors/{executor}"), &[]).await
    }

    /// Hands in a certificate that an executor signed what cannot be true.
    pub async fn accuse(&self, certificate: &Certificate) -> Result<ContradictionResponse, ClientError> {
        self.post("/v1/contradictions", certificate).await
    }

    /// Returns the newest signed checkpoint of the log, as text.
    pub async fn checkpoint(&self) -> Result<String, ClientError> {
        let response = self.send(self.request(Method::GET, "/checkpoint")).await?;
        let bytes = self.bytes(self.expect_success(response).await?).await?;
        String::from_utf8(bytes).map_err(|_| self.odd("a checkpoint that is not text".into()))
    }

    /// Returns who earned what.
    pub async fn earnings(&self, query: &EarningsQuery) -> Result<EarningsResponse, ClientError> {
        let EarningsQuery { package, receiver, by, from, until } = query;
        let asked =
            [("package", package), ("receiver", receiver), ("by", by), ("from", from), ("until", until)];
        let asked = asked.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        self.get("/v1/earnings", &asked.collect::<Vec<_>>()).await
    }

    /// Returns what an address has.
    pub async fn balance(&self, address: &str) -> Result<BalanceResponse, ClientError> {
        self.get(&format!("/v1/balances/{}", escape(address)), &[]).await
    }

    /// Asks for play money, in dollars.
    pub async fn faucet(&self, address: &str, usd: &str) -> Result<BalanceResponse, ClientError> {
        self.post("/v1/devnet/faucet", &FaucetRequest { address: address.into(), usd: usd.into() }).await
    }

    /// Returns what the credit account of this client's token has.
    pub async fn credit(&self) -> Result<CreditBalanceResponse, ClientError> {
        self.get("/v1/credit", &[]).await
    }

    /// Has credit paid back.
    pub async fn refund_credit(&self, request: &CreditRefundRequest) -> Result<(), ClientError> {
        let response = self.send(self.request(Method::POST, "/v1/credit/refund").json(request)).await?;
        self.expect_success(response).await.map(|_| ())
    }

    /// Takes this client's token back, or a block of its account, and every token that was made from it.
    pub async fn revoke_token(&self, request: &RevokeRequest) -> Result<(), ClientError> {
        let response = self.send(self.request(Method::POST, "/v1/credit/revoke").json(request)).await?;
        self.expect_success(response).await.map(|_| ())
    }

    /// Replays the ledger of a registry that one operates.
    pub async fn audit_ledger(&self) -> Result<AuditResponse, ClientError> {
        self.get("/v1/operate/audit", &[]).await
    }

    /// Returns a page of the ledger, after the transfer with this number.
    pub async fn statement(
        &self,
        account: Option<&str>,
        after: i64,
    ) -> Result<StatementResponse, ClientError> {
        let after = after.to_string();
        let mut query = vec![("after", after.as_str())];
        query.extend(account.map(|account| ("account", account)));
        self.get("/v1/operate/statement", &query).await
    }

    /// Pays out earnings, or says what would be paid.
    pub async fn payouts(&self, request: &PayoutRequest) -> Result<PayoutResponse, ClientError> {
        self.post("/v1/operate/payouts", request).await
    }

    /// Claims the vouchers of all channels.
    pub async fn claim_channels(&self) -> Result<ClaimResponse, ClientError> {
        self.post("/v1/operate/claims", &serde_json::json!({})).await
    }

    /// Opens a credit account and gives it credit.
    pub async fn grant_credit(&self, request: &GrantRequest) -> Result<CreditResponse, ClientError> {
        self.post("/v1/operate/credit", request).await
    }

    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<T, ClientError> {
        let response = self.send(self.request(Method::GET, path).query(query)).await?;
        self.read(response).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let response = self.send(self.request(Method::POST, path).json(body)).await?;
        self.read(response).await
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.bearer {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, ClientError> {
        let mut request = request.build().map_err(|source| self.transport(source))?;
        if let (Some(key), Some(token)) = (&self.holder, &self.bearer) {
            proof::sign(&mut request, token, key)?;
        }
        self.http.execute(request).await.map_err(|source| self.transport(source))
    }

    pub(crate) async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, ClientError> {
        let response = self.expect_success(response).await?;
        let bytes = response.bytes().await.map_err(|source| self.transport(source))?;
        serde_json::from_slice(&bytes).map_err(|error| self.odd(error.to_string()))
    }

    pub(crate) async fn expect_success(&self, response: Response) -> Result<Response, ClientError> {
        let status = response.status();
        if status.is_success() { Ok(response) } else { Err(self.problem(status, response).await) }
    }

    /// Returns what stands about something in the log, unchecked.
    pub(crate) async fn standing(&self, about: &str) -> Result<StandingProof, ClientError> {
        self.get(&format!("/v1/log/standing/{}", escape(about)), &[]).await
    }

    /// Returns a text of the log: its checkpoint, or a proof.
    pub(crate) async fn log_text(&self, path: &str) -> Result<String, ClientError> {
        let bytes = self.bytes_of(path, limits::TLOG_PROOF_BYTES_MAX).await?;
        String::from_utf8(bytes).map_err(|_| self.odd(format!("`{path}` is not text")))
    }

    /// Returns a file of the log, unchecked.
    pub(crate) async fn log_file(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        self.bytes_of(path, limits::LOG_FILE_BYTES_MAX).await
    }

    /// Returns what is at a path, at most `max` bytes of it.
    pub(crate) async fn bytes_of(&self, path: &str, max: usize) -> Result<Vec<u8>, ClientError> {
        let response = self.send(self.request(Method::GET, path)).await?;
        let response = self.expect_success(response).await?;
        self.bytes_within(response, max).await
    }

    /// Reads a body that nobody vouches for: no more than `max` bytes of it.
    pub(crate) async fn bytes_within(
        &self,
        mut response: Response,
        max: usize,
    ) -> Result<Vec<u8>, ClientError> {
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|source| self.transport(source))? {
            if bytes.len() + chunk.len() > max {
                return Err(self.odd(format!("an answer of more than {max} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    pub(crate) async fn bytes(&self, response: Response) -> Result<Vec<u8>, ClientError> {
        Ok(response.bytes().await.map_err(|source| self.transport(source))?.to_vec())
    }

    async fn problem(&self, status: StatusCode, response: Response) -> ClientError {
        let bytes = match response.bytes().await {
            Ok(bytes) => bytes,
            Err(source) => return self.transport(source),
        };
        match serde_json::from_slice::<Problem>(&bytes) {
            Ok(problem) => ClientError::Problem(Box::new(problem)),
            Err(_) => self.odd(format!("status {status} without a problem")),
        }
    }

    pub(crate) fn odd(&self, reason: String) -> ClientError {
        ClientError::Answer { url: self.base.clone(), reason }
    }

    fn transport(&self, source: reqwest::Error) -> ClientError {
        ClientError::Transport { url: self.base.clone(), source: source.without_url() }
    }
}

/// Where an act is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActPath {
    /// A policy.
    Policy(Namespace),
    /// A cancellation.
    Cancel(Namespace),
    /// A revocation.
    Revocation(Namespace),
    /// A yank, or the end of one.
    Yank(ReleaseId),
    /// A quarantine, or the end of one.
    Quarantine(ReleaseId),
    /// A change of terms.
    Terms(ReleaseId),
}

impl ActPath {
    fn path(&self) -> String {
        let release = |id: &ReleaseId, verb: &str| {
            format!("/v1/packages/{}/{}/{}/{verb}", id.package.namespace(), id.package.name(), id.version)
        };
        match self {
            Self::Policy(name) => format!("/v1/namespaces/{name}/policy"),
            Self::Cancel(name) => format!("/v1/namespaces/{name}/cancel"),
            Self::Revocation(name) => format!("/v1/namespaces/{name}/revocations"),
            Self::Yank(id) => release(id, "yank"),
            Self::Quarantine(id) => release(id, "quarantine"),
            Self::Terms(id) => release(id, "terms"),
        }
    }
}

pub(crate) fn release_path(prefix: &str, reference: &PackageRef) -> String {
    let version = reference.version.as_ref().map_or_else(|| "latest".into(), ToString::to_string);
    format!("{prefix}/{}/{}/{version}", reference.package.namespace(), reference.package.name())
}

pub(crate) fn component_path(reference: &PackageRef) -> String {
    format!("{}/component", release_path("/v1/packages", reference))
}

pub(crate) fn function_path(prefix: &str, reference: &PackageRef, function: &str) -> String {
    format!("{}/{}", release_path(prefix, reference), escape(function))
}

pub(crate) fn document_path(reference: &PackageRef, path: &str) -> String {
    format!("{}/documents?path={}", release_path("/v1/packages", reference), escape(path))
}

/// Percent-encodes one segment of a path.
pub(crate) fn escape(segment: &str) -> String {
    let mut escaped = String::new();
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte as char),
            other => escaped.push_str(&format!("%{other:02X}")),
        }
    }
    escaped
}
