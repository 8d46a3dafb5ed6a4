//! Full-text search over the newest release of each package. Derived state, in memory.

use std::ops::Bound;
use std::sync::Mutex;

use glassbox_core::{Atomic, PackageName};
use serde::{Deserialize, Serialize};
use tantivy::collector::TopDocs;
use tantivy::query::{
    BooleanQuery, BoostQuery, ConstScoreQuery, FuzzyTermQuery, Occur, Query, RangeQuery, TermQuery,
};
use tantivy::schema::{
    Field, INDEXED, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value as _,
};
use tantivy::tokenizer::{
    Language, LowerCaser, RemoveLongFilter, SimpleTokenizer, Stemmer, StopWordFilter, TextAnalyzer,
    TokenStream as _,
};
use tantivy::{Index, IndexReader, IndexWriter, TantivyDocument, Term};

use crate::error::StoreError;
use crate::sqlite::Store;

/// What search reads of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchDocument {
    /// The package name.
    pub name: String,
    /// The one-line description.
    pub description: String,
    /// Keywords and categories.
    pub keywords: Vec<String>,
    /// Sentences that somebody in need of this would type.
    pub queries: Vec<String>,
    /// WIT identifiers: interfaces, functions, types, fields, cases.
    pub identifiers: Vec<String>,
    /// Doc comments of the WIT.
    pub docs: String,
    /// What filters ask for. Absent, no filter lets it pass.
    #[serde(default)]
    pub facts: Option<Facts>,
}

/// What filters ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The interfaces that it exports, by their short and their full names.
    pub interfaces: Vec<String>,
    /// Whether it touches nothing outside.
    pub pure: bool,
    /// The most that a call of its cheapest function costs.
    pub amount_min: Atomic,
}

/// Which packages may be found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only such as export this interface, by its short or full name.
    pub interface: Option<String>,
    /// Only such as touch nothing outside.
    pub pure: bool,
    /// Only such as have a function of which a call costs at most this.
    pub amount_max: Option<Atomic>,
}

/// One result.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The package.
    pub package: PackageName,
    /// The relevance: comparable within one answer only.
    pub score: f32,
    /// The fields of the release that matched, best first: why it is here.
    pub matched: Vec<String>,
}

/// The searched fields with their weights: a hit in the name says more than one in the docs.
const FIELDS: [(&str, f32); 6] = [
    ("name", 4.0),
    ("queries", 3.0),
    ("keywords", 2.5),
    ("description", 2.0),
    ("identifiers", 1.5),
    ("docs", 1.0),
];

/// The most words of a query that are looked at: a search box, not a document.
const QUERY_WORDS_MAX: usize = 32;

/// Memory of the index writer, in bytes: the least that the library accepts.
const WRITER_BYTES: usize = 15_000_000;

const TOKENIZER: &str = "glassbox";

pub(crate) struct SearchIndex {
    reader: IndexReader,
    writer: Mutex<IndexWriter>,
    package: Field,
    fields: Vec<(&'static str, Field, f32)>,
    interface: Field,
    pure: Field,
    amount_min: Field,
}

/// Lower case, English stems, no stop words: `Converting` finds `convert`.
fn analyzer() -> TextAnalyzer {
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(40))
        .filter(LowerCaser)
        .filter(StopWordFilter::new(Language::English).expect("English has a list"))
        .filter(Stemmer::new(Language::English))
        .build()
}

impl SearchIndex {
    pub(crate) fn new() -> Result<Self, StoreError> {
        let mut schema = Schema::builder();
        let package = schema.add_text_field("package", STRING | STORED);
        let interface = schema.add_text_field("interface", STRING);
        let pure = schema.add_bool_field("pure", INDEXED);
        let amount_min = schema.add_u64_field("amount-min", INDEXED);
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(TOKENIZER)
            .set_index_option(IndexRecordOption::WithFreqs);
        let options = TextOptions::default().set_indexing_options(indexing);
        let fields = FIELDS
            .iter()
            .map(|(name, boost)| (*name, schema.add_text_field(name, options.clone()), *boost))
            .collect();
        let index = Index::create_in_ram(schema.build());
        index.tokenizers().register(TOKENIZER, analyzer());
        let writer = index.writer_with_num_threads(1, WRITER_BYTES)?;
        let reader = index.reader()?;
        Ok(Self { reader, writer: Mutex::new(writer), package, fields, interface, pure, amount_min })
    }

    /// Puts `documents` in place of those of the same packages.
    pub(crate) fn replace(&self, documents: Vec<SearchDocument>) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for document in documents {
            writer.delete_term(Term::from_field_text(self.package, &document.name));
            let mut indexed = TantivyDocument::default();
            indexed.add_text(self.package, &document.name);
            for (name, field, _) in &self.fields {
                // The tokenizer splits at every character that is no letter or digit, so identifiers need no care.
                let text = match *name {
                    "name" => document.name.clone(),
                    "queries" => document.queries.join("\n"),
                    "keywords" => document.keywords.join("\n"),
                    "description" => document.description.clone(),
                    "identifiers" => document.identifiers.join("\n"),
                    _ => document.docs.clone(),
                };
                indexed.add_text(*field, text);
            }
            if let Some(facts) = &document.facts {
                facts.interfaces.iter().for_each(|name| indexed.add_text(self.interface, name));
                indexed.add_bool(self.pure, facts.pure);
                indexed.add_u64(self.amount_min, clamped(facts.amount_min));
            }
            writer.add_document(indexed)?;
        }
        writer.commit()?;
        self.reader.reload()?;
        Ok(())
    }

    /// Takes a package out.
    pub(crate) fn remove(&self, package: &PackageName) -> Result<(), StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        writer.delete_term(Term::from_field_text(self.package, &package.to_string()));
        writer.commit()?;
        self.reader.reload()?;
        Ok(())
    }

    fn search(&self, words: &str, filter: &Filter, limit: usize) -> Result<Vec<Hit>, StoreError> {
        let terms = terms(words);
        let searcher = self.reader.searcher();
        let words = BooleanQuery::union(
            self.fields
                .iter()
                .flat_map(|(_, field, boost)| {
                    terms.iter().map(|term| -> Box<dyn Query> {
                        Box::new(BoostQuery::new(word(*field, term), *boost))
                    })
                })
                .collect(),
        );
        let mut clauses = self.filters(filter);
        clauses.push((Occur::Must, Box::new(words)));
        let query = BooleanQuery::new(clauses);
        let mut hits = Vec::new();
        for (score, address) in
            searcher.search(&query, &TopDocs::with_limit(limit.max(1)).order_by_score())?
        {
            let document: TantivyDocument = searcher.doc(address)?;
            let name = document.get_first(self.package).and_then(|value| value.as_str());
            let package = name.and_then(|name| name.parse().ok());
            let package =
                package.ok_or_else(|| StoreError::corrupt("a search document without a package"))?;
            hits.push(Hit { package, score, matched: self.matched(&terms, address)? });
        }
        Ok(hits)
    }

    /// Returns what must hold besides. None of it makes a package more relevant.
    fn filters(&self, filter: &Filter) -> Vec<(Occur, Box<dyn Query>)> {
        let is = |term: Term| -> Box<dyn Query> { Box::new(TermQuery::new(term, IndexRecordOption::Basic)) };
        let mut filters = Vec::new();
        if let Some(interface) = &filter.interface {
            filters.push(is(Term::from_field_text(self.interface, interface)));
        }
        if filter.pure {
            filters.push(is(Term::from_field_bool(self.pure, true)));
        }
        if let Some(amount_max) = filter.amount_max {
            let bound = |amount| Bound::Included(Term::from_field_u64(self.amount_min, amount));
            filters.push(Box::new(RangeQuery::new(bound(0), bound(clamped(amount_max)))));
        }
        let unscored =
            |query: Box<dyn Query>| -> Box<dyn Query> { Box::new(ConstScoreQuery::new(query, 0.0)) };
        filters.into_iter().map(|query| (Occur::Must, unscored(query))).collect()
    }

    /// Names the fields in which any of the words stands in one document.
    fn matched(&self, terms: &[String], address: tantivy::DocAddress) -> Result<Vec<String>, StoreError> {
        let searcher = self.reader.searcher();
        let mut matched = Vec::new();
        for (name, field, _) in &self.fields {
            let query =
                BooleanQuery::new(terms.iter().map(|term| (Occur::Should, word(*field, term))).collect());
            // `explain` answers for a single document, and fails where it does not match.
            if query.explain(&searcher, address).is_ok_and(|explanation| explanation.value() > 0.0) {
                matched.push((*name).to_owned());
            }
        }
        Ok(matched)
    }

    #[cfg(test)]
    fn size(&self) -> u64 {
        self.reader.searcher().num_docs()
    }
}

/// An amount as the index keeps it. What is beyond is dearer than anything.
fn clamped(amount: Atomic) -> u64 {
    u64::try_from(amount.0).unwrap_or(u64::MAX)
}

/// A word as typed, and as the beginning of a longer one.
fn word(field: Field, text: &str) -> Box<dyn Query> {
    let term = Term::from_field_text(field, text);
    let exact = TermQuery::new(term.clone(), IndexRecordOption::WithFreqs);
    // A prefix of two letters would match half the index.
    if text.chars().count() < 3 {
        return Box::new(exact);
    }
    let prefix = FuzzyTermQuery::new_prefix(term, 0, true);
    Box::new(BooleanQuery::union(vec![Box::new(exact), Box::new(BoostQuery::new(Box::new(prefix), 0.3))]))
}

fn terms(words: &str) -> Vec<String> {
    let mut analyzer = analyzer();
    let clipped: String = words.chars().take(1_000).collect();
    let mut stream = analyzer.token_stream(&clipped);
    let mut terms = Vec::new();
    while let Some(token) = stream.next() {
        if terms.len() < QUERY_WORDS_MAX && !terms.contains(&token.text) {
            terms.push(token.text.clone());
        }
    }
    terms
}

impl Store {
    /// Finds the packages that fit `words` best, of those that `filter` lets pass, at most `limit`.
    pub async fn search(&self, words: &str, filter: Filter, limit: usize) -> Result<Vec<Hit>, StoreError> {
        let (inner, words) = (self.inner.clone(), words.to_owned());
        tokio::task::spawn_blocking(move || inner.search.search(&words, &filter, limit))
            .await
            .map_err(|_| StoreError::Worker)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> SearchIndex {
        let index = SearchIndex::new().expect("in memory");
        let document =
            |name: &str, description: &str, identifiers: &[&str], queries: &[&str]| SearchDocument {
                name: name.into(),
                description: description.into(),
                identifiers: identifiers.iter().map(|id| (*id).to_owned()).collect(),
                queries: queries.iter().map(|query| (*query).to_owned()).collect(),
                ..SearchDocument::default()
            };
        let documents = vec![
            document(
                "docs:markdown",
                "Markdown to HTML",
                &["to-html", "outline"],
                &["render a readme as a web page"],
            ),
            document("js:semver", "Version ranges", &["max-satisfying"], &["which versions fit a range"]),
            document("bits:checksum", "Checksums of bytes", &["crc32"], &["detect a damaged download"]),
        ];
        index.replace(documents).expect("indexed");
        index
    }

    #[test]
    fn finds_by_task_identifier_and_beginning() {
        let index = index();
        for (words, first) in [
            ("convert markdown to html", "docs:markdown"),
            ("rendering README pages", "docs:markdown"),
            ("max-satisfying", "js:semver"),
            ("is my download damaged?", "bits:checksum"),
            ("check", "bits:checksum"),
        ] {
            let hits = index.search(words, &Filter::default(), 3).expect("searched");
            assert_eq!(hits.first().map(|hit| hit.package.to_string()).as_deref(), Some(first), "{words}");
            assert!(!hits[0].matched.is_empty(), "{words}");
        }
        for words in ["", "the of", "zebra", "\"(*:?", &"x ".repeat(10_000)] {
            assert!(index.search(words, &Filter::default(), 3).expect("searched").is_empty(), "{words}");
        }
    }

    #[test]
    fn a_package_stands_once() {
        let index = index();
        let again =
            SearchDocument { name: "js:semver".into(), description: "Tea".into(), ..Default::default() };
        index.replace(vec![again]).expect("indexed");
        assert_eq!(index.size(), 3);
        assert!(index.search("ranges", &Filter::default(), 3).expect("searched").is_empty());
        assert_eq!(index.search("tea", &Filter::default(), 3).expect("searched")[0].matched, ["description"]);
    }

    #[test]
    fn filters_let_pass_what_is_asked_for_and_change_no_order() {
        let index = SearchIndex::new().expect("in memory");
        let document = |name: &str, facts: Option<Facts>| SearchDocument {
            name: name.into(),
            description: "counts words".into(),
            facts,
            ..SearchDocument::default()
        };
        let facts = |interface: &str, pure, amount_min| {
            let interfaces = vec![interface.into(), format!("text:words/{interface}")];
            Some(Facts { interfaces, pure, amount_min: Atomic(amount_min) })
        };
        let documents = vec![
            document("a:free", facts("count", true, 0)),
            document("b:cheap", facts("count", false, 10)),
            document("c:dear", facts("to-html", true, u128::MAX)),
            document("d:unknown", None),
        ];
        index.replace(documents).expect("indexed");
        let any = Filter::default();
        for (filter, expected) in [
            (any.clone(), &["a:free", "b:cheap", "c:dear", "d:unknown"][..]),
            (Filter { pure: true, ..any.clone() }, &["a:free", "c:dear"]),
            (Filter { interface: Some("count".into()), ..any.clone() }, &["a:free", "b:cheap"]),
            (Filter { interface: Some("text:words/to-html".into()), ..any.clone() }, &["c:dear"]),
            (Filter { interface: Some("words".into()), ..any.clone() }, &[]),
            (Filter { amount_max: Some(Atomic(0)), ..any.clone() }, &["a:free"]),
            (Filter { amount_max: Some(Atomic(9)), ..any.clone() }, &["a:free"]),
            (Filter { amount_max: Some(Atomic(10)), ..any.clone() }, &["a:free", "b:cheap"]),
            (Filter { amount_max: Some(Atomic(10)), pure: true, ..any.clone() }, &["a:free"]),
        ] {
            let hits = index.search("word", &filter, 5).expect("searched");
            let mut found: Vec<_> = hits.iter().map(|hit| hit.package.to_string()).collect();
            found.sort();
            assert_eq!(found, expected, "{filter:?}");
            assert!(hits.iter().all(|hit| hit.matched == ["description"]), "{hits:?}");
            assert!(hits.windows(2).all(|pair| (pair[0].score - pair[1].score).abs() < 1e-6), "{hits:?}");
        }
    }
}
