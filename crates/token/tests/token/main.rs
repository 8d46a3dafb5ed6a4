//! Tokens from mint to refusal, against another authorizer and against holders who append what they like.

mod golden;
mod holding;
mod hostile;
mod narrowing;
mod reading;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use biscuit_auth::UnverifiedBiscuit;
use glassbox_core::key::PublicKey;
use glassbox_core::{Atomic, Digest, FunctionName, PackageName, ReleaseId};
use glassbox_token::{Caps, Issuer, PREFIX, Request, Token};

const REGISTRY: &str = "https://registry.example";
const NOW_S: u64 = 1_800_000_000;

fn issuer() -> Issuer {
    Issuer::from_seed(&[1; 32])
}

/// A call, owned.
#[derive(Debug, Clone)]
struct Call {
    release: ReleaseId,
    component: Option<Digest>,
    function: FunctionName,
    amount_max: u128,
    now_s: u64,
    audience: String,
    holder: Option<PublicKey>,
}

impl Call {
    fn request(&self) -> Request<'_> {
        Request {
            release: &self.release,
            component: self.component,
            function: &self.function,
            amount_max: Atomic(self.amount_max),
            now_s: self.now_s,
            audience: &self.audience,
            holder: self.holder,
        }
    }
}

fn call() -> Call {
    Call {
        release: "acme:slug@1.0.0".parse().expect("a release"),
        component: Some(Digest::of("slug")),
        function: "acme:slug/api@1.0.0#slugify".parse().expect("a function"),
        amount_max: 2_000,
        now_s: NOW_S,
        audience: REGISTRY.into(),
        holder: None,
    }
}

fn packages(names: &[&str]) -> Option<Vec<PackageName>> {
    Some(names.iter().map(|name| name.parse().expect("a package")).collect())
}

fn functions(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|name| (*name).to_owned()).collect())
}

/// Caps that use every field but the holder's and allow [`call`].
fn all_caps() -> Caps {
    Caps {
        amount_per_call_max: Some(Atomic(5_000)),
        amount_max: Some(Atomic(1_000_000)),
        calls_max: Some(100),
        expires_at_s: Some(NOW_S + 3_600),
        packages: packages(&["acme:pad", "acme:slug"]),
        functions: functions(&["pad", "slugify"]),
        audience: Some(REGISTRY.into()),
        releases: Some(vec!["acme:slug@1.0.0".parse().expect("a release")]),
        components: Some(vec![Digest::of("slug")]),
        ..Caps::default()
    }
}

/// The Biscuit inside a token.
fn biscuit(token: &Token) -> UnverifiedBiscuit {
    UnverifiedBiscuit::from(bytes(token)).expect("a token is a Biscuit")
}

fn bytes(token: &Token) -> Vec<u8> {
    let text = token.to_string();
    URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX).expect("the prefix")).expect("base64")
}

fn text(bytes: &[u8]) -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
}
