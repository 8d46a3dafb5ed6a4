//! Notices for an operator, and what an operator decides about them, payees and packages.

use glassbox_api::{
    ActionsResponse, FreezeRequest, NoticeDecision, NoticeRequest, NoticeResponse, NoticesResponse,
    PayeeRequest, PayeesResponse, RefundRequest, RefundResponse,
};

use crate::error::ClientError;
use crate::http::{Client, escape};

impl Client {
    /// Tells the operator that something is wrong with a package.
    pub async fn give_notice(&self, request: &NoticeRequest) -> Result<NoticeResponse, ClientError> {
        self.post("/v1/notices", request).await
    }

    /// Asks what became of a notice.
    pub async fn notice(&self, id: &str) -> Result<NoticeResponse, ClientError> {
        self.get(&format!("/v1/notices/{}", escape(id)), &[]).await
    }

    /// Returns the notices that wait for a decision, or all.
    pub async fn notices(&self, all: bool) -> Result<NoticesResponse, ClientError> {
        self.get("/v1/operate/notices", &[("all", if all { "true" } else { "false" })]).await
    }

    /// Decides a notice.
    pub async fn decide_notice(
        &self,
        id: &str,
        decision: &NoticeDecision,
    ) -> Result<NoticeResponse, ClientError> {
        self.post(&format!("/v1/operate/notices/{}", escape(id)), decision).await
    }

    /// Gives back what was charged for a call or a sale.
    pub async fn refund(&self, request: &RefundRequest) -> Result<RefundResponse, ClientError> {
        self.post("/v1/operate/refunds", request).await
    }

    /// Returns what the operator decided, after the decision with this number.
    pub async fn actions(&self, after: i64) -> Result<ActionsResponse, ClientError> {
        self.get("/v1/operate/actions", &[("after", after.to_string().as_str())]).await
    }

    /// Returns the payees that something was decided about, and the packages whose earnings wait.
    pub async fn payees(&self) -> Result<PayeesResponse, ClientError> {
        self.get("/v1/operate/payees", &[]).await
    }

    /// Writes down how far a payee is known.
    pub async fn decide_payee(&self, request: &PayeeRequest) -> Result<PayeesResponse, ClientError> {
        self.post("/v1/operate/payees", request).await
    }

    /// Has what a package earned wait, or lets it go.
    pub async fn freeze(&self, request: &FreezeRequest) -> Result<PayeesResponse, ClientError> {
        self.post("/v1/operate/freezes", request).await
    }
}
