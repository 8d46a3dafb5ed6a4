//! Fields of CSV, for spreadsheets that read what strangers named.

/// Writes a field as RFC 4180 says. What a spreadsheet would take for a formula is made a text.
pub(super) fn quoted(text: &str) -> String {
    let text = match text.starts_with(['=', '+', '-', '@']) {
        true => format!("'{text}"),
        false => text.to_owned(),
    };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn fields_are_one_field_and_no_formula() {
        for (text, field) in [
            ("payee:acct:ana@example.org", "payee:acct:ana@example.org"),
            ("journal 88, page 2", "\"journal 88, page 2\""),
            ("the \"first\"", "\"the \"\"first\"\"\""),
            ("=1+1", "'=1+1"),
            ("", ""),
        ] {
            assert_eq!(quoted(text), field);
        }
    }
}
