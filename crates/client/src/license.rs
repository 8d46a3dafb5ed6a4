//! Licences: buying them, and handing in those that a publisher signed.

use glassbox_api::{
    LicenseBody, LicenseResponse, OidcBody, RedeemBody, SpreadBody, SpreadResponse, TipBody, TipResponse,
};
use glassbox_core::dsse::Envelope;
use glassbox_core::license::License;
use glassbox_core::{Atomic, PackageRef};
use glassbox_pay::x402;
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::buyer::Buyer;
use crate::error::ClientError;
use crate::http::{Client, release_path};
use crate::pay::Bought;

impl Client {
    /// Buys a licence for a release. `buyer` pays, within its bounds; what costs nothing needs none.
    pub async fn buy_license(
        &self,
        release: &PackageRef,
        body: &LicenseBody,
        buyer: Option<&Buyer>,
    ) -> Result<LicenseResponse, ClientError> {
        let path = format!("{}/licenses", release_path("/v1/packages", release));
        self.purchase(&path, body, buyer, &format!("{release} {}", body.item)).await
    }

    /// Gives a tip to the payees of a release. `buyer` pays, within its bounds.
    pub async fn tip(
        &self,
        release: &PackageRef,
        body: &TipBody,
        buyer: Option<&Buyer>,
    ) -> Result<TipResponse, ClientError> {
        let path = format!("{}/tips", release_path("/v1/packages", release));
        self.purchase(&path, body, buyer, &format!("{release} tip")).await
    }

    /// Asks for something at a path, and pays for it where it costs something; `what` is its name in the wallet's journal.
    async fn purchase<T: Bought + DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        buyer: Option<&Buyer>,
        what: &str,
    ) -> Result<T, ClientError> {
        let ask = |payment: Option<&str>| {
            let asked = self.request(Method::POST, path).json(body);
            match payment {
                Some(payment) => asked.header(x402::PAYMENT_SIGNATURE, payment),
                None => asked,
            }
        };
        let response = self.send(ask(None)).await?;
        if response.status() != StatusCode::PAYMENT_REQUIRED || self.pays_by_credit() {
            return self.read(response).await;
        }
        let required = self.required(&response)?;
        self.pay(&required, buyer, what, |payment| ask(Some(payment))).await
    }

    /// Spreads tips over all that a company used in a month, in the name of the account whose token the client shows.
    pub async fn spread_tips(&self, body: &SpreadBody) -> Result<SpreadResponse, ClientError> {
        self.read(self.send(self.request(Method::POST, "/v1/tips").json(body)).await?).await
    }

    /// Asks for a grant that an identity token of a forge proves.
    pub async fn prove_grant(&self, body: &OidcBody) -> Result<LicenseResponse, ClientError> {
        self.read(self.send(self.request(Method::POST, "/v1/licenses/oidc").json(body)).await?).await
    }

    /// Hands in a licence that a publisher signed.
    pub async fn redeem_license(&self, license: &Envelope) -> Result<(), ClientError> {
        let request =
            self.request(Method::POST, "/v1/licenses").json(&RedeemBody { license: license.clone() });
        self.expect_success(self.send(request).await?).await.map(|_| ())
    }
}

impl Bought for LicenseResponse {
    async fn read(client: &Client, response: Response) -> Result<Self, ClientError> {
        let bought: Self = client.read(response).await?;
        // What was paid for must be one.
        License::open(&bought.license).map_err(|error| client.odd(error.to_string()))?;
        Ok(bought)
    }

    fn charged(&self) -> Option<Atomic> {
        self.charged.amount.parse().ok()
    }
}

impl Bought for TipResponse {
    async fn read(client: &Client, response: Response) -> Result<Self, ClientError> {
        client.read(response).await
    }

    fn charged(&self) -> Option<Atomic> {
        self.charged.amount.parse().ok()
    }
}
