//! `fields` of `wasi:http/types`: headers and trailers.

use glassbox_core::limits;
use http::{HeaderName, HeaderValue};
use wasmtime::component::Resource;

use super::Host;
use crate::host::bindings::wasi::http::types::{self, HeaderError};
use crate::host::stream::Allowance;

/// What belongs to one connection, or is the host's to say. No guest may set it, and no response shows it.
const FORBIDDEN: [&str; 12] = [
    "connection",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A header field: its name in lower case, and its value.
pub(crate) type Field = (String, Vec<u8>);

/// Tells whether a header, named in lower case, belongs to one connection or to the host.
pub(crate) fn is_forbidden(name: &str) -> bool {
    FORBIDDEN.contains(&name)
}

/// Reads a header field. Returns `None` where its name or its value has what headers cannot have.
pub(crate) fn field(name: &str, value: &[u8]) -> Option<Field> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    HeaderValue::from_bytes(value).ok()?;
    Some((name.as_str().to_owned(), value.to_vec()))
}

/// Tells whether headers are few and small enough for one message.
pub(crate) fn fit(fields: &[Field]) -> bool {
    fields.len() <= limits::HTTP_FIELDS_MAX && size_bytes(fields) <= limits::HTTP_FIELDS_BYTES_MAX
}

fn size_bytes(fields: &[Field]) -> usize {
    fields.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// The host's side of `fields`.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it")]
pub struct Fields {
    entries: Vec<Field>,
    mutable: bool,
    /// What the guest may hold in headers together; this takes its part of it.
    allowance: Allowance,
    taken: usize,
}

impl Fields {
    /// Returns the headers, in the order in which they were set.
    pub(crate) fn entries(&self) -> &[Field] {
        &self.entries
    }

    /// Takes what `entries` need of the allowance, so that they can be kept.
    fn hold(&mut self, entries: Vec<Field>) -> wasmtime::Result<()> {
        // What an entry takes beside its bytes.
        let bytes = size_bytes(&entries) + entries.len() * size_of::<Field>();
        self.allowance.give(std::mem::take(&mut self.taken));
        if !self.allowance.take(bytes) {
            wasmtime::bail!("the guest holds more headers than it may");
        }
        self.taken = bytes;
        self.entries = entries;
        Ok(())
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        self.allowance.give(self.taken);
    }
}

impl Host {
    /// Makes headers that the guest may change, or only read.
    fn fields(&mut self, entries: Vec<Field>, mutable: bool) -> wasmtime::Result<Resource<Fields>> {
        let allowance = self.http.headers.clone();
        let mut fields = Fields { entries: Vec::new(), mutable, allowance, taken: 0 };
        fields.hold(entries)?;
        self.push(fields)
    }

    /// Gives the guest headers that it may only read.
    pub(super) fn headers(&mut self, entries: &[Field]) -> wasmtime::Result<Resource<Fields>> {
        self.work.bytes(size_bytes(entries))?;
        self.fields(entries.to_vec(), false)
    }

    /// Replaces the values of one header by `values`, or adds to them.
    fn change(
        &mut self,
        fields: &Resource<Fields>,
        name: &str,
        values: &[Vec<u8>],
        replace: bool,
    ) -> wasmtime::Result<Result<(), HeaderError>> {
        self.work.call(name.len().saturating_add(values.iter().map(Vec::len).sum()))?;
        let fields = self.table.get_mut(fields)?;
        if !fields.mutable {
            return Ok(Err(HeaderError::Immutable));
        }
        let added = values.iter().map(|value| set(name, value)).collect::<Result<Vec<_>, _>>();
        let (name, added) = match (checked(name), added) {
            (Ok(name), Ok(added)) => (name, added),
            (Err(error), _) | (_, Err(error)) => return Ok(Err(error)),
        };
        let mut entries = fields.entries.clone();
        self.work.bytes(size_bytes(&entries))?;
        if replace {
            entries.retain(|(other, _)| *other != name);
        }
        entries.extend(added);
        fields.hold(entries)?;
        Ok(Ok(()))
    }
}

/// Returns the name in lower case, where a guest may set it.
fn checked(name: &str) -> Result<String, HeaderError> {
    set(name, b"").map(|(name, _)| name)
}

fn set(name: &str, value: &[u8]) -> Result<Field, HeaderError> {
    let field = field(name, value).ok_or(HeaderError::InvalidSyntax)?;
    if is_forbidden(&field.0) { Err(HeaderError::Forbidden) } else { Ok(field) }
}

impl types::HostFields for Host {
    fn new(&mut self) -> wasmtime::Result<Resource<Fields>> {
        self.work.call(0)?;
        self.fields(Vec::new(), true)
    }

    fn from_list(
        &mut self,
        entries: Vec<(String, Vec<u8>)>,
    ) -> wasmtime::Result<Result<Resource<Fields>, HeaderError>> {
        self.work.call(size_bytes(&entries))?;
        match entries.iter().map(|(name, value)| set(name, value)).collect() {
            Ok(entries) => self.fields(entries, true).map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    fn get(&mut self, fields: Resource<Fields>, name: String) -> wasmtime::Result<Vec<Vec<u8>>> {
        self.work.call(name.len())?;
        let name = name.to_ascii_lowercase();
        let entries = self.table.get(&fields)?.entries.iter();
        let values: Vec<_> =
            entries.filter(|(other, _)| *other == name).map(|(_, value)| value.clone()).collect();
        self.work.bytes(values.iter().map(Vec::len).sum())?;
        Ok(values)
    }

    fn has(&mut self, fields: Resource<Fields>, name: String) -> wasmtime::Result<bool> {
        self.work.call(name.len())?;
        let name = name.to_ascii_lowercase();
        Ok(self.table.get(&fields)?.entries.iter().any(|(other, _)| *other == name))
    }

    fn set(
        &mut self,
        fields: Resource<Fields>,
        name: String,
        values: Vec<Vec<u8>>,
    ) -> wasmtime::Result<Result<(), HeaderError>> {
        self.change(&fields, &name, &values, true)
    }

    fn delete(
        &mut self,
        fields: Resource<Fields>,
        name: String,
    ) -> wasmtime::Result<Result<(), HeaderError>> {
        self.change(&fields, &name, &[], true)
    }

    fn append(
        &mut self,
        fields: Resource<Fields>,
        name: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), HeaderError>> {
        self.change(&fields, &name, &[value], false)
    }

    fn entries(&mut self, fields: Resource<Fields>) -> wasmtime::Result<Vec<(String, Vec<u8>)>> {
        self.work.call(0)?;
        let entries = self.table.get(&fields)?.entries.clone();
        self.work.bytes(size_bytes(&entries))?;
        Ok(entries)
    }

    fn clone(&mut self, fields: Resource<Fields>) -> wasmtime::Result<Resource<Fields>> {
        self.work.call(0)?;
        let entries = self.table.get(&fields)?.entries.clone();
        self.work.bytes(size_bytes(&entries))?;
        self.fields(entries, true)
    }

    fn drop(&mut self, fields: Resource<Fields>) -> wasmtime::Result<()> {
        self.work.call(0)?;
        self.delete(fields).map(|_| ())
    }
}
