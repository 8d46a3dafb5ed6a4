//! The receipt: the signed statement of a call, which anybody can check and re-execute.
//!
//! A receipt binds code, function, input, output, fuel, terms, charge, split and payment by digest, so it can be shown
//! without giving away what was computed. The *bundle* adds what opens it, the salt, the values and the terms, and what
//! proves that it is logged. With the bundle alone [`Bundle::verify`] re-computes every digest, the whole bill and the
//! inclusion in the log, offline; with the component too, the call can be run again and compared.

pub mod audit;
mod contradiction;
mod inner;
mod proof;
mod report;
mod verify;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dsse::{Envelope, Predicate, Subject};
use crate::key::{PublicKey, SecretKey};
use crate::log::Checkpoint;
use crate::manifest::Terms;
use crate::money::Atomic;
use crate::name::{FunctionName, ReleaseId};
use crate::split::Share;
use crate::terms::{Account, Charge, Ending};
use crate::transcript::Transcript;
use crate::tree::{Linked, Node};
use crate::value::{FunctionType, Value, ValueError, binary, json};
use crate::{Digest, Hashed};

pub use contradiction::{Accusation, Certificate, is_decided};
pub use proof::{Batch, BatchTree, LoggedTerms, Place, Proof};
pub use report::{Check, Level, Report};
pub use verify::Trust;

/// What a call was, what came of it and what it cost. The predicate of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The call's id.
    pub call: String,
    /// How far this receipt is proved by itself. `L0`: signed by its executor.
    pub level: String,
    /// The release that was called. A label: what ran is `component`, over `files`.
    pub release: ReleaseId,
    /// The release's manifest, by the digest of its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
    /// The component's bytes.
    pub component: Digest,
    /// The world that the component implements, for people: what decides is `function_type`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world: Option<String>,
    /// The files that its release ships, where there are any. Whether it could read them follows from `grants`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<Digest>,
    /// The function that ran.
    pub function: FunctionName,
    /// Its type, so that the same bytes cannot be read as another.
    pub function_type: Digest,
    /// The profile: what the run meant and how it was metered.
    pub profile: Digest,
    /// What ran it. For diagnosis: not part of what a re-execution compares.
    pub engine: String,
    /// The salted digest of the arguments.
    pub input: Digest,
    /// What came of it.
    pub outcome: Outcome,
    /// The fuel burnt.
    pub fuel_used: u64,
    /// The ceiling that the caller set.
    pub fuel_max: u64,
    /// What the component reported, by name, where its terms have a price for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub events: BTreeMap<String, u64>,
    /// How long the run waited for the host, in milliseconds, where its terms have a price for it. The executor's claim.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub wait_ms: u64,
    /// The memory that the run could have, in bytes: part of what decides its outcome.
    pub memory_bytes_max: u64,
    /// Whether the run touched nothing outside: then its inputs decide its output.
    pub pure: bool,
    /// The host interfaces that the component was granted, sorted: what it declares, as far as caller and operator
    /// allowed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<String>,
    /// What the run observed outside, unless it was pure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Observed>,
    /// What was linked to the component's imports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Linked>,
    /// What of that ran, in the order of first calls. What `fuel_used` has beyond it is the component's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inner: Vec<Node>,
    /// The terms that the bill follows from.
    pub terms: Digest,
    /// What of the payer the bill follows from, beyond the terms. The operator's claim.
    #[serde(default, skip_serializing_if = "Account::is_unknown")]
    pub account: Account,
    /// What was owed.
    pub charge: Charge,
    /// The operator's fee in basis points, frozen into the quote.
    pub fee_bps: u32,
    /// Who earned which part of it.
    pub split: Vec<Share>,
    /// The payment, unless the call was free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<Payment>,
    /// The salted digest of the request: release, function, arguments and ceiling. See [`Request`].
    pub request: Digest,
    /// What the caller sent to tell this request from another with the same arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The log that the executor saw when it resolved the release.
    pub checkpoint: Checkpoint,
    /// Who ran it. Must be the key that signed.
    pub executor: PublicKey,
    /// What the executor says of itself: the digest of the payload of its record in the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor_record: Option<Digest>,
    /// When it began, in RFC 3339. The executor's claim.
    pub started_at: String,
    /// When it was done. The executor's claim.
    pub finished_at: String,
    /// What hardware says of the executor, where there is any. Carried, and not checked here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation: Option<Attestation>,
    /// Members beyond those above that a verifier must understand, as `crit` of JOSE (RFC 7515, section 4.1.11). This
    /// version knows none, so a receipt that names any is refused; members that are unknown and not named are ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub critical: Vec<String>,
}

impl Receipt {
    /// Returns the one subject of the statement: the output, or the component where there is none.
    fn subject(&self) -> Subject {
        match &self.outcome {
            Outcome::Returned { output } => Subject::new("output", *output),
            Outcome::Failed { .. } => Subject::new("component", self.component),
        }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Predicate for Receipt {
    const TYPE: &'static str = "https://glassbox.dev/attestation/execution-receipt/v1";
}

/// A statement by the hardware that ran a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attestation {
    /// What kind it is, such as `tdx` or `sev-snp`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The quote, in base64.
    pub quote: String,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Outcome {
    /// The function returned; the salted digest of what.
    Returned {
        /// See [`Opening::output_digest`].
        output: Digest,
    },
    /// The guest failed, or the host ended it.
    Failed {
        /// The stable name of the failure, such as `trap` or `out-of-fuel`. What it means for the bill follows from
        /// the name, by [`Ending::of_failure`], and is not the executor's to say.
        failure: String,
    },
}

impl Outcome {
    /// Returns how the call ended, as far as money is concerned.
    pub fn ending(&self) -> Ending {
        match self {
            Self::Returned { .. } => Ending::Returned,
            Self::Failed { failure } => Ending::of_failure(failure),
        }
    }
}

/// What a run observed outside: a commitment to its transcript.
///
/// A replay proves what the code made of the answers. That the world gave them is the executor's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Observed {
    /// The head of the transcript's hash chain.
    pub head: Digest,
    /// How many observations there are.
    pub entries: u64,
    /// Who vouches for the answers: `executor`.
    pub trust: String,
}

impl Observed {
    /// Commits to a transcript.
    pub fn of(transcript: &Transcript) -> Self {
        let entries = transcript.entries().len() as u64;
        Self { head: transcript.head(), entries, trust: "executor".into() }
    }
}

/// The payment of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// The digest of what identifies it: one payment, one receipt. The calls of a voucher share it and differ in their
    /// `cumulative`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Digest>,
    /// The x402 scheme, or `credit`.
    pub scheme: String,
    /// The network, as a CAIP-2 id.
    pub network: String,
    /// The token.
    pub asset: String,
    /// Who paid.
    pub payer: String,
    /// What was settled.
    pub amount: Atomic,
    /// The transaction that settled it; empty where no chain moved anything for this call.
    pub transaction: String,
    /// What goes back to the payer: the settled amount less the charge.
    pub refund: Atomic,
    /// The channel, where a voucher paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What all calls of the channel had cost after this one: no voucher for it is worth more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cumulative: Option<Atomic>,
    /// The offer that was taken: the digest of its x402 requirements as canonical JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Digest>,
    /// The receipt that x402 has for it: the digest of the JWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x402_receipt: Option<Digest>,
}

/// What opens a receipt: the values that it binds by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Opening {
    /// 32 random bytes in hexadecimal. Small inputs are guessable: without the salt, a digest of `42` gives it away.
    pub salt: String,
    /// The function's type.
    pub function_type: Hashed<FunctionType>,
    /// In bundles of format 1 alone: the nonce, which stands on the receipt since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The arguments, as a JSON object by name or array by position.
    pub args: serde_json::Value,
    /// What the function returned, as JSON; absent when it failed or returns nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<serde_json::Value>,
    /// What the run observed outside, unless it was pure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Transcript>,
    /// What of the declared grants the caller allowed, where it was not all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<String>>,
    /// The terms.
    pub terms: Hashed<Terms>,
    /// The terms of the other works that the bill and its split follow from, by digest: of dependencies that ran or whose use
    /// could have cost something, and of all that the release and they derive from.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub works: BTreeMap<Digest, Terms>,
}

impl Opening {
    /// Returns the digest that a receipt carries for `args`: SHA-256 of salt, the word `input`, a zero byte and the
    /// arguments' binary encoding.
    pub fn input_digest(salt: &[u8; 32], ty: &FunctionType, args: &[Value]) -> Result<Digest, ValueError> {
        Ok(Digest::of_parts(&[salt, b"input\0", &binary::encode_args(ty, args)?]))
    }

    /// Returns the digest that a receipt carries for a request, made like [`Opening::input_digest`] of the request digest
    /// with the word `request`: bare, it would give small arguments away to whoever tries them.
    pub fn request_digest(salt: &[u8; 32], request: Digest) -> Digest {
        Digest::of_parts(&[salt, b"request\0", request.as_bytes()])
    }

    /// Returns the arguments in their binary encoding.
    pub(crate) fn encoded_args(&self) -> Option<Vec<u8>> {
        let args = json::args_from_json(&self.function_type, &self.args).ok()?;
        binary::encode_args(&self.function_type, &args).ok()
    }

    /// Returns what the function returned in its binary encoding.
    pub(crate) fn encoded_output(&self) -> Option<Vec<u8>> {
        let ty = &self.function_type;
        let value = match (&ty.result, &self.output) {
            (Some(ty), Some(output)) => Some(json::from_json(output, ty).ok()?),
            _ => None,
        };
        binary::encode_result(ty, value.as_ref()).ok()
    }

    /// Returns the salt, where it is one: 64 lower-case digits, so that it has one spelling.
    pub fn salt_bytes(&self) -> Option<[u8; 32]> {
        Digest::from_hex(&self.salt).map(|salt| *salt.as_bytes())
    }

    /// Returns the digest that a receipt carries for a returned value, made like [`Opening::input_digest`] with the
    /// word `output`.
    pub fn output_digest(
        salt: &[u8; 32],
        ty: &FunctionType,
        output: Option<&Value>,
    ) -> Result<Digest, ValueError> {
        Ok(Digest::of_parts(&[salt, b"output\0", &binary::encode_result(ty, output)?]))
    }
}

/// A receipt with what opens it: one file that is enough to check a call offline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    /// [`Bundle::FORMAT`]; or [`Bundle::FORMAT_1`], which is read and not made any more.
    pub format: String,
    /// The signed receipt.
    pub receipt: Envelope,
    /// What opens it.
    pub opening: Opening,
    /// What proves that it is logged, once it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Box<Proof>>,
}

/// Says why a file is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It cannot be read.
    #[error("it is not a bundle")]
    Json(#[source] serde_json::Error),
    /// It can be read, and says more than what is read, or says it in another way.
    #[error("it has members that a verifier would ignore, or writes some in another way")]
    Spelling,
}

impl Bundle {
    /// The name and version of this format.
    pub const FORMAT: &'static str = "glassbox-bundle/2";

    /// The format before it: no proof, the nonce in the opening, the request digest unsalted.
    pub const FORMAT_1: &'static str = "glassbox-bundle/1";

    /// Signs `receipt` and puts it beside what opens it.
    pub fn new(receipt: Receipt, opening: Opening, key: &SecretKey) -> Self {
        assert_eq!(receipt.executor, key.public(), "a receipt is signed by the executor that it names");
        let receipt = Envelope::sign(vec![receipt.subject()], receipt, key);
        Self { format: Self::FORMAT.into(), receipt, opening, proof: None }
    }
}

/// What a payment buys: everything that decides a call's output and bill.
///
/// x402 signatures cover neither URL nor body, so the registry binds a payment to this digest when it first sees it.
#[derive(Debug)]
pub struct Request<'a> {
    /// The component's bytes.
    pub component: Digest,
    /// The files that its release ships, where there are any.
    pub files: Option<Digest>,
    /// The terms that its bill follows from.
    pub terms: Digest,
    /// The function.
    pub function: &'a FunctionName,
    /// The fuel ceiling.
    pub fuel_max: u64,
    /// The function's type.
    pub function_type: &'a Hashed<FunctionType>,
    /// The arguments.
    pub args: &'a [Value],
    /// What the caller sent to tell this request from another with the same arguments.
    pub nonce: Option<&'a str>,
    /// What of the declared grants the caller allows, where it is not all.
    pub grants: Option<&'a [String]>,
}

impl Request<'_> {
    /// Returns the digest that the payment is bound to.
    pub fn digest(&self) -> Result<Digest, ValueError> {
        let function = self.function.to_string();
        let nonce = self.nonce.unwrap_or_default();
        let args = binary::encode_args(self.function_type, self.args)?;
        // Allowing nothing differs from saying nothing, so what is there counts one more than its entries.
        let mut grants = self.grants.map_or(0, |grants| grants.len() as u64 + 1).to_le_bytes().to_vec();
        for grant in self.grants.unwrap_or_default() {
            grants.extend((grant.len() as u64).to_le_bytes());
            grants.extend(grant.as_bytes());
        }
        Ok(Digest::of_parts(&[
            b"glassbox-request/1\0",
            self.component.as_bytes(),
            self.files.as_ref().map_or(&[0; 32], Digest::as_bytes).as_slice(),
            self.terms.as_bytes(),
            self.function_type.digest().as_bytes(),
            &self.fuel_max.to_le_bytes(),
            // Texts are framed by their lengths, so that no two requests give the same bytes.
            &(function.len() as u64).to_le_bytes(),
            function.as_bytes(),
            &(nonce.len() as u64).to_le_bytes(),
            nonce.as_bytes(),
            &grants,
            &args,
        ]))
    }
}
