//! The words of a policy: hosts, tokens, addresses and amounts, each from its text.

use std::fmt;
use std::str::FromStr;

use glassbox_core::Atomic;
use glassbox_core::limits::QUOTED_CHARS_MAX;
use glassbox_pay::{Address, Network, Scheme, devnet};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

/// A registry's address without a path, such as `https://registry.example.com`: one host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Host(String);

/// A token on a network, by its CAIP-19 id, such as `eip155:84532/erc20:0x036CbD53842c5426634e7929541eC2318f3dCF7e`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Asset {
    /// The network.
    pub network: Network,
    /// The token's contract.
    pub address: Address,
}

impl Host {
    /// Returns the host of a registry's address, whatever its path.
    pub fn of(url: &str) -> Result<Self, String> {
        let refused = || format!("`{}` is not the address of a registry", clip(url));
        let url = reqwest::Url::parse(url).map_err(|_| refused())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(refused());
        }
        Ok(Self(url.origin().ascii_serialization()))
    }

    /// Returns it as text, such as `https://registry.example.com`, without a slash at the end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let host = Self::of(text)?;
        let url = reqwest::Url::parse(text).map_err(|error| error.to_string())?;
        let is_plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        // A path would promise a narrower rule than it is.
        if is_plain && url.username().is_empty() && url.password().is_none() {
            Ok(host)
        } else {
            Err(format!("`{}` has more than a host and a port; write `{host}`", clip(text)))
        }
    }
}

impl Asset {
    /// The devnet's token: play money.
    pub const DEVNET: Self = Self { network: devnet::NETWORK, address: devnet::ASSET };
}

impl FromStr for Asset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("`{}` is not a token; write it like \"{}\"", clip(text), Self::DEVNET);
        let (network, token) = text.split_once('/').ok_or_else(refused)?;
        let address = token.strip_prefix("erc20:").ok_or_else(refused)?;
        Ok(Self {
            network: network.parse().map_err(|_| refused())?,
            address: self::address(address).map_err(|_| refused())?,
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Asset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/erc20:{}", self.network, self.address)
    }
}

macro_rules! text_conversions {
    ($($name:ty),*) => {$(
        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
    )*};
}

text_conversions!(Host, Asset);

/// Reads an address in any letter case.
pub(crate) fn address(text: &str) -> Result<Address, String> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 40);
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| format!("`{}` is not an address: `0x` and 40 hexadecimal digits", clip(text)))
}

fn scheme(text: &str) -> Result<Scheme, String> {
    let known = || Scheme::ALL.map(Scheme::as_str).join(", ");
    text.parse().map_err(|_| format!("`{}` is none of {}", clip(text), known()))
}

fn clip(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}

/// An entry of a list, from its text.
pub(super) trait Entry: Sized {
    fn read(text: &str) -> Result<Self, String>;
}

macro_rules! entries {
    ($($name:ty => $read:expr),*) => {$(
        impl Entry for $name {
            fn read(text: &str) -> Result<Self, String> {
                $read(text)
            }
        }
    )*};
}

entries!(Host => str::parse, Asset => str::parse, Address => address, Scheme => scheme);

pub(super) fn dollars<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Atomic>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Atomic::from_decimal(&text).map(Some).map_err(D::Error::custom)
}

pub(super) fn list<'de, D: Deserializer<'de>, T: Entry>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let texts = Vec::<String>::deserialize(deserializer)?;
    texts.iter().map(|text| T::read(text).map_err(D::Error::custom)).collect()
}

pub(super) fn some_list<'de, D: Deserializer<'de>, T: Entry>(
    deserializer: D,
) -> Result<Option<Vec<T>>, D::Error> {
    list(deserializer).map(Some)
}
