//! Licences: buying them, and handing in those that a publisher signed.

use glassbox_api::{LicenseBody, LicenseResponse, RedeemBody};
use glassbox_core::dsse::Envelope;
use glassbox_core::license::License;
use glassbox_core::{Atomic, PackageRef};
use glassbox_pay::x402;
use reqwest::{Method, Response, StatusCode};

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
        let ask = |payment: Option<&str>| {
            let asked = self.request(Method::POST, &path).json(body);
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
        let what = format!("{release} {}", body.item);
        self.pay(&required, buyer, &what, |payment| ask(Some(payment))).await
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
