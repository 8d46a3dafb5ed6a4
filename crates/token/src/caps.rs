//! What one block allows, and the comparison of a call with it.

use glassbox_core::key::PublicKey;
use glassbox_core::{Atomic, Digest, FunctionName, PackageName, ReleaseId};
use serde::{Deserialize, Serialize};

use crate::block;
use crate::holder::HandedOn;

/// What one block of a token allows. What is `None` is not narrowed by this block.
///
/// The caps of a token are those of all its blocks together, so a block can only narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Caps {
    /// The most that one call may cost, in atomic units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_per_call_max: Option<Atomic>,
    /// The most that all calls together may cost that are made with this block or one below it, in atomic units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount_max: Option<Atomic>,
    /// The most calls that may be made with this block or one below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_max: Option<u64>,
    /// When it ends, in seconds since 1970: the first second in which it allows nothing. At most that of
    /// 9999-12-30T22:00:00Z.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at_s: Option<u64>,
    /// The packages that may be called. Not empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packages: Option<Vec<PackageName>>,
    /// The releases that may be called. Not empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub releases: Option<Vec<ReleaseId>>,
    /// The components that may be called, whatever they are named. Not empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub components: Option<Vec<Digest>>,
    /// The functions that may be called, each in any form that [`FunctionName::matches`]. Not empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub functions: Option<Vec<String>>,
    /// The registry where it is of use: its origin, such as `https://registry.example`, compared as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// Whose key a request must be signed with: the text alone is then of no use to whoever finds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<PublicKey>,
    /// What the holder before signed to hand the token on to `holder`. Made by [`Token::hand_on`](crate::Token::hand_on).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handed_on: Option<HandedOn>,
}

/// A call that somebody wants to make with a token.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The release that is called.
    pub release: &'a ReleaseId,
    /// The component that runs; absent where none does, as for what is sold.
    pub component: Option<Digest>,
    /// The function that is called.
    pub function: &'a FunctionName,
    /// The most that the call may cost: its quote, in atomic units.
    pub amount_max: Atomic,
    /// The time, in seconds since 1970.
    pub now_s: u64,
    /// The origin of the registry that is asked.
    pub audience: &'a str,
    /// The key that the request is signed with, where it is.
    pub holder: Option<PublicKey>,
}

/// The cap that said no, with what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rule {
    /// The token is for another registry.
    #[error("is for `{audience}` and this is `{asked}`; use it there, or a token for here")]
    Audience {
        /// Where it is of use.
        audience: String,
        /// Where it was presented.
        asked: String,
    },
    /// Its time is over.
    #[error("ended at {}; ask whoever gave you the token for a new one", block::show_date(*expires_at_s))]
    Expired {
        /// The first second in which nothing is allowed.
        expires_at_s: u64,
        /// The time of the request.
        now_s: u64,
    },
    /// The package is not among those allowed.
    #[error(
        "does not allow the package `{asked}`; call one that it allows, or ask for a token that allows this one"
    )]
    Package {
        /// What was asked for.
        asked: PackageName,
    },
    /// The release is not among those allowed.
    #[error(
        "does not allow the release `{asked}`; call one that it allows, or ask for a token that allows this one"
    )]
    Release {
        /// What was asked for.
        asked: ReleaseId,
    },
    /// The component is not among those allowed.
    #[error(
        "does not allow the component of `{asked}`; call one that it allows, or ask for a token that allows this one"
    )]
    Component {
        /// The release whose component it is.
        asked: ReleaseId,
    },
    /// The request is not signed by whoever holds the token.
    #[error("is of use to {holder} alone; sign the request with that key")]
    Holder {
        /// Who must sign.
        holder: Box<PublicKey>,
    },
    /// The function is not among those allowed.
    #[error(
        "does not allow the function `{asked}`; call one that it allows, or ask for a token that allows this one"
    )]
    Function {
        /// What was asked for.
        asked: FunctionName,
    },
    /// The call may cost more than one call may.
    #[error(
        "allows {max} dollars per call and this one may cost {asked}; ask for less fuel, or for a token that allows more",
        max = amount_per_call_max.to_decimal(),
        asked = asked.to_decimal()
    )]
    AmountPerCall {
        /// The most that one call may cost, in atomic units.
        amount_per_call_max: Atomic,
        /// The most that this call may cost, in atomic units.
        asked: Atomic,
    },
}

impl Rule {
    /// Returns the field of [`Caps`] that said no, such as `expires_at_s`.
    pub fn cap(&self) -> &'static str {
        match self {
            Self::Audience { .. } => "audience",
            Self::Expired { .. } => "expires_at_s",
            Self::Package { .. } => "packages",
            Self::Release { .. } => "releases",
            Self::Component { .. } => "components",
            Self::Holder { .. } => "holder",
            Self::Function { .. } => "functions",
            Self::AmountPerCall { .. } => "amount_per_call_max",
        }
    }
}

impl Caps {
    /// Checks a call against everything that can be decided from the call alone, but who holds the
    /// token, which takes all blocks. Totals are the ledger's part.
    pub(crate) fn check(&self, request: &Request<'_>) -> Result<(), Rule> {
        if let Some(audience) = &self.audience
            && audience != request.audience
        {
            return Err(Rule::Audience { audience: audience.clone(), asked: request.audience.to_owned() });
        }
        if let Some(expires_at_s) = self.expires_at_s
            && request.now_s >= expires_at_s
        {
            return Err(Rule::Expired { expires_at_s, now_s: request.now_s });
        }
        if let Some(packages) = &self.packages
            && !packages.contains(&request.release.package)
        {
            return Err(Rule::Package { asked: request.release.package.clone() });
        }
        if let Some(releases) = &self.releases
            && !releases.contains(request.release)
        {
            return Err(Rule::Release { asked: request.release.clone() });
        }
        if let Some(components) = &self.components
            && !request.component.is_some_and(|component| components.contains(&component))
        {
            return Err(Rule::Component { asked: request.release.clone() });
        }
        if let Some(functions) = &self.functions
            && !functions.iter().any(|name| request.function.matches(name))
        {
            return Err(Rule::Function { asked: request.function.clone() });
        }
        if let Some(amount_per_call_max) = self.amount_per_call_max
            && request.amount_max > amount_per_call_max
        {
            return Err(Rule::AmountPerCall { amount_per_call_max, asked: request.amount_max });
        }
        Ok(())
    }
}
