//! Texts that strangers wrote.
//!
//! They are shown under the key [`UNTRUSTED`] and nowhere else, without the characters by which a text can look like
//! another one, or hide.

/// Where the text of publishers stands in every answer.
pub(crate) const UNTRUSTED: &str = "untrusted";

/// Returns the text as it may be shown: at most `chars_max` characters, and none that is invisible or turns the line.
pub(crate) fn shown(text: &str, chars_max: usize) -> String {
    let mut shown: String = text.chars().filter(|c| is_shown(*c)).take(chars_max).collect();
    if text.chars().filter(|c| is_shown(*c)).nth(chars_max).is_some() {
        shown.push('…');
    }
    shown
}

fn is_shown(c: char) -> bool {
    let hidden = matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}');
    !hidden && (!c.is_control() || matches!(c, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn what_hides_or_turns_the_line_is_left_out() {
        for (text, seen) in [
            ("plain — text\n", "plain — text\n"),
            ("a\u{202e}b\u{200b}c\u{e0041}d\u{1b}[31m\0", "abcd[31m"),
            ("éé", "éé"),
        ] {
            assert_eq!(shown(text, 100), seen);
        }
        assert_eq!(shown("abcdef", 3), "abc…");
        assert_eq!(shown("abc", 3), "abc");
    }
}
