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
    /// What each pass measured.
    passes: Vec<f64>,
    unit: &'static str,
    bound: f64,
    at_least: bool,
}

impl Figure {
    /// Returns what stands: of times the shortest, as whatever else a machine does only adds to them, of ratios the middle
    /// one, as that may fall on either side, and of memory the largest.
    fn standing(&self) -> f64 {
        let mut passes = self.passes.clone();
        passes.sort_by(f64::total_cmp);
        let place = match self.unit {
            "MB" => passes.len().saturating_sub(1),
            unit if unit.starts_with('x') => passes.len() / 2,
            _ => 0,
        };
        passes.get(place).copied().unwrap_or(f64::NAN)
    }

    fn holds(&self) -> bool {
        if self.at_least { self.standing() >= self.bound } else { self.standing() <= self.bound }
    }
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

    /// Begins the page anew and keeps the figures: what is measured once more is another pass of the same figure.
    pub(crate) fn start_pass(&mut self) {
        self.page.clear();
    }

    /// Notes a figure that should be at most `bound`.
    pub(crate) fn figure(&mut self, name: &str, value: f64, unit: &'static str, bound: f64) {
        self.note(name, value, unit, bound, false);
    }

    /// Notes a figure that should be at least `bound`.
    pub(crate) fn figure_at_least(&mut self, name: &str, value: f64, unit: &'static str, bound: f64) {
        self.note(name, value, unit, bound, true);
    }

    fn note(&mut self, name: &str, value: f64, unit: &'static str, bound: f64, at_least: bool) {
        match self.figures.iter_mut().find(|figure| figure.name == name) {
            Some(figure) => figure.passes.push(value),
            None => {
                self.figures.push(Figure { name: name.into(), passes: vec![value], unit, bound, at_least });
            }
        }
    }

    /// Returns the page, with the figures first.
    pub(crate) fn page(&self) -> String {
        let mut page = Report::default();
        page.table(
            &["figure", "stands", "passes", "bound", "holds"],
            self.figures.iter().map(|figure| {
                let sign = if figure.at_least { "≥" } else { "≤" };
                let passes: Vec<_> = figure.passes.iter().map(|value| format!("{value:.2}")).collect();
                vec![
                    figure.name.clone(),
                    format!("{:.2} {}", figure.standing(), figure.unit),
                    passes.join(", "),
                    format!("{sign} {} {}", figure.bound, figure.unit),
                    if figure.holds() { "yes" } else { "no" }.to_owned(),
                ]
            }),
        );
        page.page + &self.page
    }
}
