//! From what the registry says to what the wire says.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use glassbox_api::{
    AdvisoryNote, AuthorshipResponse, CallResponse, DerivedFromResponse, EffortResponse, File, FilesResponse,
    FilesSummary, ForSaleResponse, FunctionResponse, FunctionSummary, HeldResponse, LicenseChangeResponse,
    MarkResponse, QuoteLine, QuoteResponse, ReleaseResponse, SameCodeResponse, SearchResult,
    StrengthResponse, TestSummary,
};
use glassbox_core::acts::Mark;
use glassbox_core::files::Files;
use glassbox_core::license::Item;
use glassbox_core::manifest::{Date, DerivedFrom, MoreTerms, SaleUnit};
use glassbox_core::release::Authorship;
use glassbox_core::terms::{Effort, Quote};
use glassbox_core::value::{example, schema};
use glassbox_core::{Atomic, Digest};
use glassbox_pay::PaymentRequired;
use glassbox_registry::{
    Affecting, CallReply, Found, FunctionListing, Held, Live, Marks, Registry, ReleaseView, SameCode,
    Strength, TestReport,
};

use crate::about;

pub(crate) fn tests(report: &TestReport, strength: Option<Strength>) -> TestSummary {
    TestSummary {
        passed: report.passed,
        failed: report.failed,
        fuel_max: report.fuel_max,
        fuel_baseline: report.fuel_baseline,
        efforts: report.efforts.iter().map(effort).collect(),
        strength: strength.map(self::strength),
    }
}

fn effort((terms, effort): (&Digest, &Effort)) -> EffortResponse {
    EffortResponse {
        release: effort.release.to_string(),
        terms: terms.to_string(),
        fuel: effort.fuel,
        fuel_counted_max: effort.fuel_counted_max,
    }
}

pub(crate) fn strength(strength: Strength) -> StrengthResponse {
    match strength {
        Strength::Measured { caught, mutants } => {
            StrengthResponse { caught: Some(caught), mutants: Some(mutants), unmeasured: None }
        }
        Strength::Unmeasured { unmeasured } => {
            StrengthResponse { caught: None, mutants: None, unmeasured: Some(unmeasured) }
        }
    }
}

fn summary(function: &FunctionListing) -> FunctionSummary {
    FunctionSummary {
        name: function.name.short(),
        signature: function.signature.clone(),
        price: function.price.clone(),
    }
}

pub(crate) fn result(found: Found) -> SearchResult {
    SearchResult {
        package: found.package.to_string(),
        version: found.version.to_string(),
        pure: found.listing.is_pure(),
        description: found.listing.description,
        functions: found.listing.functions.iter().map(summary).collect(),
        tests_passed: found.tests_passed,
        payers_organic: Some(found.payers_organic),
        matched: found.matched,
    }
}

pub(crate) fn listed(view: ReleaseView) -> SearchResult {
    SearchResult {
        package: view.row.id.package.to_string(),
        version: view.row.id.version.to_string(),
        pure: view.listing.is_pure(),
        description: view.listing.description,
        functions: view.listing.functions.iter().map(summary).collect(),
        tests_passed: view.report.passed,
        payers_organic: None,
        matched: Vec::new(),
    }
}

/// What the registry knows of a release beside what was published.
pub(crate) struct Known<'a> {
    pub(crate) marks: Marks,
    pub(crate) affecting: &'a [Affecting],
    pub(crate) same_code: Option<SameCode>,
    pub(crate) now_ms: i64,
    pub(crate) today: Date,
}

pub(crate) fn release(view: ReleaseView, live: &Live, known: Known<'_>) -> ReleaseResponse {
    let Known { marks, affecting, same_code, now_ms, today } = known;
    let ReleaseView { row, listing, report, strength, authorship } = view;
    let functions =
        listing.functions.iter().zip(live.spec.functions()).map(|(listed, function)| FunctionResponse {
            name: listed.name.short(),
            full_name: listed.name.to_string(),
            signature: listed.signature.clone(),
            docs: listed.docs.clone(),
            price: listed.price.clone(),
            not_callable: listed.not_callable.clone(),
            input_schema: schema::of_args(&function.ty, &listed.docs),
            output_schema: schema::of_result(&function.ty, ""),
            input_example: example::of_args(&function.ty),
        });
    ReleaseResponse {
        release: row.id.to_string(),
        pure: listing.is_pure(),
        description: listing.description,
        license: listing.license,
        license_change: listing
            .license_change
            .map(|(license, from)| LicenseChangeResponse { license, from: from.to_string() }),
        authors: listing.authors,
        repository: listing.repository,
        keywords: listing.keywords,
        world: listing.world,
        functions: functions.collect(),
        grants: listing.grants,
        inert_imports: listing.inert_imports,
        component: row.component.to_string(),
        component_bytes: listing.component_bytes,
        files: listing.files.map(|files| FilesSummary {
            digest: files.digest.to_string(),
            count: files.count,
            size_bytes: files.size_bytes,
        }),
        download: listing.download,
        download_price: (live.download.amount > Atomic::ZERO).then(|| live.download.amount.into()),
        for_sale: for_sale(&live.terms.more),
        editions: about::editions(live, today),
        about: about::about(live, today),
        derived_from: live.terms.more.derived_from.iter().map(derived_from).collect(),
        same_code_as: same_code.map(self::same_code),
        fuel_max: live.terms.fuel_max,
        tests: tests(&report, strength),
        authorship: self::authorship(authorship, &row.publisher),
        yanked: mark(marks.yank),
        quarantined: mark(marks.quarantine),
        publisher: row.publisher,
        statement: serde_json::from_str(&row.statement).unwrap_or_default(),
        log_index: row.log_index,
        terms: live.terms.digest().to_string(),
        terms_changes: live.terms_changes(),
        published_at: glassbox_registry::rfc3339(row.published_at),
        advisories: notes(affecting),
        held: live.held.clone().filter(|held| held.is_held(now_ms)).map(self::held),
    }
}

pub(crate) fn same_code(first: SameCode) -> SameCodeResponse {
    let SameCode { release, publisher, declared } = first;
    SameCodeResponse { release: release.to_string(), publisher, declared }
}

fn for_sale(more: &MoreTerms) -> Vec<ForSaleResponse> {
    let unit = |unit: Option<SaleUnit>| {
        unit.map(|unit| match unit {
            SaleUnit::Seat => "seat".to_owned(),
            SaleUnit::Copy => "copy".to_owned(),
        })
    };
    let plans = more.plan.iter().map(|plan| ForSaleResponse {
        item: Item::Plan(plan.id.clone()).to_string(),
        price: plan.amount.into(),
        unit: unit(plan.unit),
        grants: None,
    });
    let offers = more.offer.iter().map(|offer| ForSaleResponse {
        item: Item::Offer(offer.id.clone()).to_string(),
        price: offer.amount.into(),
        unit: unit(offer.unit),
        grants: Some(offer.grants.clone()),
    });
    plans.chain(offers).collect()
}

fn derived_from(parent: &DerivedFrom) -> DerivedFromResponse {
    let DerivedFrom { release, terms, share } = parent;
    DerivedFromResponse { release: release.to_string(), terms: terms.to_string(), share: *share }
}

pub(crate) fn held(held: Held) -> HeldResponse {
    HeldResponse {
        reasons: held.reasons,
        until: glassbox_registry::rfc3339(held.until),
        next:
            "a second key of the namespace lets it go: `glassbox confirm`; or publish it as a major version"
                .into(),
    }
}

fn authorship(authorship: Authorship, publisher: &str) -> AuthorshipResponse {
    let word = |word: serde_json::Result<serde_json::Value>| {
        word.ok().and_then(|word| Some(word.as_str()?.to_owned())).unwrap_or_default()
    };
    AuthorshipResponse {
        by: word(serde_json::to_value(authorship.by)),
        agent: authorship.agent,
        model: authorship.model,
        reviewed_by: authorship.reviewed_by,
        accountable: publisher.into(),
        basis: authorship.basis.map(|basis| word(serde_json::to_value(basis))),
    }
}

/// What never was is not shown.
fn mark(mark: Mark) -> Option<MarkResponse> {
    let Mark { set, reason, sequence } = mark;
    (sequence > 0).then_some(MarkResponse { set, reason, sequence })
}

pub(crate) fn files(files: &Files) -> FilesResponse {
    let file = |(path, bytes): (&str, &[u8])| {
        let text = std::str::from_utf8(bytes).ok().map(str::to_owned);
        let base64 = text.is_none().then(|| STANDARD.encode(bytes));
        File { path: path.to_owned(), text, base64 }
    };
    FilesResponse { digest: files.digest().to_string(), files: files.iter().map(file).collect() }
}

pub(crate) fn quote(
    registry: &Registry,
    release: String,
    quote: Quote,
    required: Option<PaymentRequired>,
    notice: Option<String>,
) -> QuoteResponse {
    QuoteResponse {
        release,
        function: quote.function.to_string(),
        fuel_max: quote.fuel_max,
        max: quote.amount_max.into(),
        lines: quote
            .lines
            .iter()
            .map(|line| QuoteLine {
                price: line.price.clone(),
                dependency: line.dependency.as_ref().map(ToString::to_string),
                unit: line.unit.to_string(),
                quantity: line.quantity,
                max: line.amount.into(),
            })
            .collect(),
        terms: quote.terms.to_string(),
        fee_bps: registry.config().fee_bps,
        notice,
        payment_required: required.and_then(|required| serde_json::to_value(required).ok()),
    }
}

pub(crate) fn notes(affecting: &[Affecting]) -> Vec<AdvisoryNote> {
    let note = |advisory: &Affecting| AdvisoryNote {
        id: advisory.id.clone(),
        summary: advisory.summary.clone(),
        part: advisory.part.clone(),
        fixed: advisory.fixed.clone(),
    };
    affecting.iter().map(note).collect()
}

pub(crate) async fn reply(
    registry: &Registry,
    reply: CallReply,
    notice: Option<String>,
    affecting: &[Affecting],
) -> CallResponse {
    let sources = registry.sources_offered(&reply.stored.bundle.opening.terms).await;
    CallResponse {
        source: sources.own,
        sources: sources.dependencies,
        advisories: notes(affecting),
        call: reply.stored.call,
        output: reply.stored.output.unwrap_or_default(),
        fuel_used: reply.stored.fuel_used,
        charged: reply.stored.charged.into(),
        replayed: reply.replayed,
        notice,
        chosen: None,
        receipt: reply.stored.bundle,
    }
}
