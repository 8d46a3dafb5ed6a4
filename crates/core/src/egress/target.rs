//! Where a request goes, read strictly: what two readers could understand in two ways is refused.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::limits;

/// A scheme that requests may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scheme {
    /// HTTP in the clear.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// Returns the port of URLs that name none.
    pub fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// A host: a name in lower case, or an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// A name of the domain system, in ASCII.
    Name(String),
    /// An address, written as such.
    Address(IpAddr),
}

impl Host {
    /// Reads a host as URLs write it, an address of IPv6 in brackets. Returns `None` where it is neither a name nor
    /// an address in its usual form.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            let address: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
            return Some(Self::Address(address.into()));
        }
        if let Ok(address) = text.parse::<Ipv4Addr>() {
            return Some(Self::Address(address.into()));
        }
        let last = text.rsplit('.').next()?;
        // URL parsers read `127.1`, `0x7f000001` and `2130706433` as addresses.
        let numeric = last.starts_with(|c: char| c.is_ascii_digit());
        (text.len() <= 253 && text.split('.').all(is_label) && !numeric)
            .then(|| Self::Name(text.to_ascii_lowercase()))
    }
}

fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Address(IpAddr::V4(address)) => write!(f, "{address}"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// Where a request goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    scheme: Scheme,
    host: Host,
    port: u16,
    path: String,
    query: Option<String>,
}

/// Says why something is no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The authority is not a host with or without a port.
    #[error("the authority is not a host with or without a port")]
    Authority,
    /// The path or the query has what URLs cannot have, or leads out of itself by `..`.
    #[error("the path or the query is malformed")]
    Path,
    /// The whole is too long.
    #[error("the URL is too long")]
    TooLong,
}

impl Target {
    /// Reads where a request goes. An empty path is `/`.
    ///
    /// User information and fragments are refused, and so are segments that mean `.` or `..` in any encoding.
    pub fn parse(scheme: Scheme, authority: &str, path_with_query: &str) -> Result<Self, TargetError> {
        if authority.len().saturating_add(path_with_query.len()) > limits::HTTP_URL_BYTES_MAX {
            return Err(TargetError::TooLong);
        }
        let (host, port) = split_port(authority);
        let host = Host::parse(host).ok_or(TargetError::Authority)?;
        let port = match port {
            None => scheme.port(),
            Some(digits) => port_of(digits).ok_or(TargetError::Authority)?,
        };
        let (path, query) = match path_with_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_with_query, None),
        };
        let path = if path.is_empty() { "/" } else { path };
        if !is_path(path) || !query.is_none_or(is_query) {
            return Err(TargetError::Path);
        }
        Ok(Self { scheme, host, port, path: path.to_owned(), query: query.map(str::to_owned) })
    }

    /// Returns the scheme.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Returns the host.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Returns the port, the scheme's own where none was named.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the path, without the query.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// Writes the URL.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        if self.port != self.scheme.port() {
            write!(f, ":{}", self.port)?;
        }
        f.write_str(&self.path)?;
        self.query.as_ref().map_or(Ok(()), |query| write!(f, "?{query}"))
    }
}

/// Splits an authority into its host and the text of its port, where it names one.
pub(super) fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        // A colon inside brackets belongs to the address.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

/// Reads a port. Returns `None` where the text is none.
pub(super) fn port_of(digits: &str) -> Option<u16> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|port| plain && *port != 0)
}

/// Tells whether a text is an absolute path in which no segment is `.` or `..`.
pub(super) fn is_path(text: &str) -> bool {
    let segments = text.strip_prefix('/').map(|rest| rest.split('/'));
    segments.is_some_and(|mut segments| segments.all(|segment| is_encoded(segment, b"") && !is_dots(segment)))
}

fn is_query(text: &str) -> bool {
    is_encoded(text, b"/?")
}

/// Tells whether a text has nothing but the characters of a segment by RFC 3986, and some `more`.
fn is_encoded(text: &str, more: &[u8]) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(index, byte)| match byte {
        b'%' => bytes.get(index + 1..index + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)),
        byte => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(byte) || more.contains(byte),
    })
}

fn is_dots(segment: &str) -> bool {
    matches!(decoded(segment).as_slice(), b"." | b"..")
}

/// Decodes what is encoded by `%`. The text was checked to be well encoded.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let Some((digits, after)) = after.split_at_checked(2) else { break };
        bytes.extend(u8::from_str_radix(digits, 16).ok());
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Tells whether some server reads a path as another: by decoding it twice, by taking an encoded slash for one, by
/// merging slashes, or by cutting parameters off a segment.
pub(super) fn is_ambiguous(path: &str) -> bool {
    let inner = path.strip_prefix('/').unwrap_or(path);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let empty_segment = !inner.is_empty() && inner.split('/').any(str::is_empty);
    empty_segment
        || inner.split('/').any(|segment| {
            let bytes = decoded(segment);
            let unsafe_byte = |byte: &u8| matches!(byte, b'/' | b'\\' | b'%' | 0);
            let name = bytes.split(|byte| *byte == b';').next().unwrap_or_default();
            bytes.iter().any(unsafe_byte)
                || matches!(name, b"." | b"..")
                || name.is_empty() && !bytes.is_empty()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_print_as_they_are_meant() {
        for (scheme, authority, path, url) in [
            (Scheme::Https, "A.org", "", "https://a.org/"),
            (Scheme::Https, "a.org:443", "?q", "https://a.org/?q"),
            (Scheme::Http, "a.org:443", "/b/%20?c=/d?e%2f..", "http://a.org:443/b/%20?c=/d?e%2f.."),
            (Scheme::Http, "[2001:DB8:0::1]:8080", "/", "http://[2001:db8::1]:8080/"),
            (Scheme::Http, "127.0.0.1", "/", "http://127.0.0.1/"),
            (Scheme::Https, "xn--bcher-kva.de", "/", "https://xn--bcher-kva.de/"),
        ] {
            let target = Target::parse(scheme, authority, path);
            assert_eq!(target.map(|target| target.to_string()), Ok(url.to_owned()), "{authority} {path}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let authorities = [
            "",
            "a.org:",
            "a.org:0",
            "a.org:65536",
            "a.org:+1",
            "a.org:8 0",
            "u@a.org",
            "u:p@a.org",
            "a.org/b",
            "a b",
            "a.org.",
            ".a.org",
            "a..org",
            "-a.org",
            "bücher.de",
            "a.org\\b",
            "a%2eorg",
            "127.1",
            "2130706433",
            "0x7f.1",
            "0x7f000001",
            "0177.0.0.1",
            "127.0.0.1.",
            "1.2.3.4.5",
            "[::1",
            "::1",
            "[fe80::1%25eth0]",
            "[127.0.0.1]",
            "a.org#",
            "a.org?",
        ];
        for authority in authorities {
            let target = Target::parse(Scheme::Https, authority, "/");
            assert_eq!(target, Err(TargetError::Authority), "{authority}");
        }
        let paths = [
            "a",
            "*",
            "/..",
            "/a/../b",
            "/./a",
            "/a/.",
            "/%2e%2E/x",
            "/.%2e",
            "/%2e",
            "/a b",
            "/a#b",
            "/a\\b",
            "/%",
            "/%2",
            "/%zz",
            "/\u{e9}",
            "/a\nb",
            "/?\r",
            "/?a#b",
            "/?\"",
            "/a|b",
            "/?%f",
        ];
        for path in paths {
            let target = Target::parse(Scheme::Https, "a.org", path);
            assert_eq!(target, Err(TargetError::Path), "{path}");
        }
        let long = format!("/{}", "a".repeat(limits::HTTP_URL_BYTES_MAX));
        assert_eq!(Target::parse(Scheme::Https, "a.org", &long), Err(TargetError::TooLong));
    }
}
