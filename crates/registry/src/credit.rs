//! Prepaid credit: buying it, spending it by a token, getting it back.
//!
//! For people without a wallet, and for very many calls: what credit pays is paid once it is written down. What an account
//! has is its balance in the ledger. Buying credit is a payment like that of a call, with the same states: it is held,
//! recorded, settled and posted, and a crash in between is taken up like any other.

use glassbox_core::ledger::{self, Account, Kind, Transfer};
use glassbox_core::{Atomic, Digest, Pico, limits};
use glassbox_pay::scheme::Scheme;
use glassbox_pay::x402::{PaymentPayload, PaymentRequired, Resource, SettleResponse, VERSION};
use glassbox_pay::{Address, Rejection, payment};
use glassbox_store::{Backing, Budget, CallState, CreditAccount, Hold, NewCall, Posting};
use glassbox_token::{Caps, Request, Token, TokenError, Verified};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::time::{Duration, Instant};
use tracing::info;

use crate::call::{Plan, logged};
use crate::error::{CallError, CreditError, RegistryError};
use crate::open::Registry;
use crate::payment::{Means, Tender, rail_text};
use crate::settle::{Collected, NotSettled, Posted, Recorded};

/// The name under which a top-up stands among the calls.
const TOP_UP: (&str, &str) = ("glassbox:credit@1.0.0", "top-up");

/// A token that spends credit, as it came with a request.
#[derive(Debug, Clone)]
pub struct Credit {
    /// The token.
    pub token: Token,
    /// The caller's own name for the request: the same again is answered from the same call.
    pub identifier: Option<String>,
}

impl Credit {
    /// What the text of every token begins with.
    pub const PREFIX: &str = glassbox_token::PREFIX;

    /// Reads a token.
    pub fn new(token: &str, identifier: Option<String>) -> Result<Self, CallError> {
        let token = token.parse().map_err(|error: TokenError| CallError::Token(error.to_string()))?;
        Ok(Self { token, identifier })
    }
}

/// Credit that is bought: recorded before its payment is settled.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TopUp {
    /// The account that gets it.
    top_up: String,
    /// Whether the account is new, and its buyer gets a token.
    opens: bool,
    pub(crate) amount: Atomic,
}

/// What the buyer of credit gets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TopUpReply {
    /// The account.
    pub account: String,
    /// The token that spends it, where the account is new.
    pub token: Option<String>,
    /// What was added.
    pub amount: Atomic,
    /// What x402 calls the settlement.
    pub settlement: Option<SettleResponse>,
}

/// What a credit account has.
#[derive(Debug, Clone)]
pub struct CreditBalance {
    /// The account.
    pub account: String,
    /// What may be spent.
    pub available: Pico,
    /// What is set aside for calls under way.
    pub held: Pico,
    /// What was spent so far.
    pub spent: Pico,
}

impl Registry {
    fn verified(&self, token: &Token) -> Result<Verified, CallError> {
        let verified = self.issuer.verifier().verify(token);
        verified.map_err(|error| CallError::Token(error.to_string()))
    }

    /// Returns the account of a token that was minted here.
    pub(crate) fn credit_account_of(&self, credit: &Credit) -> Result<String, CallError> {
        Ok(self.verified(&credit.token)?.account().to_owned())
    }

    /// Checks a token against a plan. Its totals, and whether it was taken back, are for the ledger to check.
    pub(crate) fn check_credit(&self, credit: Credit, plan: &Plan) -> Result<Tender, CallError> {
        let verified = self.verified(&credit.token)?;
        let request = Request {
            package: &plan.live.id.package,
            function: &plan.function.name,
            amount_max: plan.quote.amount_max,
            now_s: (self.env.now_ms() / 1_000) as u64,
            audience: &self.config.public_url,
        };
        verified.authorize(&request).map_err(|refusal| CallError::Token(refusal.to_string()))?;
        if credit.identifier.as_ref().is_some_and(|id| id.is_empty() || id.len() > limits::NONCE_BYTES_MAX) {
            return Err(CallError::NonceTooLong);
        }
        let budget = |(block, caps): &(glassbox_token::BlockId, Caps)| Budget {
            block: block.to_string(),
            amount_max: caps.amount_max,
            calls_max: caps.calls_max,
        };
        let account = verified.account().to_owned();
        Ok(Tender {
            key: format!("{account}/{}", self.env.id()),
            payer: account,
            rail: "credit".into(),
            identifier: credit.identifier,
            means: Means::Credit(verified.blocks().iter().map(budget).collect()),
        })
    }

    /// Sells credit: to the account named, or to a new one, whose token is then in the reply.
    ///
    /// # Errors
    ///
    /// Without a payment, with what is to be paid; the rest as with a call.
    pub async fn buy_credit(
        self: &Arc<Self>,
        account: Option<String>,
        amount: Atomic,
        payment: Option<PaymentPayload>,
    ) -> Result<TopUpReply, CallError> {
        if !(1..=limits::CREDIT_AMOUNT_MAX).contains(&amount.0) {
            return Err(CreditError::Amount(amount).into());
        }
        if let Some(account) = &account {
            self.credit_account(account).await?;
        }
        let required = self.credit_requirements(amount);
        let Some(payment) = payment else {
            return Err(CallError::PaymentRequired { amount, required: Box::new(required) });
        };
        // On a task of its own, as a call: who hangs up stops nothing.
        let registry = self.clone();
        let bought = tokio::spawn(async move { registry.take_payment(account, required, payment).await });
        bought.await.map_err(|_| RegistryError::Worker)?
    }

    async fn take_payment(
        &self,
        account: Option<String>,
        required: PaymentRequired,
        payment: PaymentPayload,
    ) -> Result<TopUpReply, CallError> {
        let amount = required.accepts[0].amount().map_err(|_| RegistryError::Worker)?;
        let refused = |rejection: Rejection| CallError::PaymentRequired {
            amount,
            required: Box::new(PaymentRequired {
                error: Some(rejection.code.to_string()),
                ..required.clone()
            }),
        };
        let offer = payment::taken(&payment, &required.accepts).map_err(refused)?;
        // Whoever asks again for what was paid for may be late, so the window is checked after this.
        let authorization = payment::read(&payment, offer).map_err(refused)?;
        let request = top_up_request(account.as_deref(), amount);
        if let Some(row) = self.store.call_by_payment(&authorization.key().to_string()).await? {
            return if row.request == request {
                self.await_top_up(&row.id).await
            } else {
                Err(CallError::PaymentBound)
            };
        }
        let now_s = (self.env.now_ms() / 1_000) as u64;
        payment::check_window(&authorization, now_s, 0).map_err(refused)?;

        let call = self.env.id();
        let work = self.running.claim(&call).expect("a fresh id is nobody's");
        let tender = Tender {
            payer: authorization.payer().to_string(),
            rail: rail_text(offer),
            key: authorization.key().to_string(),
            identifier: None,
            means: Means::Signed {
                offer: Box::new(offer.clone()),
                payment: Box::new(payment),
                authorization: Box::new(authorization),
            },
        };
        match self.hold_top_up(&call, &tender, amount, request).await? {
            Hold::Held => {}
            Hold::SamePayment(row) | Hold::SameRequest(row) if row.request == request => {
                drop(work);
                return self.await_top_up(&row.id).await;
            }
            _ => return Err(CallError::PaymentBound),
        }
        if let Means::Signed { payment, offer, .. } = &tender.means
            && let Err(rejection) = self.verify_now(payment, offer).await?
        {
            self.store.release_call(&call, self.env.now_ms()).await?;
            return Err(refused(rejection));
        }
        let opens = account.is_none();
        let top_up = account.unwrap_or_else(|| format!("credit:{call}"));
        let recorded = Recorded::TopUp(TopUp { top_up, opens, amount });
        self.store.record_outcome(&call, recorded.to_outcome()?, self.env.now_ms()).await?;
        match self.settle(&call, recorded, &tender.means).await? {
            Posted::TopUp(reply) => Ok(*reply),
            Posted::Run(_) => Err(RegistryError::Worker.into()),
        }
    }

    async fn hold_top_up(
        &self,
        call: &str,
        tender: &Tender,
        amount: Atomic,
        request: Digest,
    ) -> Result<Hold, CallError> {
        let (payment, offer) = tender.to_json();
        let (release, function) = TOP_UP;
        let new = NewCall {
            id: call.to_owned(),
            payment_key: tender.key.clone(),
            identifier: None,
            payer: tender.payer.clone(),
            rail: tender.rail.clone(),
            request,
            release: release.parse().expect("a release id"),
            function: function.parse().expect("a function name"),
            held: amount,
            payment,
            offer,
            backing: Backing::Payment,
            now_ms: self.env.now_ms(),
        };
        Ok(self.store.hold_call(new).await?)
    }

    /// Posts a settled top-up: the deposit and the credit in one transaction, and the account where it is new.
    pub(crate) async fn post_top_up(
        &self,
        call: &str,
        top_up: TopUp,
        collected: Collected,
    ) -> Result<TopUpReply, CallError> {
        let TopUp { top_up: account, opens, amount } = top_up;
        let token = match opens {
            true => {
                let opened = CreditAccount {
                    id: account.clone(),
                    label: String::new(),
                    created_at: self.env.now_ms(),
                };
                self.store.open_credit(opened).await?;
                Some(self.mint(&account, &Caps::default())?.to_string())
            }
            false => None,
        };
        let reply = TopUpReply { account: account.clone(), token, amount, settlement: collected.response };
        let credited = Transfer {
            debit: Account::Payer(collected.payment.payer.clone()),
            credit: Account::Payer(account),
            amount: amount.to_pico(),
            kind: Kind::TopUp,
        };
        let posting = Posting {
            amount: collected.payment.amount,
            transaction: collected.transaction,
            standing: collected.standing,
            channel: None,
            charge: vec![credited],
            refund: None,
            reply: serde_json::to_string(&reply).map_err(|_| RegistryError::Worker)?,
        };
        self.store.post_call(call, posting, self.env.now_ms()).await?;
        info!(call.id = logged(call), amount.atomic = amount.0, "Sold credit");
        Ok(reply)
    }

    async fn await_top_up(&self, call: &str) -> Result<TopUpReply, CallError> {
        let deadline = Instant::now() + Duration::from_millis(limits::DECISION_WAIT_MS_MAX);
        let row = self.await_end(call, deadline).await?;
        let reply = row.reply.as_deref().unwrap_or_default();
        match row.state {
            CallState::Posted => Ok(serde_json::from_str(reply).map_err(|_| CallError::ReplyForgotten)?),
            CallState::Voided => {
                let refused: NotSettled = serde_json::from_str(reply).map_err(|_| RegistryError::Worker)?;
                let required = self.credit_requirements(row.held);
                Err(CallError::PaymentRequired {
                    amount: row.held,
                    required: Box::new(PaymentRequired { error: Some(refused.code), ..required }),
                })
            }
            CallState::Released => Err(CallError::Busy),
            CallState::Held | CallState::Executed => Err(CallError::Pending { call: call.to_owned() }),
        }
    }

    fn credit_requirements(&self, amount: Atomic) -> PaymentRequired {
        let timeout_s = limits::OFFER_MARGIN_SECONDS;
        PaymentRequired {
            x402_version: VERSION,
            error: None,
            resource: Resource {
                url: format!("{}/v1/credit", self.config.public_url),
                description: Some(format!("{} dollars of prepaid credit", amount.to_decimal())),
                mime_type: Some("application/json".into()),
            },
            accepts: vec![self.rail.offer(Scheme::Exact, amount, self.rail.treasury(), timeout_s)],
            extensions: None,
        }
    }

    /// Opens an account and gives it credit, at the operator's expense. Returns the account and the token that spends it.
    pub async fn grant_credit(&self, label: &str, amount: Atomic) -> Result<(String, Token), RegistryError> {
        let account = format!("credit:{}", self.env.id());
        let opened =
            CreditAccount { id: account.clone(), label: label.to_owned(), created_at: self.env.now_ms() };
        self.store.open_credit(opened).await?;
        if amount > Atomic::ZERO {
            let grant = ledger::grant(&account, amount);
            self.store.post_transfer(&format!("grant:{account}"), grant, None, self.env.now_ms()).await?;
        }
        let token = self.mint(&account, &Caps::default())?;
        Ok((account, token))
    }

    fn mint(&self, account: &str, caps: &Caps) -> Result<Token, RegistryError> {
        self.issuer
            .mint(account, caps)
            .map_err(|error| RegistryError::Damaged("token".into(), error.to_string()))
    }

    /// Returns what the account of a token has.
    pub async fn credit_balance(&self, token: &Token) -> Result<CreditBalance, CallError> {
        let account = self.verified(token)?.account().to_owned();
        let balance = self.store.balance(&Account::Payer(account.clone())).await?;
        Ok(CreditBalance {
            account,
            available: balance.available(),
            held: balance.debits_pending,
            spent: balance.debits,
        })
    }

    /// Pays credit back to an address. Only the token that the account was opened with may ask, because one that was
    /// narrowed is for calls. `id` makes it happen once.
    pub async fn refund_credit(
        &self,
        token: &Token,
        id: &str,
        to: Address,
        amount: Atomic,
    ) -> Result<(), CallError> {
        let verified = self.verified(token)?;
        if verified.blocks().len() != 1 {
            return Err(CallError::Token(
                "was narrowed; only the account's own token takes credit back".into(),
            ));
        }
        let account = verified.account();
        if amount == Atomic::ZERO {
            return Err(CreditError::Amount(amount).into());
        }
        if self.store.is_revoked(&verified.blocks()[0].0.to_string()).await? {
            return Err(CallError::Token("was taken back".into()));
        }
        let transfer = ledger::refund(&format!("x402:{}", self.rail.network()), account, amount);
        let subject = format!("refund:{account}:{id}");
        if !self.store.owe(&subject, transfer, &to.to_string(), self.env.now_ms()).await? {
            return Err(CreditError::Short(self.credit_balance(token).await?.available).into());
        }
        Ok(())
    }

    /// Takes a token back, and every token that was made from it. Whoever has it may ask.
    pub async fn revoke_token(&self, token: &Token) -> Result<(), CallError> {
        let verified = self.verified(token)?;
        if let Some((block, _)) = verified.blocks().last() {
            self.store.revoke_block(&block.to_string(), self.env.now_ms()).await?;
        }
        Ok(())
    }

    async fn credit_account(&self, account: &str) -> Result<CreditAccount, CallError> {
        let found = self.store.credit_account(account).await?;
        found.ok_or_else(|| {
            CreditError::NoAccount(account.chars().take(limits::QUOTED_CHARS_MAX).collect()).into()
        })
    }
}

/// Returns what a payment for credit buys.
fn top_up_request(account: Option<&str>, amount: Atomic) -> Digest {
    let (release, function) = TOP_UP;
    let amount = amount.to_string();
    Digest::of([release, function, account.unwrap_or(""), amount.as_str()].join("\n"))
}
