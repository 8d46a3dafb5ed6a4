//! Checking a bundle offline: signature, digests, the bill from its terms, and the log.

use super::proof::Seen;
use super::report::{Level, Report};
use super::{Bundle, BundleError, Observed, Opening, Outcome, Receipt, Request};
use crate::hashed::Document as _;
use crate::key::PublicKey;
use crate::limits;
use crate::log::LogPolicy;
use crate::money::Atomic;
use crate::split::split_bill;
use crate::terms::{Account, Import, Usage, bill, quote};
use crate::value::json;

/// Whom the reader of a bundle believes.
#[derive(Debug, Clone, Default)]
pub struct Trust {
    /// The executor's key. Without one, the receipt is checked against the key that it names itself, which proves who must
    /// answer for it and not that they are anybody in particular.
    pub executor: Option<PublicKey>,
    /// The logs and witnesses that the reader believes. With such a policy, a receipt must be logged, and the checkpoint
    /// must satisfy it; without, the keys that the proof names itself show who would have to answer. When the checkpoint
    /// was signed does not matter.
    pub policy: Option<LogPolicy>,
}

impl Bundle {
    /// Reads a bundle from a file.
    ///
    /// Every member must be one that this version knows and be written as it is written here, but for white space and
    /// order: what a verifier ignores could be changed without anybody noticing.
    pub fn from_json(text: &str) -> Result<Self, BundleError> {
        let json: serde_json::Value = serde_json::from_str(text).map_err(BundleError::Json)?;
        Self::from_value(json)
    }

    /// Reads a bundle from JSON. See [`Bundle::from_json`].
    pub fn from_value(json: serde_json::Value) -> Result<Self, BundleError> {
        let bundle: Self = serde_json::from_value(json.clone()).map_err(BundleError::Json)?;
        match serde_json::to_value(&bundle) {
            Ok(written) if written == json => Ok(bundle),
            _ => Err(BundleError::Spelling),
        }
    }

    /// Checks everything that needs neither network nor engine, against the key of an executor; see [`Trust`].
    ///
    /// Returns the receipt where its signature holds, because nothing in it means anything otherwise.
    pub fn verify(&self, executor: Option<&PublicKey>) -> (Report, Option<Receipt>) {
        self.verify_by(&Trust { executor: executor.copied(), policy: None })
    }

    /// Checks everything that needs neither network nor engine.
    ///
    /// Returns the receipt where its signature holds, because nothing in it means anything otherwise.
    pub fn verify_by(&self, trust: &Trust) -> (Report, Option<Receipt>) {
        let mut report = Report::default();
        let known = self.format == Self::FORMAT || (self.format == Self::FORMAT_1 && self.proof.is_none());
        report.add(Level::L0, "format", known, &self.format);
        let Some(receipt) = self.check_signature(trust, &mut report) else { return (report, None) };
        if !receipt.critical.is_empty() {
            let names: String = receipt.critical.join(", ").chars().take(limits::QUOTED_CHARS_MAX).collect();
            report.add(Level::L0, "critical", false, format!("this version does not know {names}"));
        }
        let ty = &self.opening.function_type;
        report.add(Level::L0, "function type", ty.digest() == receipt.function_type, ty.to_string());
        self.check_values(&receipt, &mut report);
        self.check_transcript(&receipt, &mut report);
        if !receipt.dependencies.is_empty() || !receipt.inner.is_empty() {
            report.add_result(Level::L0, "call tree", receipt.check_inner());
        }
        self.check_bill(&receipt, &mut report);
        self.check_log(trust, &receipt, &mut report);
        (report, Some(receipt))
    }

    fn check_signature(&self, trust: &Trust, report: &mut Report) -> Option<Receipt> {
        // One signature, by the key that it says: another, or another name for it, would be believed unchecked.
        let claimed = self.receipt.claimed_key().filter(|_| self.receipt.signatures.len() == 1);
        let Some(key) = claimed else {
            report.add(Level::L0, "signature", false, "the envelope has not one signature by one key");
            return None;
        };
        if let Some(executor) = trust.executor.filter(|executor| *executor != key) {
            report.add(Level::L0, "signature", false, format!("signed by {key}, and not by {executor}"));
            return None;
        }
        match self.receipt.verify::<Receipt>(&key) {
            Ok(statement) if statement.predicate.executor == key => {
                report.add(Level::L0, "signature", true, format!("signed by {key}"));
                let about = statement.subject == [statement.predicate.subject()];
                report.add(Level::L0, "subject", about, "what the statement is about");
                Some(statement.predicate)
            }
            Ok(statement) => {
                let named = statement.predicate.executor;
                let detail = format!("signed by {key}, but names {named} as executor");
                report.add(Level::L0, "signature", false, detail);
                None
            }
            Err(error) => {
                report.add(Level::L0, "signature", false, error.to_string());
                None
            }
        }
    }

    /// A pure run has no transcript, and any other one has the one that its receipt commits to.
    fn check_transcript(&self, receipt: &Receipt, report: &mut Report) {
        match (&receipt.transcript, &self.opening.transcript) {
            (None, None) if receipt.pure => {}
            (Some(observed), Some(transcript)) if !receipt.pure => {
                let same = *observed == Observed::of(transcript);
                let detail =
                    format!("{} answers from outside, vouched for by the executor", observed.entries);
                report.add(Level::L0, "transcript", same, detail);
            }
            _ => {
                let detail = "the receipt and what opens it disagree on what was observed";
                report.add(Level::L0, "transcript", false, detail);
            }
        }
    }

    fn check_values(&self, receipt: &Receipt, report: &mut Report) {
        let Opening { function_type: ty, args, output, .. } = &self.opening;
        let Some(salt) = self.opening.salt_bytes() else {
            report.add(Level::L0, "input", false, "the salt is not 64 hexadecimal digits");
            return;
        };
        let args = json::args_from_json(ty, args).map_err(|error| error.to_string());
        let input = args
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|args| Opening::input_digest(&salt, ty, args).map_err(|error| error.to_string()));
        match input {
            Ok(digest) => report.add(Level::L0, "input", digest == receipt.input, digest.to_string()),
            Err(error) => report.add(Level::L0, "input", false, error),
        }
        let asked = args.is_ok_and(|args| {
            let request = Request {
                component: receipt.component,
                files: receipt.files,
                terms: self.opening.terms.digest(),
                function: &receipt.function,
                fuel_max: receipt.fuel_max,
                function_type: ty,
                args: &args,
                nonce: self.nonce(receipt),
                grants: self.opening.grants.as_deref(),
            };
            self.answers(receipt, &request)
        });
        report.add(Level::L0, "request", asked, receipt.request.to_string());
        let Outcome::Returned { output: bound } = &receipt.outcome else {
            report.add(Level::L0, "output", output.is_none(), "the call failed and has no output");
            return;
        };
        let value = match (&ty.result, output) {
            (None, None) => Ok(None),
            (Some(ty), Some(output)) => {
                json::from_json(output, ty).map(Some).map_err(|error| error.to_string())
            }
            _ => Err("the function's type and the output disagree".to_owned()),
        };
        let digest = value.and_then(|value| {
            Opening::output_digest(&salt, ty, value.as_ref()).map_err(|error| error.to_string())
        });
        match digest {
            Ok(digest) => report.add(Level::L0, "output", digest == *bound, digest.to_string()),
            Err(error) => report.add(Level::L0, "output", false, error),
        }
    }

    fn nonce<'a>(&'a self, receipt: &'a Receipt) -> Option<&'a str> {
        let nonce = if self.format == Self::FORMAT_1 { &self.opening.nonce } else { &receipt.nonce };
        nonce.as_deref()
    }

    /// Tells whether this is the receipt of a request.
    pub fn answers(&self, receipt: &Receipt, request: &Request<'_>) -> bool {
        let (Ok(asked), Some(salt)) = (request.digest(), self.opening.salt_bytes()) else { return false };
        let bound = match self.format == Self::FORMAT_1 {
            true => asked,
            false => Opening::request_digest(&salt, asked),
        };
        bound == receipt.request
    }

    /// Returns what the bill follows from: what the receipt says that the meter read, and the sizes of the values.
    pub fn usage(&self, receipt: &Receipt) -> Usage {
        let length = |bytes: Option<Vec<u8>>| bytes.map_or(0, |bytes| bytes.len() as u64);
        let ending = receipt.outcome.ending();
        let output =
            matches!(receipt.outcome, Outcome::Returned { .. }).then(|| self.opening.encoded_output());
        Usage {
            bytes_in: length(self.opening.encoded_args()),
            bytes_out: length(output.flatten()),
            wait_ms: receipt.wait_ms,
            events: receipt.events.clone(),
            ..Usage::of_fuel(receipt.fuel_used, ending)
        }
    }

    /// Re-computes the bill from the terms, the account, the usage, the outcome and the call tree, and splits it.
    fn check_bill(&self, receipt: &Receipt, report: &mut Report) {
        let Opening { terms, works, .. } = &self.opening;
        let same_terms = terms.digest() == receipt.terms && terms.release == receipt.release;
        report.add(Level::L0, "terms", same_terms, receipt.terms.to_string());
        let others = works.iter().find(|(digest, terms)| terms.compute_digest() != **digest);
        if let Some((digest, _)) = others {
            return report.add(Level::L0, "charge", false, format!("{digest} is of other terms"));
        }
        if !same_terms || receipt.fuel_used > receipt.fuel_max || receipt.check_inner().is_err() {
            let detail = "cannot be computed: the terms, the fuel or the calls are not those of the receipt";
            return report.add(Level::L0, "charge", false, detail);
        }
        let imports = Import::of(&receipt.dependencies, works);
        let quoted = |account| quote(terms, &receipt.function, receipt.fuel_max, account, &imports);
        let quote = quoted(receipt.account.clone());
        let bill = match bill(terms, &quote, &self.usage(receipt), &receipt.inner, works) {
            Ok(bill) => bill,
            Err(error) => return report.add(Level::L0, "charge", false, error.to_string()),
        };
        let owed = bill.charge();
        let detail = format!("{} for {} fuel", owed.amount.to_decimal(), receipt.fuel_used);
        report.add(Level::L0, "charge", owed == receipt.charge, detail);
        let shares = split_bill(&bill, receipt.fee_bps, works, &receipt.call);
        let fair = receipt.fee_bps <= limits::OPERATOR_FEE_BPS_MAX
            && shares.as_ref().is_ok_and(|shares| *shares == receipt.split);
        let found = shares.map(|shares| format!("{} shares", shares.len()));
        report.add(Level::L0, "split", fair, found.unwrap_or_else(|error| error.to_string()));
        let paid = receipt.payment.as_ref().map_or(Atomic::ZERO, |payment| payment.amount);
        let refund = receipt.payment.as_ref().map_or(Atomic::ZERO, |payment| payment.refund);
        let balanced = paid.0.checked_sub(refund.0) == Some(owed.amount.0)
            && paid <= quoted(Account::default()).amount_max;
        let detail = format!("{} paid, {} back", paid.to_decimal(), refund.to_decimal());
        report.add(Level::L0, "payment", balanced, detail);
    }

    /// Checks that the receipt is logged, where the bundle says so or the reader wants it.
    fn check_log(&self, trust: &Trust, receipt: &Receipt, report: &mut Report) {
        let Some(proof) = &self.proof else {
            if trust.policy.is_some() {
                report.add(Level::L1, "log", false, "the bundle has no proof that the receipt is logged");
            }
            return;
        };
        let trusted = match &trust.policy {
            Some(policy) => match policy.judge(&proof.checkpoint, None) {
                Ok(_) => proof.open(),
                Err(distrust) => Err(distrust.to_string()),
            },
            None => proof.open(),
        };
        let Seen { log, witnesses } = match trusted {
            // What the executor had seen when it ran the call is a part of what is shown now.
            Ok(seen)
                if seen.log.origin == receipt.checkpoint.origin
                    && receipt.checkpoint.size <= seen.log.size =>
            {
                seen
            }
            Ok(Seen { log, .. }) => {
                let detail = format!("the executor saw another log than {} of size {}", log.origin, log.size);
                return report.add(Level::L1, "log", false, detail);
            }
            Err(error) => return report.add(Level::L1, "log", false, error),
        };
        report.add(Level::L1, "log", true, format!("{} at size {}", log.origin, log.size));
        if !witnesses.is_empty() {
            let names: Vec<&str> = witnesses.iter().map(|(name, _)| name.as_str()).collect();
            report.add(Level::L1, "witnesses", true, format!("seen by {}", names.join(", ")));
        }
        let payload = self.receipt.payload_digest().ok_or_else(|| "the payload is not base64".to_owned());
        let logged = payload.and_then(|payload| proof.check_batch(payload, &receipt.executor, &log));
        let number = proof.batch.from.saturating_add(proof.batch.place.index);
        let detail = format!("receipt {number} of its executor, in entry {}", proof.entry.index);
        report.add_result(Level::L1, "inclusion", logged.map(|()| detail));
        if let Some(price) = proof.check_terms(receipt, &log) {
            report.add_result(Level::L1, "price", price);
        }
    }
}
