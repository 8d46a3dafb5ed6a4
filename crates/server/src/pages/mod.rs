//! Pages for people. Written by the server, without scripts, and readable without their style.
//!
//! What publishers wrote stands in these pages between words of ours, so it is escaped, cut and set apart: no character of
//! it moves what stands beside it. Nothing is loaded from anywhere, and a page is in no other's frame.

mod interface;
pub(crate) mod playground;
pub(crate) mod source;

use std::sync::LazyLock;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use glassbox_core::Digest;
use maud::{DOCTYPE, Markup, PreEscaped, html};

pub(crate) use self::interface::{all, one};

const STYLE: &str = include_str!("style.css");

/// What a browser may do with a page: show it, in this style, and send its forms here.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Digest::of(STYLE).as_bytes());
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
});

/// Answers with a page: its title, and what stands in it.
fn page(status: StatusCode, title: &str, main: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Glassbox" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { a href="/interfaces" { "Glassbox" } " " span { "open to read, paid when used" } }
                main { (main) }
                footer {
                    p { "Names and descriptions are publishers’ own words. Figures are this registry’s own." }
                }
            }
        }
    };
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "public, max-age=30"),
    ];
    (status, headers, page.into_string()).into_response()
}

/// The most characters that a page shows of a publisher's text.
const FOREIGN_CHARS_MAX: usize = 240;

/// Shows what a publisher wrote, in a line and a direction of its own.
fn foreign(text: &str) -> Markup {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = words.chars().filter(|c| is_shown(*c)).take(FOREIGN_CHARS_MAX).collect();
    if words.chars().count() > FOREIGN_CHARS_MAX {
        shown.push('…');
    }
    html! { bdi { (shown) } }
}

/// Shows a text of many lines as it is, and what would move what stands beside it by its number.
fn verbatim(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_shown(c) || c == '\n' || c == '\t' {
            true => shown.push(c),
            false if c == '\r' => {}
            false => shown.push_str(&format!("\u{27e8}U+{:04X}\u{27e9}", u32::from(c))),
        }
    }
    shown
}

/// Writes what a publisher wrote as a word of Markdown that is no markup.
pub(crate) fn plain(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown = words.chars().filter(|c| is_shown(*c)).map(|c| if c == '`' { '\'' } else { c });
    format!("`{}`", shown.take(FOREIGN_CHARS_MAX).collect::<String>())
}

/// Tells whether a character is something to see, and not an order to whatever shows it.
fn is_shown(c: char) -> bool {
    let is_order = matches!(c,
        '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
    !c.is_control() && !is_order
}

/// Writes a number in groups of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Writes a time: `870 µs`, `1.2 ms`, `3.4 s`.
fn lasting(us: u64) -> String {
    match us {
        0..1_000 => format!("{us}\u{202f}µs"),
        1_000..1_000_000 => format!("{}.{}\u{202f}ms", us / 1_000, us % 1_000 / 100),
        _ => format!("{}.{}\u{202f}s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1\u{202f}000"), (1_234_567, "1\u{202f}234\u{202f}567")]
        {
            assert_eq!(grouped(number), text);
        }
        for (us, text) in [(7, "7\u{202f}µs"), (1_250, "1.2\u{202f}ms"), (61_900_000, "61.9\u{202f}s")] {
            assert_eq!(lasting(us), text);
        }
    }

    #[test]
    fn what_publishers_wrote_stays_what_it_is() {
        for (text, shown) in [
            ("plain", "<bdi>plain</bdi>"),
            ("<script>alert(1)</script>", "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;</bdi>"),
            ("a\u{202e}b\u{2066}c\u{0}d\u{200b}", "<bdi>abcd</bdi>"),
            ("two\nlines  and \t tabs", "<bdi>two lines and tabs</bdi>"),
        ] {
            assert_eq!(foreign(text).into_string(), shown);
        }
        let long = foreign(&"é".repeat(10_000)).into_string();
        assert_eq!(long.chars().filter(|c| *c == 'é').count(), FOREIGN_CHARS_MAX);
        assert!(long.ends_with("…</bdi>"));
    }

    #[test]
    fn a_source_shows_what_would_hide_in_it() {
        for (text, shown) in [
            ("fn a() {\r\n\tb()\n}", "fn a() {\n\tb()\n}"),
            ("if x /*\u{202e} } */", "if x /*\u{27e8}U+202E\u{27e9} } */"),
            ("\u{1b}[2J\0", "\u{27e8}U+001B\u{27e9}[2J\u{27e8}U+0000\u{27e9}"),
        ] {
            assert_eq!(verbatim(text), shown);
        }
        assert_eq!(plain("a `b`\n# <c>"), "`a 'b' # <c>`");
    }

    #[test]
    fn the_policy_names_the_style() {
        assert!(POLICY.starts_with("default-src 'none'; style-src 'sha256-"), "{}", *POLICY);
        assert!(!STYLE.contains("</") && !STYLE.contains("url(") && !STYLE.contains("@import"));
    }
}
