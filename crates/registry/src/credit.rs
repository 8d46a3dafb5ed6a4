//! Prepaid credit: buying it, spending it by a token, getting it back.
//!
//! For people without a wallet, and for very many calls: what credit pays is paid once it is written down. What an account
//! has is its balance in the ledger. Buying credit is a [sale](crate::sale).

use std::sync::{Arc, PoisonError};

use glassbox_core::ledger::{self, Account, Kind, Transfer};
use glassbox_core::possession::Proof;
use glassbox_core::receipt::Payment as SettledPayment;
use glassbox_core::{Atomic, Digest, FunctionName, Pico, ReleaseId, limits};
use glassbox_pay::Address;
use glassbox_pay::x402::{PaymentPayload, Resource, SettleResponse};
use glassbox_store::{Budget, CreditAccount};
use glassbox_token::{BlockId, Caps, Request, Token, TokenError, Verified};
use serde::{Deserialize, Serialize};

use crate::error::{CallError, CreditError, RegistryError};
use crate::hold::Order;
use crate::open::Registry;
use crate::payment::{Means, Payment, Tender};
use crate::sale::Flow;
use crate::settle::{Closing, Recorded};

/// The name under which a top-up stands among the calls.
const TOP_UP: (&str, &str) = ("glassbox:credit@1.0.0", "top-up");

/// A token that spends credit, as it came with a request.
#[derive(Debug, Clone)]
pub struct Credit {
    /// The token.
    pub token: Token,
    /// What shows who sent the request, where it is signed.
    pub proof: Option<Proof>,
    /// The caller's own name for the request: the same again is answered from the same call.
    pub identifier: Option<String>,
}

impl Credit {
    /// What the text of every token begins with.
    pub const PREFIX: &str = glassbox_token::PREFIX;

    /// Reads a token.
    pub fn new(token: &str, proof: Option<Proof>, identifier: Option<String>) -> Result<Self, CallError> {
        let token = token.parse().map_err(|error: TokenError| CallError::Token(error.to_string()))?;
        Ok(Self { token, proof, identifier })
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
    /// Verifies a token, once while it is remembered: its signatures take longer than many a call. Whether it was taken back
    /// is asked of the ledger each time.
    fn verified(&self, token: &Token) -> Result<Arc<Verified>, CallError> {
        let text = token.to_string();
        let known = || self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(verified) = known().get(&text) {
            return Ok(verified.clone());
        }
        let verified = self.issuer.verifier().verify(token);
        let verified = Arc::new(verified.map_err(|error| CallError::Token(error.to_string()))?);
        let mut tokens = known();
        if tokens.len() >= limits::TOKENS_REMEMBERED_MAX {
            tokens.clear();
        }
        tokens.insert(text, verified.clone());
        Ok(verified)
    }

    /// Verifies a token, and that whoever sent the request may use it.
    fn held(&self, credit: &Credit) -> Result<Arc<Verified>, CallError> {
        let verified = self.verified(&credit.token)?;
        if let Some(holder) = verified.holder() {
            let refused = |reason: String| Err(CallError::Proof(reason));
            match &credit.proof {
                None => {
                    return refused(format!(
                        "the token is of use to {holder} alone, and the request is not signed"
                    ));
                }
                Some(proof) if proof.key != *holder => {
                    return refused(format!(
                        "the token is of use to {holder} alone, and {} signed",
                        proof.key
                    ));
                }
                Some(proof) if proof.created_s.abs_diff(self.now_s()) > limits::PROOF_SECONDS_MAX => {
                    return refused(format!(
                        "the request was signed at {}, and it is {} here",
                        proof.created_s,
                        self.now_s()
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(verified)
    }

    /// Reads a token against its own words: whose credit it spends, and the key by which a signed request is found again.
    pub(crate) fn known_credit(&self, credit: &Credit) -> Result<(String, Option<String>), CallError> {
        let verified = self.held(credit)?;
        let account = verified.account().to_owned();
        // A request that was listened to and sent again is the same request.
        let key = verified.holder().and(credit.proof).map(|proof| format!("{account}/{}", proof.id));
        Ok((account, key))
    }

    fn now_s(&self) -> u64 {
        u64::try_from(self.env.now_ms() / 1_000).unwrap_or_default()
    }

    /// Returns the account that a token shows for what costs nothing: none of its totals is used.
    pub(crate) async fn shown_by_credit(
        &self,
        credit: &Credit,
        release: &ReleaseId,
        component: Option<Digest>,
        asked: (&FunctionName, Atomic),
    ) -> Result<String, CallError> {
        let (account, _) = self.known_credit(credit)?;
        let verified = self.authorized(credit, release, component, asked)?;
        for (block, _) in verified.blocks() {
            if self.store.is_revoked(&account, &block.to_string()).await? {
                return Err(CallError::Token("it was taken back".into()));
            }
        }
        Ok(account)
    }

    /// Verifies a token, and that it allows this.
    fn authorized(
        &self,
        credit: &Credit,
        release: &ReleaseId,
        component: Option<Digest>,
        (function, amount_max): (&FunctionName, Atomic),
    ) -> Result<Arc<Verified>, CallError> {
        let verified = self.verified(&credit.token)?;
        let request = Request {
            release,
            component,
            function,
            amount_max,
            now_s: self.now_s(),
            audience: &self.config.public_url,
            holder: credit.proof.map(|proof| proof.key),
        };
        verified.authorize(&request).map_err(|refusal| CallError::Token(refusal.to_string()))?;
        Ok(verified)
    }

    /// Checks a token against an order. Its totals, and whether it was taken back, are for the ledger to check.
    pub(crate) fn check_credit(&self, credit: Credit, order: &Order) -> Result<Tender, CallError> {
        let (account, key) = self.known_credit(&credit)?;
        let asked = (&order.function, order.amount_max);
        let verified = self.authorized(&credit, &order.release, order.component, asked)?;
        if credit.identifier.as_ref().is_some_and(|id| id.is_empty() || id.len() > limits::NONCE_BYTES_MAX) {
            return Err(CallError::NonceTooLong);
        }
        let budget = |(block, caps): &(BlockId, Caps)| Budget {
            block: block.to_string(),
            amount_max: caps.amount_max,
            calls_max: caps.calls_max,
        };
        Ok(Tender {
            key: key.unwrap_or_else(|| format!("{account}/{}", self.env.id())),
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
        let order = self.credit_order(account.as_deref(), amount);
        let Some(payment) = payment else { return Err(order.unpaid()) };
        let sold = self.sell(order, Payment::X402(Box::new(payment)), move |call| {
            let opens = account.is_none();
            let top_up = account.unwrap_or_else(|| format!("credit:{call}"));
            Recorded::TopUp(TopUp { top_up, opens, amount })
        });
        sold.await?.ok_or(CallError::ReplyForgotten)
    }

    /// Opens the account that a top-up is for where it is new, and says what its buyer gets.
    pub(crate) async fn close_top_up(
        &self,
        top_up: TopUp,
        payment: &SettledPayment,
        settlement: Option<SettleResponse>,
    ) -> Result<Closing, CallError> {
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
        let credited = Transfer {
            debit: Account::Payer(payment.payer.clone()),
            credit: Account::Payer(account.clone()),
            amount: amount.to_pico(),
            kind: Kind::TopUp,
            through: None,
        };
        let reply = TopUpReply { account, token, amount, settlement };
        let reply = serde_json::to_string(&reply).map_err(|_| RegistryError::Worker)?;
        Ok(Closing::of_sale(vec![credited], reply, Vec::new()))
    }

    fn credit_order(&self, account: Option<&str>, amount: Atomic) -> Order {
        let (release, function) = TOP_UP;
        let resource = Resource {
            url: format!("{}/v1/credit", self.config.public_url),
            description: Some(format!("{} dollars of prepaid credit", amount.to_decimal())),
            mime_type: Some("application/json".into()),
        };
        let required = self.sale_requirements(resource, amount, Flow::Usual);
        Order {
            request: top_up_request(account, amount),
            requests: vec![top_up_request(account, amount)],
            release: release.parse().expect("a release id"),
            component: None,
            function: function.parse().expect("a function name"),
            amount_max: amount,
            required,
            run_ms_max: 0,
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
    pub async fn credit_balance(&self, credit: &Credit) -> Result<CreditBalance, CallError> {
        let account = self.held(credit)?.account().to_owned();
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
        credit: &Credit,
        id: &str,
        to: Address,
        amount: Atomic,
    ) -> Result<(), CallError> {
        let verified = self.held(credit)?;
        if verified.blocks().len() != 1 {
            return Err(CallError::Token(
                "was narrowed; only the account's own token takes credit back".into(),
            ));
        }
        let account = verified.account();
        if amount == Atomic::ZERO {
            return Err(CreditError::Amount(amount).into());
        }
        if self.store.is_revoked(account, &verified.blocks()[0].0.to_string()).await? {
            return Err(CallError::Token("was taken back".into()));
        }
        let transfer = ledger::refund(&format!("x402:{}", self.rail.network()), account, amount);
        let subject = format!("refund:{account}:{id}");
        if !self.store.owe(&subject, transfer, &to.to_string(), self.env.now_ms()).await? {
            return Err(CreditError::Short(self.credit_balance(credit).await?.available).into());
        }
        Ok(())
    }

    /// Takes a token back, and every token that was made from it. Whoever has its text may ask, its holder or not: what was
    /// found in the wrong place is best ended.
    ///
    /// With the id of a block, takes that back instead, which only the token that the account was opened with may ask: it is
    /// for tokens whose text is lost.
    pub async fn revoke_token(&self, credit: &Credit, block: Option<BlockId>) -> Result<(), CallError> {
        let verified = match block {
            Some(_) => self.held(credit)?,
            None => self.verified(&credit.token)?,
        };
        let (own, _) = verified.blocks().last().ok_or(RegistryError::Worker)?;
        if block.is_some() && verified.blocks().len() != 1 {
            return Err(CallError::Token(
                "was narrowed; only the account's own token takes others back by their ids".into(),
            ));
        }
        let block = block.unwrap_or(*own).to_string();
        Ok(self.store.revoke_block(verified.account(), &block, self.env.now_ms()).await?)
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
