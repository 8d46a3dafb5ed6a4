//! Downloading a component, paying for it where it has a price, and checking what came.

use glassbox_api::ReleaseResponse;
use glassbox_core::dsse::Envelope;
use glassbox_core::key::PublicKey;
use glassbox_core::release::Release;
use glassbox_core::{Atomic, Digest, PackageRef, ReleaseId};
use glassbox_pay::x402;
use glassbox_pay::x402::extensions::sign_in;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Deserialize as _;

use crate::buyer::Buyer;
use crate::error::ClientError;
use crate::http::{Client, component_path};
use crate::pay::Bought;
use crate::policy::Host;

/// The header that a download has if it was paid for.
const RECEIPT: &str = "glassbox-receipt";

/// A component, as its publisher signed it.
#[derive(Debug, Clone)]
pub struct Downloaded {
    /// The release.
    pub release: ReleaseId,
    /// The component's digest.
    pub digest: Digest,
    /// The component.
    pub bytes: Vec<u8>,
    /// What it cost: nothing where it is free, or was paid for before.
    pub charged: Atomic,
}

/// The bytes of an answer.
struct Bytes {
    bytes: Vec<u8>,
    is_paid: bool,
}

impl Bought for Bytes {
    async fn read(client: &Client, response: Response) -> Result<Self, ClientError> {
        let response = client.expect_success(response).await?;
        let is_paid = response.headers().contains_key(RECEIPT);
        Ok(Self { bytes: client.bytes(response).await?, is_paid })
    }

    fn charged(&self) -> Option<Atomic> {
        None
    }
}

impl Client {
    /// Downloads the component of a release. Where that has a price, `buyer` signs in, for it may have paid before, and else
    /// pays, within its bounds.
    ///
    /// # Errors
    ///
    /// Also if what came is not what the release's publisher signed.
    pub async fn download(
        &self,
        reference: &PackageRef,
        buyer: Option<&Buyer>,
    ) -> Result<Downloaded, ClientError> {
        let release = self.release(reference).await?;
        let (id, digest) = signed(&release)?;
        self.download_signed(&release, id, None, digest, buyer).await
    }

    /// Downloads the component of a release that is known already, or that of an edition of it, whose publisher signed this
    /// digest.
    pub async fn download_signed(
        &self,
        release: &ReleaseResponse,
        id: ReleaseId,
        edition: Option<&str>,
        digest: Digest,
        buyer: Option<&Buyer>,
    ) -> Result<Downloaded, ClientError> {
        // The version is fixed from here on: what was signed is what is asked for.
        let exact = PackageRef { package: id.package.clone(), version: Some(id.version.clone()) };
        let mut path = component_path(&exact);
        if let Some(edition) = edition {
            path.push_str(&format!("?edition={edition}"));
        }
        let ask = |name: &str, value: &str| self.request(Method::GET, &path).header(name, value);
        let answer = self.download_by(self.request(Method::GET, &path), ask, &exact, buyer).await?;
        if Digest::of(&answer.bytes) != digest {
            return Err(ClientError::Component(format!("its digest is not {digest}")));
        }
        let price = release.download_price.as_ref().filter(|_| answer.is_paid);
        let charged = price.and_then(|price| price.amount.parse().ok()).unwrap_or(Atomic::ZERO);
        Ok(Downloaded { release: id, digest, bytes: answer.bytes, charged })
    }

    async fn download_by(
        &self,
        plain: RequestBuilder,
        ask: impl Fn(&str, &str) -> RequestBuilder,
        release: &PackageRef,
        buyer: Option<&Buyer>,
    ) -> Result<Bytes, ClientError> {
        let is_priced =
            |response: &Response| response.status() == StatusCode::PAYMENT_REQUIRED && !self.pays_by_credit();
        let mut response = self.send(plain).await?;
        if !is_priced(&response) {
            return Bytes::read(self, response).await;
        }
        let mut required = self.required(&response)?;
        let host = Host::of(self.url()).map_err(ClientError::Url)?;
        if let Some(answer) = buyer.and_then(|buyer| buyer.sign_in(&required, &host)) {
            response = self.send(ask(sign_in::HEADER, &answer)).await?;
            if !is_priced(&response) {
                return Bytes::read(self, response).await;
            }
            required = self.required(&response)?;
        }
        let what = format!("{release} download");
        self.pay(&required, buyer, &what, |payment| ask(x402::PAYMENT_SIGNATURE, payment)).await
    }
}

/// Reads what the publisher of a release signed: which release it is, and the component's digest.
fn signed(release: &ReleaseResponse) -> Result<(ReleaseId, Digest), ClientError> {
    let unsigned = |reason: String| ClientError::Component(reason);
    let publisher: PublicKey =
        release.publisher.parse().map_err(|_| unsigned("its publisher is no key".into()))?;
    let statement = Envelope::deserialize(&release.statement).map_err(|error| unsigned(error.to_string()))?;
    let signed = statement.verify::<Release>(&publisher).map_err(|error| unsigned(error.to_string()))?;
    let signed = signed.predicate;
    match signed.release.to_string() == release.release {
        true => Ok((signed.release, signed.component)),
        false => Err(unsigned(format!("the statement is of {}", signed.release))),
    }
}
