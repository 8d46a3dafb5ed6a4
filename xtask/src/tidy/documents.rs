//! Documents: one title each, links that lead somewhere, and a line for every error code.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::{Finding, TextFile};

/// Where error codes are given, and the page that explains each.
const CODE_FILES: [&str; 13] = [
    "crates/registry/src/act_error.rs",
    "crates/registry/src/advisory.rs",
    "crates/registry/src/call.rs",
    "crates/registry/src/company/accounts.rs",
    "crates/registry/src/component_error.rs",
    "crates/registry/src/depend.rs",
    "crates/registry/src/derive.rs",
    "crates/registry/src/error.rs",
    "crates/registry/src/held.rs",
    "crates/registry/src/operator.rs",
    "crates/registry/src/publish_error.rs",
    "crates/registry/src/supply.rs",
    "crates/server/src/problem.rs",
];
const REFUSAL_FOLDER: &str = "crates/server/src/";
const CODE_PAGE: &str = "docs/reference/errors.md";

/// Checks the Markdown files among `files`.
pub(super) fn check(root: &Path, files: &[TextFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        findings.extend(check_title(file));
        findings.extend(check_links(root, files, file));
    }
    findings.extend(check_codes(files));
    findings
}

/// Goes through the lines of prose: code blocks are left out.
fn prose(file: &TextFile) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    file.lines().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

fn check_title(file: &TextFile) -> Option<Finding> {
    let titles = prose(file).filter(|(_, line)| line.starts_with("# ")).count();
    let message = format!("{titles} titles instead of one");
    (titles != 1).then(|| Finding::new(&file.path, message, "begin with one `# Title`, and go on with `##`"))
}

fn check_links(root: &Path, files: &[TextFile], file: &TextFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in prose(file) {
        for target in targets(line) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let found = resolve(&file.path, path);
            let exists = found.as_ref().is_some_and(|path| root.join(path).exists());
            let hint = "links are relative to the file that they stand in";
            if !exists {
                findings.push(Finding::new(file.place(number), format!("`{target}` leads nowhere"), hint));
                continue;
            }
            let page = found.map(|path| path.to_string_lossy().replace('\\', "/")).unwrap_or_default();
            let page = files.iter().find(|file| file.path == page && page.ends_with(".md"));
            if let Some(page) = page.filter(|_| !anchor.is_empty())
                && !anchors(page).contains(anchor)
            {
                let message = format!("`{target}` names no heading of {}", page.path);
                findings.push(Finding::new(
                    file.place(number),
                    message,
                    "write the heading in lower case, with hyphens",
                ));
            }
        }
    }
    findings
}

/// Returns the targets of the links in a line, `code` left out.
fn targets(line: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    for (index, part) in line.split('`').enumerate() {
        // Every second part is code. A link whose text is code has its target in the part after it.
        if index % 2 == 0 {
            let ends = part.match_indices("](").map(|(start, found)| &part[start + found.len()..]);
            targets.extend(ends.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target));
        }
    }
    targets
}

/// Returns the path that a link means, or `None` when it leaves the repository. An empty link means its own page.
fn resolve(from: &str, link: &str) -> Option<PathBuf> {
    if link.is_empty() {
        return Some(PathBuf::from(from));
    }
    let mut path = Path::new(from).parent()?.to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::ParentDir => {
                if !path.pop() {
                    return None;
                }
            }
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

/// Returns the anchors of a page's headings, as forges make them.
fn anchors(page: &TextFile) -> BTreeSet<String> {
    let headings = prose(page).filter(|(_, line)| line.starts_with('#'));
    let slug = |(_, line): (usize, &str)| {
        let text = line.trim_start_matches('#').trim().to_lowercase();
        let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(slug).collect()
}

/// Every code that the program gives is explained.
fn check_codes(files: &[TextFile]) -> Vec<Finding> {
    let text_of = |path: &str| files.iter().find(|file| file.path == path).map_or("", |file| &file.text);
    let page = text_of(CODE_PAGE);
    let mut codes: BTreeSet<&str> = CODE_FILES.into_iter().flat_map(|path| codes(text_of(path))).collect();
    let server = files.iter().filter(|file| file.path.starts_with(REFUSAL_FOLDER));
    codes.extend(server.flat_map(|file| refusals(&file.text)));
    let unexplained = codes.into_iter().filter(|code| !page.contains(&format!("`{code}`")));
    let finding = |code| {
        let message = format!("the error code `{code}` is not explained");
        Finding::new(CODE_PAGE, message, "say what it means, whether to retry, and what to do")
    };
    unexplained.map(finding).collect()
}

/// Returns the codes that a route refuses with by itself: the second argument of `Refusal::new`.
fn refusals(source: &str) -> Vec<&str> {
    let calls = source.split("Refusal::new(").skip(1);
    calls
        .filter_map(|call| call.split_once(',')?.1.trim_start().strip_prefix('"')?.split('"').next())
        .collect()
}

/// Returns the texts of words and hyphens that a `match` gives in an arm of its own, or takes.
fn codes(source: &str) -> Vec<&str> {
    let is_code = |text: &&str| {
        text.contains('-')
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
            && text.len() < 40
    };
    let arms = source.lines().filter_map(|line| {
        let (_, given) = line.split_once("=> \"")?;
        given.strip_suffix("\",")
    });
    let status =
        source.split("fn status_of").nth(1).and_then(|rest| rest.split("\n}").next()).unwrap_or_default();
    let taken = status.split('"').skip(1).step_by(2);
    // `retry` gives words of the same shape.
    const NOT_CODES: [&str; 2] = ["after-change", "with-payment"];
    arms.chain(taken).filter(is_code).filter(|text| !NOT_CODES.contains(text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_and_resolved() {
        let line = "see [a](b.md#c), `[x](y)` and [`Code`](../d.rs)";
        assert_eq!(targets(line), ["b.md#c", "../d.rs"]);
        assert_eq!(resolve("docs/guides/a.md", "../protocol.md"), Some("docs/protocol.md".into()));
        assert_eq!(resolve("README.md", "../x"), None);
        assert_eq!(resolve("README.md", ""), Some("README.md".into()));
    }

    #[test]
    fn titles_in_code_do_not_count() {
        let page =
            TextFile { path: "a.md".into(), text: "# A page: `x`!\n```\n# no\n```\n## Two words\n".into() };
        assert_eq!(check_title(&page), None);
        assert_eq!(anchors(&page), BTreeSet::from(["a-page-x".to_owned(), "two-words".to_owned()]));
    }

    #[test]
    fn codes_are_read_from_arms() {
        let source = "Self::A => \"a-b\",\nSelf::B => \"some text\",\nfn status_of() {\n  \"c-d\"\n  | \"e-f\" => 1,\n}\n\"g-h\"";
        assert_eq!(codes(source), ["a-b", "c-d", "e-f"]);
        let source = "Refusal::new(Status::A, \"i-j\", x)\nRefusal::new(\n  Status::B,\n  \"k-l\",\n  y)";
        assert_eq!(refusals(source), ["i-j", "k-l"]);
    }
}
