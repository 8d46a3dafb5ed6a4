//! The report: a page of Markdown.

use std::fmt::Write as _;

/// A page in the making, and the figures that have a bound.
#[derive(Default)]
pub(crate) struct Report {
    page: String,
    figures: Vec<Figure>,
}

struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    bound: f64,
    at_least: bool,
}

impl Report {
    pub(crate) fn heading(&mut self, text: &str) {
        let _ = writeln!(self.page, "\n## {text}\n");
    }

    pub(crate) fn text(&mut self, text: &str) {
        let _ = writeln!(self.page, "{text}\n");
    }

    pub(crate) fn table(&mut self, heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let _ = writeln!(self.page, "| {} |", heads.join(" | "));
        let _ = writeln!(self.page, "|{}", " --- |".repeat(heads.len()));
        for row in rows {
            let _ = writeln!(self.page, "| {} |", row.join(" | "));
        }
    }

    /// Notes a figure that should be at most `bound`.
    pub(crate) fn figure(&mut self, name: &str, value: f64, unit: &'static str, bound: f64) {
        self.figures.push(Figure { name: name.into(), value, unit, bound, at_least: false });
    }

    /// Notes a figure that should be at least `bound`.
    pub(crate) fn figure_at_least(&mut self, name: &str, value: f64, unit: &'static str, bound: f64) {
        self.figures.push(Figure { name: name.into(), value, unit, bound, at_least: true });
    }

    /// Returns the page, with the figures first.
    pub(crate) fn page(&self) -> String {
        let mut page = Report::default();
        page.table(
            &["figure", "measured", "bound", "holds"],
            self.figures.iter().map(|figure| {
                let holds = match figure.at_least {
                    true => figure.value >= figure.bound,
                    false => figure.value <= figure.bound,
                };
                let sign = if figure.at_least { "≥" } else { "≤" };
                vec![
                    figure.name.clone(),
                    format!("{:.2} {}", figure.value, figure.unit),
                    format!("{sign} {} {}", figure.bound, figure.unit),
                    if holds { "yes" } else { "no" }.to_owned(),
                ]
            }),
        );
        page.page + &self.page
    }
}
