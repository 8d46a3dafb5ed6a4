//! A package as its publisher holds it: files, and everything that can be checked about them before anybody runs them.
//!
//! The command line checks with exactly this code before it uploads, and the registry again after: a publisher
//! learns at home what the registry would say.

use std::collections::BTreeMap;
use std::sync::Arc;

use glassbox_core::case::{self, Case, Expectation};
use glassbox_core::files::Files;
use glassbox_core::hashed::Document as _;
use glassbox_core::manifest::{ContentUsage, Date, Edition, Manifest, PricedAct, Terms, Unit, lint};
use glassbox_core::release::{EditionComponent, Editions, Release};
use glassbox_core::sbom::Sbom;
use glassbox_core::terms::{Account, applies, edition_of, names, quote, sale_charge};
use glassbox_core::value::wave;
use glassbox_core::{Atomic, Digest, FunctionName, Hashed, Version, limits};
use glassbox_sandbox::{
    FileSet, Function, Grants, ImportKind, Inspection, Spec, UnknownGrant, code_digest, inspect, read_sbom,
};
use serde::{Deserialize, Serialize};

use crate::editions;
use crate::imports::Imports;
use crate::publish_error::PublishError;

/// The files of a package.
#[derive(Debug, Clone)]
pub struct PackageFiles {
    /// The manifest's text.
    pub manifest: String,
    /// The WIT files, under paths relative to the spec's folder.
    pub wit: Files,
    /// The test files.
    pub tests: Files,
    /// The component's bytes.
    pub component: Vec<u8>,
    /// The bytes of the components that editions have of their own, by the names of these.
    pub editions: BTreeMap<String, Vec<u8>>,
    /// The documents that the manifest names, under its paths.
    pub documents: Files,
    /// The files that it may read, under paths relative to their folder, where the release ships any.
    pub files: Option<Files>,
    /// The source files, where they are published.
    pub source: Option<Files>,
}

/// A package that passed every check that needs no run.
#[derive(Debug)]
pub struct Package {
    /// Its files.
    pub files: PackageFiles,
    /// The manifest.
    pub manifest: Manifest,
    /// The interface.
    pub spec: Spec,
    /// What the component is made of.
    pub inspection: Inspection,
    /// What the component says that it is made of.
    pub sbom: Sbom,
    /// The host interfaces that it may use.
    pub grants: Grants,
    /// The test cases.
    pub cases: Vec<CheckedCase>,
    /// By what its code is known again under other names.
    pub code: Digest,
}

/// A test case whose call and expectation are well typed.
#[derive(Debug, Clone)]
pub struct CheckedCase {
    /// The case as written.
    pub case: Case,
    /// The function that it calls.
    pub function: Function,
    /// The arguments.
    pub args: Vec<glassbox_core::value::Value>,
    /// The expected value, unless a trap is expected.
    pub expected: Option<Option<glassbox_core::value::Value>>,
}

/// What pages and search show of a release, derived at publish.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listing {
    /// The one-line description.
    pub description: String,
    /// The licence of the component.
    pub license: String,
    /// The licence that it comes under later, and from when on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license_change: Option<(String, Date)>,
    /// What others may do with its texts, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<ContentUsage>,
    /// Who made it.
    pub authors: Vec<String>,
    /// Where it is developed.
    pub repository: Option<String>,
    /// Keywords and categories.
    pub keywords: Vec<String>,
    /// The world that it implements.
    pub world: String,
    /// The exported functions.
    pub functions: Vec<FunctionListing>,
    /// The host interfaces that it was granted and uses.
    pub grants: Vec<String>,
    /// Imports that its toolchain left in and that nothing needs; calling one fails.
    pub inert_imports: Vec<String>,
    /// The size of the component.
    pub component_bytes: usize,
    /// The files that it ships, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<FilesListing>,
    /// Whether the component and its files may be downloaded.
    pub download: bool,
    /// What that costs, for people: `$0.5`. Absent where it costs nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_price: Option<String>,
    /// Whether the licence that changes and the usage are in it, where it is stored: they are in none that was written before
    /// listings had them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) has_rights: bool,
}

/// The files that a release ships, as pages show them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FilesListing {
    /// The digest of the set.
    pub digest: Digest,
    /// How many there are.
    pub count: usize,
    /// How many bytes they have together.
    pub size_bytes: usize,
}

/// An exported function, as pages and search show it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FunctionListing {
    /// The full name.
    pub name: FunctionName,
    /// The signature in WIT.
    pub signature: String,
    /// The doc comment.
    pub docs: String,
    /// What it costs, for people: `$0.002 per call`, or `free`.
    pub price: String,
    /// Why it cannot be called by value, where it cannot.
    pub not_callable: Option<String>,
}

impl Listing {
    /// Returns the same with what it costs by a manifest with other terms, and with what its imports may cost.
    pub(crate) fn priced(mut self, manifest: &Manifest, imports: &Imports) -> Self {
        let terms = Hashed::new(Terms::of(manifest));
        for function in &mut self.functions {
            function.price = price_text(&terms, &function.name);
            let quote =
                quote(&terms, &function.name, terms.fuel_max, Account::default(), imports.of(&function.name));
            let charged: u128 = quote.dependencies().map(|line| line.amount.0).sum();
            if charged > 0 {
                let own = Some(function.price.as_str()).filter(|_| quote.lines[0].dependency.is_none());
                let imported = format!("at most ${} for what it imports", Atomic(charged).to_decimal());
                function.price = own.into_iter().chain([imported.as_str()]).collect::<Vec<_>>().join(" + ");
            }
        }
        self.download = manifest.component_is_public();
        self.download_price = download_price(&terms);
        self.with_rights(&terms)
    }

    /// Returns the same with what terms say of usage, and of a licence that changes.
    pub(crate) fn with_rights(mut self, terms: &Terms) -> Self {
        self.usage = terms.more.usage.clone();
        self.license_change = terms.more.change_license.clone().zip(terms.more.change_date);
        self.has_rights = true;
        self
    }

    /// Returns the same as it is on a day: under the licence that counts by then.
    pub(crate) fn on(mut self, day: Date) -> Self {
        if let Some((license, _)) = self.license_change.take_if(|(_, date)| *date <= day) {
            self.license = license;
        }
        self
    }

    /// Tells whether the release can do nothing but compute: of what it uses, nothing is answered from outside.
    pub fn is_pure(&self) -> bool {
        !self.grants.iter().any(|interface| glassbox_sandbox::is_observing(interface))
    }
}

impl Package {
    /// Checks `files` that are to be signed. The first failure is returned, with what to do about it.
    pub fn check(files: PackageFiles) -> Result<Self, PublishError> {
        check_named(&Manifest::parse(&files.manifest)?, &files.documents)?;
        Self::check_signed(files)
    }

    /// Checks `files` that somebody signed. Which documents there are is said by the statement, and what the manifest names
    /// beside them is no document: the statements of before there were any sign none.
    pub fn check_signed(files: PackageFiles) -> Result<Self, PublishError> {
        let manifest = Manifest::parse(&files.manifest)?;
        let size_bytes = files.component.len() + files.editions.values().map(Vec::len).sum::<usize>();
        if size_bytes > limits::COMPONENT_BYTES_MAX {
            return Err(PublishError::ComponentTooLarge { size_bytes });
        }
        check_sizes(&files)?;
        check_files(&manifest, files.files.as_ref())?;
        check_unnamed(&manifest, &files.documents)?;
        let spec = Spec::parse(&texts(&files.wit)?, Some(&manifest.spec.world))?;
        check_identity(&manifest, &spec)?;
        check_exports(&manifest, &spec)?;
        let package = Self::open(files, manifest, spec)?;
        let Self { files, manifest, spec, inspection, grants, .. } = &package;
        check_imports(manifest, inspection, grants)?;
        editions::check(manifest, spec, inspection, files, grants)?;
        // Last: what is no component at all is told so, and not that its list cannot be read.
        let components = [&files.component].into_iter().chain(files.editions.values());
        let sbom = read_sbom(components.map(Vec::as_slice))?;
        Ok(Self { sbom, ..package })
    }

    /// Reads the layers of a release that was accepted before, by the rules of its day: newer ones do not make it worse.
    pub(crate) fn reopen(files: PackageFiles) -> Result<Self, PublishError> {
        let manifest = Manifest::read(&files.manifest)?;
        let spec = Spec::parse(&texts(&files.wit)?, Some(&manifest.spec.world))?;
        // What its components are made of was written down when it was published.
        Self::open(files, manifest, spec)
    }

    fn open(files: PackageFiles, manifest: Manifest, spec: Spec) -> Result<Self, PublishError> {
        let grants = grants(&manifest)?;
        let inspection = inspect(&files.component)?;
        let cases = check_cases(&spec, &files.tests)?;
        let code = code(&files)?;
        let sbom = Sbom::default();
        Ok(Self { files, manifest, spec, inspection, sbom, grants, cases, code })
    }

    /// Returns the statement that the publisher signs. Where there are dependencies, they are still to be pinned.
    pub fn statement(&self) -> Release {
        Release {
            release: self.manifest.release(),
            manifest: Digest::of(&self.files.manifest),
            terms: Terms::of(&self.manifest).compute_digest(),
            wit: self.files.wit.digest(),
            tests: self.files.tests.digest(),
            component: Digest::of(&self.files.component),
            files: self.files.files.as_ref().map(Files::digest),
            source: self.files.source.as_ref().map(Files::digest),
            dependencies: Vec::new(),
            documents: self
                .files
                .documents
                .iter()
                .map(|(path, bytes)| (path.to_owned(), Digest::of(bytes)))
                .collect(),
            registry: None,
            editions: self.editions(),
            authorship: self.manifest.authorship(),
        }
    }

    /// Returns the components of editions, as the statement names them.
    pub fn editions(&self) -> Editions {
        let of = |(name, component): (&String, &Vec<u8>)| {
            let exports = self.manifest.edition.get(name)?.exports.clone();
            Some((name.clone(), EditionComponent { component: Digest::of(component), exports }))
        };
        Editions(self.files.editions.iter().filter_map(of).collect())
    }

    /// Returns the component that a call of `function` runs.
    pub fn component_of(&self, function: &FunctionName) -> &[u8] {
        let edition = edition_of(&self.manifest.edition, function);
        let own = edition.and_then(|(name, _)| self.files.editions.get(name));
        own.unwrap_or(&self.files.component)
    }

    /// Returns the host interfaces that it uses, or that what it imports may use by its grants.
    fn used_grants(&self) -> Vec<String> {
        let mut used = self.inspection.imports_of(ImportKind::Granted, &self.grants);
        if !self.manifest.dependencies.is_empty() {
            let known = |used: &[String], interface: &str| {
                used.iter().any(|own| own.split('@').next() == Some(interface))
            };
            let more = self.grants.observing().filter(|interface| !known(&used, interface));
            let more: Vec<String> = more.map(str::to_owned).collect();
            used.extend(more);
        }
        used
    }

    /// Returns what pages and search show.
    pub fn listing(&self) -> Listing {
        let package = &self.manifest.package;
        let terms = Terms::of(&self.manifest);
        let function = |function: &Function| FunctionListing {
            name: function.name.clone(),
            signature: function.signature.clone(),
            docs: function.docs.clone(),
            price: price_text(&terms, &function.name),
            not_callable: function.callable.as_ref().err().cloned(),
        };
        Listing {
            description: package.description.clone(),
            license: package.license.clone(),
            license_change: package.change_license.clone().zip(package.change_date),
            usage: self.manifest.usage.clone(),
            has_rights: false,
            authors: package.authors.clone(),
            repository: package.repository.clone(),
            keywords: package.keywords.iter().chain(&package.categories).cloned().collect(),
            world: self.manifest.spec.world.clone(),
            functions: self.spec.functions().iter().map(function).collect(),
            grants: self.used_grants(),
            inert_imports: self.inspection.imports_of(ImportKind::Inert, &self.grants),
            component_bytes: self.files.component.len(),
            files: self.files.files.as_ref().map(|files| FilesListing {
                digest: files.digest(),
                count: files.len(),
                size_bytes: files.size_bytes(),
            }),
            download: self.manifest.component_is_public(),
            download_price: download_price(&terms),
        }
    }
}

/// Returns by what code is known again: what the component computes, with the files that it reads; where it computes too
/// little to tell, its bytes.
fn code(files: &PackageFiles) -> Result<Digest, PublishError> {
    let Some(code) = code_digest(&files.component)? else { return Ok(Digest::of(&files.component)) };
    Ok(match &files.files {
        Some(files) => Digest::of(format!("{code} {}", files.digest())),
        None => code,
    })
}

/// Refuses a component that imports what nobody could answer, or may ask what it promised not to.
pub(crate) fn check_imports(
    manifest: &Manifest,
    inspection: &Inspection,
    grants: &Grants,
) -> Result<(), PublishError> {
    // By what is granted and not by what is imported: a dependency has at most the grants of whoever imports it.
    let observing: Vec<&str> = grants.observing().filter(|_| manifest.component.deterministic).collect();
    if !observing.is_empty() {
        let message = format!("it is `deterministic`, and `imports-allow` grants {}", observing.join(", "));
        return Err(lint::broken(lint::DETERMINISTIC_GRANTS, message).into());
    }
    let foreign = inspection.imports_of(ImportKind::Foreign, grants);
    // What is behind them is known where the log is.
    match foreign.is_empty() || !manifest.dependencies.is_empty() {
        true => Ok(()),
        false => Err(PublishError::ForeignImports(foreign)),
    }
}

fn check_sizes(files: &PackageFiles) -> Result<(), PublishError> {
    let size_bytes = |files: &Option<Files>| files.as_ref().map_or(0, Files::size_bytes);
    let layers = [
        ("the WIT", files.wit.size_bytes(), limits::WIT_BYTES_MAX),
        ("the tests", files.tests.size_bytes(), limits::SOURCE_BYTES_MAX),
        ("the documents", files.documents.size_bytes(), limits::DOCUMENTS_BYTES_MAX),
        ("the files", size_bytes(&files.files), limits::RELEASE_FILES_BYTES_MAX),
        ("the source", size_bytes(&files.source), limits::SOURCE_BYTES_MAX),
    ];
    match layers.into_iter().find(|(_, size_bytes, max_bytes)| size_bytes > max_bytes) {
        Some((what, size_bytes, max_bytes)) => {
            Err(PublishError::LayerTooLarge { what, size_bytes, max_bytes })
        }
        None => Ok(()),
    }
}

/// Files must be there exactly where the manifest says so, and be what a guest can be shown.
fn check_files(manifest: &Manifest, files: Option<&Files>) -> Result<(), PublishError> {
    match (&manifest.component.files, files) {
        (None, None) => Ok(()),
        (Some(_), Some(files)) if !files.is_empty() => {
            Ok(glassbox_sandbox::check_files(&Arc::new(file_set(files)))?)
        }
        (Some(folder), _) => Err(PublishError::NoFiles(folder.clone())),
        (None, Some(_)) => Err(PublishError::UndeclaredFiles),
    }
}

/// A reader must find what the manifest points to.
fn check_named(manifest: &Manifest, documents: &Files) -> Result<(), PublishError> {
    let there = |path: &str| documents.iter().any(|(name, _)| name == path);
    match manifest.documents().find(|(_, path)| !there(path)) {
        None => Ok(()),
        Some((key, path)) => {
            let message = format!("`{key}` names `{}`, which is not there", clip(path));
            Err(lint::broken(lint::DOCUMENTS, message).into())
        }
    }
}

/// No file comes along that the manifest does not point to.
fn check_unnamed(manifest: &Manifest, documents: &Files) -> Result<(), PublishError> {
    let named = |name: &str| manifest.documents().any(|(_, path)| path == name);
    match documents.iter().map(|(name, _)| name).find(|name| !named(name)) {
        None => Ok(()),
        Some(path) => {
            let message = format!("there is a document `{}`, which the manifest does not name", clip(path));
            Err(lint::broken(lint::DOCUMENTS, message).into())
        }
    }
}

fn clip(text: &str) -> String {
    text.chars().take(limits::QUOTED_CHARS_MAX).collect()
}

/// Copies the files of a release into what a guest is shown.
pub fn file_set(files: &Files) -> FileSet {
    files.iter().map(|(path, bytes)| (path.to_owned(), bytes.into())).collect()
}

/// Reads files that must be text.
pub fn texts(files: &Files) -> Result<Vec<(String, String)>, PublishError> {
    let text = |(path, bytes): (&str, &[u8])| match std::str::from_utf8(bytes) {
        Ok(text) => Ok((path.to_owned(), text.to_owned())),
        Err(_) => Err(PublishError::NotText(path.to_owned())),
    };
    files.iter().map(text).collect()
}

/// Reads the host interfaces that a manifest asks for, and the HTTP requests.
pub fn grants(manifest: &Manifest) -> Result<Grants, UnknownGrant> {
    let grants = Grants::parse(manifest.component.imports_allow.iter().map(String::as_str))?;
    Ok(grants.with_http(manifest.component.http.clone()))
}

/// The manifest's name and version must be those of the WIT package, or a reader would be told two things.
fn check_identity(manifest: &Manifest, spec: &Spec) -> Result<(), PublishError> {
    let name = manifest.package.name.to_string();
    // The id of a WIT package ends with its version where it has one, which is compared below.
    let id = spec.package();
    let wit = id.split('@').next().unwrap_or(&id);
    if wit != name {
        return Err(PublishError::PackageNameDiffers { manifest: name, wit: wit.to_owned() });
    }
    match spec.version() {
        Some(version) if *version != manifest.package.version => Err(PublishError::VersionDiffers {
            manifest: manifest.package.version.clone(),
            wit: Version::clone(version),
        }),
        _ => Ok(()),
    }
}

/// Every price and edition must be for functions that there are, or a misspelt export would be free, and open; and no
/// function is of two editions.
pub(crate) fn check_exports(manifest: &Manifest, spec: &Spec) -> Result<(), PublishError> {
    for price in &manifest.price {
        let Some(export) = &price.export else { continue };
        if !spec.functions().iter().any(|function| applies(price, &function.name)) {
            return Err(PublishError::NoSuchExport {
                price: price.id.clone(),
                export: export.clone(),
                exports: spec.functions().iter().map(|function| function.name.to_string()).collect(),
            });
        }
    }
    for (name, edition) in &manifest.edition {
        let exists = |export: &str| spec.functions().iter().any(|function| names(export, &function.name));
        if let Some(missing) = edition.exports.iter().find(|export| !exists(export)) {
            let missing: String = missing.chars().take(limits::QUOTED_CHARS_MAX).collect();
            let message = format!("edition `{name}` is for `{missing}`, which is not exported");
            return Err(lint::broken(lint::EXPORT_EXISTS, message).into());
        }
    }
    // What a function requires and which component runs it are two look-ups, which must find the same edition.
    for function in spec.functions() {
        let name = &function.name;
        let has =
            |(_, edition): &(&String, &Edition)| edition.exports.iter().any(|export| names(export, name));
        let mut editions = manifest.edition.iter().filter(has).map(|(edition, _)| edition);
        if let (Some(one), Some(other)) = (editions.next(), editions.next()) {
            let message = format!("`{name}` belongs to the editions `{one}` and `{other}`");
            return Err(lint::broken(lint::EDITION_EXPORTS, message).into());
        }
    }
    Ok(())
}

/// Reads the test cases and types them against the spec, before any implementation is looked at.
fn check_cases(spec: &Spec, tests: &Files) -> Result<Vec<CheckedCase>, PublishError> {
    let mut checked = Vec::new();
    for (path, text) in texts(tests)? {
        if !path.ends_with(".toml") {
            continue;
        }
        for case in case::parse(&path, &text)? {
            let name = case.name.clone();
            let typed = type_case(spec, case).map_err(|reason| PublishError::Case {
                file: path.clone(),
                name,
                reason,
            })?;
            checked.push(typed);
        }
    }
    if checked.len() > limits::TEST_CASES_MAX {
        return Err(PublishError::TooManyCases { count: checked.len() });
    }
    Ok(checked)
}

fn type_case(spec: &Spec, case: Case) -> Result<CheckedCase, String> {
    let (name, _) = wave::call_from_wave(&case.call).map_err(|error| error.to_string())?;
    let function = spec.function(&name).ok_or_else(|| {
        let names: Vec<String> = spec.functions().iter().map(|function| function.name.short()).collect();
        format!("there is no function `{name}`; there are {}", names.join(", "))
    })?;
    CheckedCase::of(function, case)
}

impl CheckedCase {
    /// Types a case as a call of `function`, whatever it calls it. Says why it is none.
    pub(crate) fn of(function: &Function, case: Case) -> Result<Self, String> {
        let (_, args) = wave::call_from_wave(&case.call).map_err(|error| error.to_string())?;
        function.callable.clone()?;
        let ty = &function.ty;
        let args = wave::args_from_wave(ty, &args).map_err(|error| error.to_string())?;
        let expected = match (&case.expect, &ty.result) {
            (Expectation::Trap, _) => None,
            (Expectation::Nothing, None) => Some(None),
            (Expectation::Value(text), Some(ty)) => {
                Some(Some(wave::from_wave(text, ty).map_err(|error| format!("in `expect`: {error}"))?))
            }
            (Expectation::Nothing, Some(_)) => {
                return Err("`expect` is missing: the function returns a value".into());
            }
            (Expectation::Value(_), None) => {
                return Err("`expect` is given, and the function returns nothing".into());
            }
        };
        Ok(Self { case, function: function.clone(), args, expected })
    }
}

/// Writes what a download costs, for people; nothing where it is free.
fn download_price(terms: &Terms) -> Option<String> {
    let amount =
        Some(sale_charge(terms, PricedAct::Download).amount).filter(|amount| *amount > Atomic::ZERO)?;
    Some(format!("${}", amount.to_decimal()))
}

/// Writes what a call of `function` costs, for people.
fn price_text(terms: &Terms, function: &FunctionName) -> String {
    let lines: Vec<String> = terms
        .price
        .iter()
        .filter(|price| glassbox_core::terms::applies(price, function))
        .map(|price| {
            let amount = price.amount.to_decimal();
            let unit = match &price.unit {
                Unit::Event(name) => name.clone(),
                unit => unit.to_string().replace('-', " "),
            };
            let each = match price.per.get() {
                1 => format!("${amount} per {unit}"),
                1_000_000 => format!("${amount} per million {unit}"),
                per => format!("${amount} per {per} {unit}"),
            };
            let least = price.minimum.map(|minimum| format!("at least ${}", minimum.to_decimal()));
            let most = price.max_per_call.map(|max| format!("at most ${}", max.to_decimal()));
            [Some(each), least, most].into_iter().flatten().collect::<Vec<_>>().join(", ")
        })
        .collect();
    if lines.is_empty() { "free".into() } else { lines.join(" + ") }
}
