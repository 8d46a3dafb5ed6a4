//! Checking a bundle offline: signature, digests, and the bill from its terms.

use serde::Serialize;

use super::{Bundle, Observed, Opening, Outcome, Receipt, Request};
use crate::key::PublicKey;
use crate::limits;
use crate::money::Atomic;
use crate::split::split;
use crate::terms::{Usage, charge, quote};
use crate::value::json;

/// What a verification found, check by check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The checks, in the order they were made.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// Whether it holds.
    pub holds: bool,
    /// What was found.
    pub detail: String,
}

impl Report {
    /// Tells whether every check holds. An empty report holds nothing.
    pub fn holds(&self) -> bool {
        !self.checks.is_empty() && self.checks.iter().all(|check| check.holds)
    }

    /// Adds a check.
    pub fn add(&mut self, name: &str, holds: bool, detail: impl Into<String>) {
        self.checks.push(Check { name: name.into(), holds, detail: detail.into() });
    }
}

impl Bundle {
    /// Checks everything that needs neither network nor engine.
    ///
    /// `executor` is the key that the reader trusts; without one, the receipt is checked against the key that it names
    /// itself, which proves who must answer for it and not that they are anybody in particular.
    ///
    /// Returns the receipt where its signature holds, because nothing in it means anything otherwise.
    pub fn verify(&self, executor: Option<&PublicKey>) -> (Report, Option<Receipt>) {
        let mut report = Report { checks: Vec::new() };
        report.add("format", self.format == Self::FORMAT, &self.format);
        let Some(receipt) = self.check_signature(executor, &mut report) else { return (report, None) };
        let ty = &self.opening.function_type;
        report.add("function type", ty.digest() == receipt.function_type, ty.to_string());
        self.check_values(&receipt, &mut report);
        self.check_transcript(&receipt, &mut report);
        self.check_bill(&receipt, &mut report);
        (report, Some(receipt))
    }

    fn check_signature(&self, executor: Option<&PublicKey>, report: &mut Report) -> Option<Receipt> {
        let Some(key) = executor.copied().or_else(|| self.receipt.claimed_key()) else {
            report.add("signature", false, "the envelope names no key");
            return None;
        };
        match self.receipt.verify::<Receipt>(&key) {
            Ok(statement) if statement.predicate.executor == key => {
                report.add("signature", true, format!("signed by {key}"));
                let about = statement.subject == [statement.predicate.subject()];
                report.add("subject", about, "what the statement is about");
                Some(statement.predicate)
            }
            Ok(statement) => {
                let named = statement.predicate.executor;
                report.add("signature", false, format!("signed by {key}, but names {named} as executor"));
                None
            }
            Err(error) => {
                report.add("signature", false, error.to_string());
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
                report.add("transcript", same, detail);
            }
            _ => {
                report.add("transcript", false, "the receipt and what opens it disagree on what was observed")
            }
        }
    }

    fn check_values(&self, receipt: &Receipt, report: &mut Report) {
        let Opening { salt, function_type: ty, args, output, nonce, grants, .. } = &self.opening;
        let mut bytes = [0; 32];
        if hex::decode_to_slice(salt, &mut bytes).is_err() {
            report.add("input", false, "the salt is not 64 hexadecimal digits");
            return;
        }
        let args = json::args_from_json(ty, args).map_err(|error| error.to_string());
        let request = args.as_ref().map_err(Clone::clone).and_then(|args| {
            let quote = quote(&self.opening.terms, &receipt.function, receipt.fuel_max);
            let request = Request {
                component: receipt.component,
                files: receipt.files,
                quote: &quote,
                function_type: ty,
                args,
                nonce: nonce.as_deref(),
                grants: grants.as_deref(),
            };
            request.digest().map_err(|error| error.to_string())
        });
        let input =
            args.and_then(|args| Opening::input_digest(&bytes, ty, &args).map_err(|error| error.to_string()));
        match input {
            Ok(digest) => report.add("input", digest == receipt.input, digest.to_string()),
            Err(error) => report.add("input", false, error),
        }
        report.add("request", request.as_ref() == Ok(&receipt.request), receipt.request.to_string());
        let Outcome::Returned { output: bound } = &receipt.outcome else {
            report.add("output", output.is_none(), "the call failed and has no output");
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
            Opening::output_digest(&bytes, ty, value.as_ref()).map_err(|error| error.to_string())
        });
        match digest {
            Ok(digest) => report.add("output", digest == *bound, digest.to_string()),
            Err(error) => report.add("output", false, error),
        }
    }

    /// Re-computes the bill from the terms, the fuel and the outcome.
    fn check_bill(&self, receipt: &Receipt, report: &mut Report) {
        let terms = &self.opening.terms;
        let same_terms = terms.digest() == receipt.terms && terms.release == receipt.release;
        report.add("terms", same_terms, receipt.terms.to_string());
        if !same_terms || receipt.fuel_used > receipt.fuel_max {
            report.add(
                "charge",
                false,
                "cannot be computed: the terms or the fuel are not those of the receipt",
            );
            return;
        }
        let quote = quote(terms, &receipt.function, receipt.fuel_max);
        let usage = Usage { fuel: receipt.fuel_used, ending: receipt.outcome.ending() };
        let owed = charge(terms, &quote, usage);
        let detail = format!("{} for {} fuel", owed.amount.to_decimal(), receipt.fuel_used);
        report.add("charge", owed == receipt.charge, detail);
        let shares = split(owed.amount, receipt.fee_bps, &terms.payee, &receipt.call);
        let fair = receipt.fee_bps <= limits::OPERATOR_FEE_BPS_MAX && shares == receipt.split;
        report.add("split", fair, format!("{} shares", shares.len()));
        let paid = receipt.payment.as_ref().map_or(Atomic::ZERO, |payment| payment.amount);
        let refund = receipt.payment.as_ref().map_or(Atomic::ZERO, |payment| payment.refund);
        let balanced = paid.0.checked_sub(refund.0) == Some(owed.amount.0) && paid <= quote.amount_max;
        report.add("payment", balanced, format!("{} paid, {} back", paid.to_decimal(), refund.to_decimal()));
    }
}
