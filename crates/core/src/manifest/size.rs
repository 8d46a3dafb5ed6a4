//! Sizes in bytes, as people write them.

use serde::Deserialize;

/// A size in bytes, written like `64MiB` or as a plain integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "ByteSizeText")]
pub struct ByteSize(pub u64);

#[derive(Deserialize)]
#[serde(untagged)]
enum ByteSizeText {
    Integer(u64),
    Text(String),
}

impl TryFrom<ByteSizeText> for ByteSize {
    type Error = String;

    fn try_from(text: ByteSizeText) -> Result<Self, String> {
        let text = match text {
            ByteSizeText::Integer(bytes) => return Ok(Self(bytes)),
            ByteSizeText::Text(text) => text,
        };
        let digits_end = text.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, unit) = text.split_at(digits_end);
        let scale = match unit.trim() {
            "" | "B" => Some(1),
            "KiB" => Some(1 << 10),
            "MiB" => Some(1 << 20),
            "GiB" => Some(1 << 30),
            _ => None,
        };
        scale
            .and_then(|scale: u64| digits.parse::<u64>().ok()?.checked_mul(scale))
            .map(Self)
            .ok_or_else(|| format!("`{text}` is not a size; write it like \"64MiB\""))
    }
}
