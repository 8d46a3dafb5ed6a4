//! Markdown to HTML and to an outline: the parser is pulldown-cmark, this file is the interface.

use std::collections::BTreeMap;

use exports::docs::markdown::convert::{Dialect, Guest, Heading};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

wit_bindgen::generate!({ path: "wit" });

struct Component;

export!(Component);

impl Guest for Component {
    fn to_html(text: String, dialect: Dialect) -> String {
        // HTML runs longer than Markdown; half as much again saves most of the growing.
        let mut out = String::with_capacity(text.len() + text.len() / 2);
        html::push_html(&mut out, Parser::new_ext(&text, options(dialect)));
        out
    }

    fn outline(text: String) -> Vec<Heading> {
        let mut anchors = Anchors::default();
        let mut headings = Vec::new();
        let mut words = String::new();
        let mut inside = false;
        for event in Parser::new_ext(&text, options(Dialect::Github)) {
            match event {
                Event::Start(Tag::Heading { .. }) => inside = true,
                Event::End(TagEnd::Heading(level)) => {
                    inside = false;
                    let text = std::mem::take(&mut words);
                    let anchor = anchors.take(&text);
                    headings.push(Heading { level: level as u8, text, anchor });
                }
                Event::Text(piece) | Event::Code(piece) if inside => words.push_str(&piece),
                Event::SoftBreak | Event::HardBreak if inside => words.push(' '),
                _ => {}
            }
        }
        headings
    }
}

fn options(dialect: Dialect) -> Options {
    match dialect {
        Dialect::Commonmark => Options::empty(),
        Dialect::Github => Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS,
    }
}

/// The anchors handed out so far, each with the last number appended to it.
#[derive(Default)]
struct Anchors(BTreeMap<String, u32>);

impl Anchors {
    fn take(&mut self, text: &str) -> String {
        let plain = slug(text);
        let mut number = self.0.get(&plain).copied().unwrap_or(0);
        let mut anchor = plain.clone();
        // A heading may itself be called `notes-1`, so a numbered anchor can be taken as well.
        while self.0.contains_key(&anchor) {
            number += 1;
            anchor = format!("{plain}-{number}");
        }
        self.0.insert(plain, number);
        self.0.entry(anchor.clone()).or_insert(0);
        anchor
    }
}

fn slug(text: &str) -> String {
    text.to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            '-' | '_' => Some(letter),
            _ => letter.is_alphanumeric().then_some(letter),
        })
        .collect()
}
