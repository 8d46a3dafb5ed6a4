//! A company's registry: what its operator and the people who approve ask of it.

use glassbox_api::{
    AccountRequest, AccountResponse, AccountTokenRequest, AccountTokenResponse, AccountTokensResponse,
    AccountsResponse, ApprovalResponse, ApprovalsResponse, BudgetRequest, ChargebackResponse,
    DecisionRequest, PayInRequest, SettleRequest, SettleResponse,
};
use glassbox_core::account::{AccountName, Month};
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::ClientError;
use crate::http::{Client, escape};

impl Client {
    /// Opens an account.
    pub async fn open_account(&self, request: &AccountRequest) -> Result<AccountResponse, ClientError> {
        self.post("/v1/operate/accounts", request).await
    }

    /// Returns the accounts, with what they have and used in this month.
    pub async fn accounts(&self) -> Result<AccountsResponse, ClientError> {
        self.get("/v1/operate/accounts", &[]).await
    }

    /// Sets what an account may spend in a month.
    pub async fn set_budget(
        &self,
        name: &AccountName,
        request: &BudgetRequest,
    ) -> Result<AccountResponse, ClientError> {
        self.of_account(name, "budget", request).await
    }

    /// Closes an account for good.
    pub async fn close_account(&self, name: &AccountName) -> Result<AccountResponse, ClientError> {
        self.of_account(name, "close", &serde_json::json!({})).await
    }

    /// Makes a token of an account.
    pub async fn make_account_token(
        &self,
        name: &AccountName,
        request: &AccountTokenRequest,
    ) -> Result<AccountTokenResponse, ClientError> {
        self.of_account(name, "tokens", request).await
    }

    /// Returns the tokens of an account, without their texts.
    pub async fn account_tokens(&self, name: &AccountName) -> Result<AccountTokensResponse, ClientError> {
        self.get(&path(name, "tokens"), &[]).await
    }

    /// Takes a token of an account back.
    pub async fn revoke_account_token(&self, name: &AccountName, id: &str) -> Result<(), ClientError> {
        let path = path(name, &format!("tokens/{}/revoke", escape(id)));
        let response = self.send(self.request(Method::POST, &path)).await?;
        self.expect_success(response).await.map(|_| ())
    }

    /// Books what was paid in for an account.
    pub async fn pay_in(
        &self,
        name: &AccountName,
        request: &PayInRequest,
    ) -> Result<AccountResponse, ClientError> {
        self.of_account(name, "credit", request).await
    }

    /// Books that an account paid what it owes for a month.
    pub async fn settle_account(
        &self,
        name: &AccountName,
        request: &SettleRequest,
    ) -> Result<SettleResponse, ClientError> {
        self.of_account(name, "settlement", request).await
    }

    /// Returns what accounts used in a month, this one where none is named: the calls after the number `after`.
    pub async fn chargeback(
        &self,
        month: Option<&Month>,
        after: i64,
    ) -> Result<ChargebackResponse, ClientError> {
        let after = after.to_string();
        let mut query = vec![("after", after.as_str())];
        query.extend(month.map(|month| ("month", month.as_str())));
        self.get("/v1/operate/chargeback", &query).await
    }

    /// Returns what the account of this client's token has and used.
    pub async fn own_account(&self) -> Result<AccountResponse, ClientError> {
        self.get("/v1/account", &[]).await
    }

    /// Returns what was asked for within a week; with `waiting`, what nobody has decided.
    pub async fn approvals(&self, waiting: bool) -> Result<ApprovalsResponse, ClientError> {
        let waiting = waiting.to_string();
        self.get("/v1/approvals", &[("waiting", waiting.as_str())]).await
    }

    /// Approves a call, once, or denies it.
    pub async fn decide_approval(&self, id: &str, approve: bool) -> Result<ApprovalResponse, ClientError> {
        self.post(&format!("/v1/approvals/{}", escape(id)), &DecisionRequest { approve }).await
    }

    async fn of_account<T: DeserializeOwned>(
        &self,
        name: &AccountName,
        verb: &str,
        request: &impl Serialize,
    ) -> Result<T, ClientError> {
        self.post(&path(name, verb), request).await
    }
}

fn path(name: &AccountName, verb: &str) -> String {
    format!("/v1/operate/accounts/{name}/{verb}")
}
