//! The sentences of a block: caps to datalog, and back.
//!
//! Reading is no parsing of datalog. Each sentence stands in one form, so it is compared with that form as text, and
//! what fits none is refused.

use std::str::FromStr;

use biscuit_auth::BlockBuilder;
use glassbox_core::{Atomic, limits};
use jiff::Timestamp;

use crate::error::clip;
use crate::{Caps, TokenError};

/// A sentence: what stands before its value, and behind.
type Form = (&'static str, &'static str);

const ACCOUNT: Form = ("account(\"", "\")");
const AMOUNT_PER_CALL_MAX: Form = ("check if amount($amount), $amount <= ", "");
const AMOUNT_MAX: Form = ("amount_max(", ")");
const CALLS_MAX: Form = ("calls_max(", ")");
const EXPIRES_AT: Form = ("check if time($time), $time < ", "");
const PACKAGES: Form = ("check if package($package), {", "}.contains($package)");
const FUNCTIONS: Form = ("check if function($function), {", "}.contains($function)");
const RELEASES: Form = ("check if release($release), {", "}.contains($release)");
const COMPONENTS: Form = ("check if component($component), {", "}.contains($component)");
const AUDIENCE: Form = ("check if audience(\"", "\")");
const HOLDER: Form = ("check if holder(\"", "\")");
const HANDED_ON: Form = ("handed_on(\"", "\")");

/// What ends a sentence.
const END: &str = ";\n";

/// The version of datalog that has all the sentences and nothing else of what came later: no scopes, no closures, no
/// signatures of third parties.
pub(crate) const DATALOG_VERSION: u32 = 3;

/// Writes the issuer's block.
pub(crate) fn write_authority(account: &str, caps: &Caps) -> Result<BlockBuilder, TokenError> {
    if !is_name(account) {
        return Err(cap("account", account, NAME_HINT));
    }
    build(sentence(ACCOUNT, account) + &write(caps)?)
}

/// Writes a block that narrows.
pub(crate) fn write_block(caps: &Caps) -> Result<BlockBuilder, TokenError> {
    build(write(caps)?)
}

fn build(source: String) -> Result<BlockBuilder, TokenError> {
    Ok(BlockBuilder::new().code(source).expect("sentences of checked names and numbers are datalog"))
}

fn write(caps: &Caps) -> Result<String, TokenError> {
    let mut source = String::new();
    for (form, field, amount) in [
        (AMOUNT_MAX, "amount_max", caps.amount_max),
        (AMOUNT_PER_CALL_MAX, "amount_per_call_max", caps.amount_per_call_max),
    ] {
        if let Some(amount) = amount {
            let text = amount.to_string();
            if text.parse::<Atomic>().is_err() {
                return Err(cap(field, &text, "write an amount below a million million dollars"));
            }
            source += &sentence(form, &text);
        }
    }
    if let Some(calls_max) = caps.calls_max {
        let text = calls_max.to_string();
        if i64::try_from(calls_max).is_err() {
            return Err(cap("calls_max", &text, "write a number below 2^63"));
        }
        source += &sentence(CALLS_MAX, &text);
    }
    if let Some(expires_at_s) = caps.expires_at_s {
        let date = write_date(expires_at_s).ok_or_else(|| {
            cap("expires_at_s", &expires_at_s.to_string(), "write a time before the year 9999")
        })?;
        source += &sentence(EXPIRES_AT, &date);
    }
    let names = [
        (PACKAGES, "packages", caps.packages.as_deref().map(texts)),
        (RELEASES, "releases", caps.releases.as_deref().map(texts)),
        (COMPONENTS, "components", caps.components.as_deref().map(texts)),
        (FUNCTIONS, "functions", caps.functions.clone()),
    ];
    for (form, field, names) in names {
        if let Some(names) = names {
            source += &sentence(form, &write_names(field, &names)?);
        }
    }
    if let Some(audience) = &caps.audience {
        if !is_name(audience) {
            return Err(cap("audience", audience, NAME_HINT));
        }
        source += &sentence(AUDIENCE, audience);
    }
    if let Some(holder) = &caps.holder {
        source += &sentence(HOLDER, &holder.to_string());
    }
    if let Some(handed_on) = &caps.handed_on {
        source += &sentence(HANDED_ON, &handed_on.to_string());
    }
    Ok(source)
}

fn texts<T: ToString>(names: &[T]) -> Vec<String> {
    names.iter().map(T::to_string).collect()
}

fn sentence((before, behind): Form, value: &str) -> String {
    format!("{before}{value}{behind}{END}")
}

fn write_names(field: &'static str, names: &[String]) -> Result<String, TokenError> {
    if names.is_empty() {
        return Err(cap(field, "", "name at least one, because a token that allows nothing is of no use"));
    }
    if let Some(name) = names.iter().find(|name| !is_name(name)) {
        return Err(cap(field, name, NAME_HINT));
    }
    Ok(names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", "))
}

/// Returns caps as they are read again: names sorted, each once.
pub(crate) fn normal(caps: &Caps) -> Result<Caps, TokenError> {
    let (_, caps) = read(&write(caps)?).expect("what is written can be read");
    Ok(caps)
}

/// Reads a block from its datalog, as `(account, caps)`. Names of a list come out sorted, each once. Fails with the
/// sentence that is not understood.
pub(crate) fn read(source: &str) -> Result<(Option<String>, Caps), String> {
    let (mut account, mut caps) = (None, Caps::default());
    for sentence in source.split_terminator(END) {
        read_sentence(sentence, &mut account, &mut caps).ok_or_else(|| clip(sentence))?;
    }
    Ok((account, caps))
}

fn read_sentence(sentence: &str, account: &mut Option<String>, caps: &mut Caps) -> Option<()> {
    let value = |(before, behind): Form| sentence.strip_prefix(before)?.strip_suffix(behind);
    if let Some(text) = value(ACCOUNT) {
        once(account, read_name(text)?)
    } else if let Some(text) = value(AMOUNT_MAX) {
        once(&mut caps.amount_max, text.parse().ok()?)
    } else if let Some(text) = value(CALLS_MAX) {
        once(&mut caps.calls_max, read_count(text)?)
    } else if let Some(text) = value(AMOUNT_PER_CALL_MAX) {
        once(&mut caps.amount_per_call_max, text.parse().ok()?)
    } else if let Some(text) = value(EXPIRES_AT) {
        once(&mut caps.expires_at_s, read_date(text)?)
    } else if let Some(text) = value(PACKAGES) {
        once(&mut caps.packages, parse_names(text)?)
    } else if let Some(text) = value(RELEASES) {
        once(&mut caps.releases, parse_names(text)?)
    } else if let Some(text) = value(COMPONENTS) {
        once(&mut caps.components, parse_names(text)?)
    } else if let Some(text) = value(FUNCTIONS) {
        once(&mut caps.functions, read_names(text)?)
    } else if let Some(text) = value(AUDIENCE) {
        once(&mut caps.audience, read_name(text)?)
    } else if let Some(text) = value(HOLDER) {
        once(&mut caps.holder, text.parse().ok()?)
    } else if let Some(text) = value(HANDED_ON) {
        once(&mut caps.handed_on, text.parse().ok()?)
    } else {
        None
    }
}

/// A cap that stands twice is refused: whoever reads only one of them would be wrong.
fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    if slot.is_some() {
        return None;
    }
    *slot = Some(value);
    Some(())
}

fn read_count(text: &str) -> Option<u64> {
    let count: u64 = text.parse().ok()?;
    (count.to_string() == text).then_some(count)
}

fn read_names(text: &str) -> Option<Vec<String>> {
    let name = |quoted: &str| read_name(quoted.strip_prefix('"')?.strip_suffix('"')?);
    let mut names: Vec<_> = text.split(", ").map(name).collect::<Option<_>>()?;
    names.sort_unstable();
    names.dedup();
    Some(names)
}

/// Reads names that are of a type, in its own spelling alone.
fn parse_names<T: FromStr + ToString>(text: &str) -> Option<Vec<T>> {
    let parse = |name: String| name.parse().ok().filter(|parsed: &T| parsed.to_string() == name);
    read_names(text)?.into_iter().map(parse).collect()
}

fn read_name(text: &str) -> Option<String> {
    is_name(text).then(|| text.to_owned())
}

const NAME_HINT: &str = "write up to 385 printable ASCII characters without spaces, quotes and backslashes";

/// Tells whether a text can stand between quotes in a sentence and be found there again.
fn is_name(text: &str) -> bool {
    (1..=limits::TOKEN_NAME_BYTES_MAX).contains(&text.len()) && is_plain(text)
}

/// Tells whether a text has no character that could end a quote or a word. Biscuit prints the names of a block as they
/// are, so others could pretend to be sentences.
pub(crate) fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}

fn write_date(seconds: u64) -> Option<String> {
    Some(Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?.to_string())
}

/// Returns a time as a date where it has one.
pub(crate) fn show_date(seconds: u64) -> String {
    write_date(seconds).unwrap_or_else(|| format!("{seconds} seconds after 1970"))
}

fn read_date(text: &str) -> Option<u64> {
    let seconds = u64::try_from(text.parse::<Timestamp>().ok()?.as_second()).ok()?;
    (write_date(seconds)? == text).then_some(seconds)
}

fn cap(field: &'static str, text: &str, hint: &'static str) -> TokenError {
    TokenError::Cap { field, text: clip(text), hint }
}
