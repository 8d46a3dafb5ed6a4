//! `glassbox token`.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use glassbox_api::RevokeRequest;
use glassbox_client::Client;
use glassbox_core::key::{PublicKey, SecretKey};
use glassbox_token::{BlockId, Caps, Issuer, Token, TokenError, Unverified};
use serde::Serialize;

use super::Context;
use super::credit::dollars;
use crate::cli::{CapArgs, TokenCommand};
use crate::failure::Failure;
use crate::home::{Home, load_key};
use crate::output::{DIM, GOOD, NAME, paint};
use crate::progress::during;

/// The variable that holds a token, before that of the home folder.
const CREDIT: &str = "GLASSBOX_CREDIT";

#[derive(Serialize)]
struct Made {
    token: String,
}

/// What a token says, for people and programs. Nothing of it is verified.
#[derive(Serialize)]
struct Inspected {
    account: String,
    holder: Option<PublicKey>,
    blocks: Vec<InspectedBlock>,
}

#[derive(Serialize)]
struct InspectedBlock {
    id: BlockId,
    caps: Caps,
}

pub(super) async fn run(context: &Context, command: &TokenCommand) -> Result<(), Failure> {
    let home = context.home()?;
    match command {
        TokenCommand::Mint { account, data, caps } => {
            let path = data.join("keys").join("credit.json");
            let key = load_key(&path)?.ok_or_else(|| {
                let message = format!("there is no key that issues tokens at `{}`", path.display());
                Failure::no("key-not-found", message, "name the data folder of your registry with --data DIR")
            })?;
            show(context, &Issuer::from(&key).mint(account, &read_caps(caps)?).map_err(refused)?);
        }
        TokenCommand::Attenuate { token: given, caps } => {
            let parent = named(&home, given.as_deref())?;
            let caps = read_caps(caps)?;
            let holder = said(&parent)?.holder().map_err(refused)?;
            let narrowed = match (holder, caps.holder) {
                (Some(holder), Some(_)) => parent.hand_on(&caps, &key_of(&home, &holder)?),
                _ => parent.attenuate(&caps),
            };
            show(context, &narrowed.map_err(refused)?);
        }
        TokenCommand::Inspect { token: given } => {
            let said = said(&named(&home, given.as_deref())?)?;
            let holder = said.holder().map_err(refused)?;
            let blocks = said.blocks.into_iter().map(|(id, caps)| InspectedBlock { id, caps }).collect();
            let answer = Inspected { account: said.account, holder, blocks };
            context.output.answer(&answer, || describe(&answer));
        }
        TokenCommand::Revoke { what } => {
            let block = what.as_deref().and_then(|what| what.parse::<BlockId>().ok());
            let client = match block {
                Some(_) => client(context)?,
                None => context.client()?.with_token(&named(&home, what.as_deref())?.to_string()),
            };
            let request = RevokeRequest { block: block.map(|block| block.to_string()) };
            during("asking", client.revoke_token(&request)).await?;
            let note = format!("{} It pays nothing more, nor does what was made from it.", paint(GOOD, "✓"));
            context.output.note(&note);
        }
    }
    Ok(())
}

/// Returns a client of the usual registry that shows the token that pays.
pub(super) fn client(context: &Context) -> Result<Client, Failure> {
    paying(context, context.client()?)
}

/// Returns `client` with that token.
pub(super) fn paying(context: &Context, client: Client) -> Result<Client, Failure> {
    let home = context.home()?;
    let token = named(&home, None)?;
    let client = client.with_token(&token.to_string());
    match said(&token)?.holder().map_err(refused)? {
        Some(holder) => Ok(client.with_holder(key_of(&home, &holder)?)),
        None => Ok(client),
    }
}

/// Returns the token that was given, or the one that pays: that of the environment, or of the home folder.
fn named(home: &Home, given: Option<&str>) -> Result<Token, Failure> {
    if let Some(text) = given {
        return read(text);
    }
    if let Some(text) = std::env::var(CREDIT).ok().filter(|text| !text.is_empty()) {
        return read(&text);
    }
    own(home)?.ok_or_else(|| {
        let message = format!("there is no token at `{}`", home.credit_path().display());
        let next = "buy credit with `glassbox credit buy 5`, or set GLASSBOX_CREDIT";
        Failure::no("token-not-found", message, next)
    })
}

/// Returns the token of the home folder, where there is one.
pub(super) fn own(home: &Home) -> Result<Option<Token>, Failure> {
    let path = home.credit_path();
    match fs::read_to_string(&path) {
        Ok(text) => read(text.trim()).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::io("read", &path, &error)),
    }
}

fn read(text: &str) -> Result<Token, Failure> {
    text.parse().map_err(|error: TokenError| {
        Failure::error("token-invalid", error.to_string(), "tokens begin with gbt_ and are copied whole")
    })
}

/// Returns what a token says, unverified.
pub(super) fn said(token: &Token) -> Result<Unverified, Failure> {
    token.inspect().map_err(|error| Failure::error("token-invalid", error.to_string(), ""))
}

/// Returns the key of the home folder, which must be the holder's.
fn key_of(home: &Home, holder: &PublicKey) -> Result<SecretKey, Failure> {
    home.key()?.filter(|key| key.public() == *holder).ok_or_else(|| {
        let message = format!("the token is of use to {holder} alone, whose key is not in the home folder");
        Failure::no("token-held", message, "name the folder with that key: --home DIR")
    })
}

fn refused(error: TokenError) -> Failure {
    Failure::no("token-invalid", error.to_string(), "`glassbox token inspect` shows what it says")
}

fn read_caps(args: &CapArgs) -> Result<Caps, Failure> {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    Ok(Caps {
        amount_per_call_max: args.per_call.as_deref().map(dollars).transpose()?,
        amount_max: args.total.as_deref().map(dollars).transpose()?,
        calls_max: args.calls,
        expires_at_s: args.expires.map(|seconds| now_s.saturating_add(seconds)),
        packages: some(&args.packages),
        releases: some(&args.releases),
        components: some(&args.components),
        functions: some(&args.functions),
        holder: args.holder,
        ..Caps::default()
    })
}

fn some<T: Clone>(names: &[T]) -> Option<Vec<T>> {
    (!names.is_empty()).then(|| names.to_vec())
}

fn show(context: &Context, token: &Token) {
    let made = Made { token: token.to_string() };
    context.output.answer(&made, || made.token.clone());
}

fn describe(answer: &Inspected) -> String {
    let mut lines = vec![format!("spends the credit of {}", paint(NAME, &answer.account))];
    if let Some(holder) = &answer.holder {
        lines.push(format!("of use to {holder} alone"));
    }
    for (index, block) in answer.blocks.iter().enumerate() {
        lines.push(format!("block {index}  {}", paint(DIM, block.id)));
        let caps = serde_json::to_value(&block.caps).expect("caps have string keys");
        let caps = caps.as_object().into_iter().flatten();
        lines.extend(caps.map(|(name, value)| format!("  {name}  {value}")));
    }
    lines.join("\n")
}
