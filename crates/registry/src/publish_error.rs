//! Why a package was not published, each with a stable code and what to do next.

use glassbox_core::case::CaseError;
use glassbox_core::dsse::DsseError;
use glassbox_core::files::FilesError;
use glassbox_core::manifest::ManifestError;
use glassbox_core::{Version, limits};
use glassbox_sandbox::{BadPath, SandboxError, SbomError, UnknownGrant, WorldMismatch};
use glassbox_store::StoreError;

use crate::blocklists::Blocked;
use crate::depend::DependencyError;
use crate::derive::DerivationError;
use crate::testing::TestReport;
use crate::{act_error, component_error};

/// Why a package was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The manifest.
    #[error("glassbox.toml is not valid")]
    Manifest(#[from] ManifestError),
    /// A set of files.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A file that a guest cannot be shown.
    #[error(transparent)]
    FileTree(#[from] BadPath),
    /// The manifest names files, and there are none.
    #[error("`files` names `{0}`, where there are none")]
    NoFiles(String),
    /// There are files that the manifest does not name.
    #[error("there are files, and the manifest names none")]
    UndeclaredFiles,
    /// A WIT or test file that is not UTF-8.
    #[error("`{0}` is not UTF-8 text")]
    NotText(String),
    /// The component is too large.
    #[error("the components have {size_bytes} bytes, more than the {} allowed", limits::COMPONENT_BYTES_MAX)]
    ComponentTooLarge {
        /// How large it is.
        size_bytes: usize,
    },
    /// The component or the WIT.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// What the component says of its parts.
    #[error(transparent)]
    Sbom(#[from] SbomError),
    /// The component is not what its world says.
    #[error(transparent)]
    World(#[from] WorldMismatch),
    /// A grant that does not exist.
    #[error(transparent)]
    Grant(#[from] UnknownGrant),
    /// The component imports what no host provides.
    #[error("the component imports {}, which no executor provides", .0.join(", "))]
    ForeignImports(Vec<String>),
    /// The manifest and the WIT name different packages.
    #[error("the manifest says `{manifest}` and the WIT package is `{wit}`")]
    PackageNameDiffers {
        /// The manifest's name.
        manifest: String,
        /// The WIT package's.
        wit: String,
    },
    /// The manifest and the WIT name different versions.
    #[error("the manifest says version {manifest} and the WIT package is at {wit}")]
    VersionDiffers {
        /// The manifest's version.
        manifest: Version,
        /// The WIT package's.
        wit: Version,
    },
    /// A price is for a function that there is not.
    #[error("price `{price}` is for `{export}`, which is not exported")]
    NoSuchExport {
        /// The price's id.
        price: String,
        /// What it names.
        export: String,
        /// What there is.
        exports: Vec<String>,
    },
    /// A test file.
    #[error(transparent)]
    CaseFile(#[from] CaseError),
    /// A test case that does not fit the interface.
    #[error("{file}: case `{name}`: {reason}")]
    Case {
        /// The file.
        file: String,
        /// The case.
        name: String,
        /// Why.
        reason: String,
    },
    /// There are too many cases.
    #[error("{count} test cases are more than the {} allowed", limits::TEST_CASES_MAX)]
    TooManyCases {
        /// How many there are.
        count: usize,
    },
    /// Tests failed.
    #[error("{} of {} test cases failed", .0.failed, .0.failed + .0.passed)]
    TestsFailed(Box<TestReport>),
    /// The statement is not signed, or not a release.
    #[error("the release statement is not valid")]
    Statement(#[from] DsseError),
    /// The statement is too long for the log.
    #[error("the statement has more than {} bytes", limits::STATEMENT_PUBLISHED_BYTES_MAX)]
    StatementTooLong,
    /// Several keys signed, and none is named as the one that answers for the release.
    #[error("no signer is named as `accountable` in the statement's authorship")]
    NobodyAccountable,
    /// The operator's key decides over no name.
    #[error("the operator's key cannot publish")]
    Operator,
    /// The layers have more bytes than a release may have.
    #[error("{what} has {size_bytes} bytes, more than the {max_bytes} allowed")]
    LayerTooLarge {
        /// Which layer.
        what: &'static str,
        /// How large it is.
        size_bytes: usize,
        /// How large it may be.
        max_bytes: usize,
    },
    /// The terms let no other registry run it for others than that whose log has this key.
    #[error("the terms of this release let no registry run it for others but that of the log `{0}`")]
    OtherOperator(String),
    /// The statement is about something else than what was sent.
    #[error("the signed statement does not match what was sent: {0} differs")]
    StatementDiffers(&'static str),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operator stopped a release that has this component.
    #[error("the component is that of {release}, which is quarantined: {reason}")]
    Quarantined {
        /// The release.
        release: String,
        /// Why.
        reason: String,
    },
    /// A blocklist that the operator follows has it.
    #[error(transparent)]
    Blocked(#[from] Blocked),
    /// A dependency.
    #[error(transparent)]
    Dependency(#[from] DependencyError),
    /// A work that it derives from.
    #[error(transparent)]
    Derivation(#[from] DerivationError),
    /// A worker thread failed.
    #[error("an internal worker failed")]
    Worker,
}

impl PublishError {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Manifest(_) => "manifest-invalid",
            Self::Files(_) | Self::FileTree(_) | Self::UndeclaredFiles | Self::NotText(_) => "files-invalid",
            Self::NoFiles(_) => "files-not-found",
            Self::ComponentTooLarge { .. } => "component-too-large",
            Self::Sandbox(error) => component_error::code(error),
            Self::Quarantined { .. } | Self::Blocked(_) => "release-quarantined",
            Self::Sbom(_) => "sbom-invalid",
            Self::World(_) => "world-mismatch",
            Self::Grant(_) => "grant-unknown",
            Self::ForeignImports(_) => "import-not-granted",
            Self::Dependency(error) => error.code(),
            Self::Derivation(error) => error.code(),
            Self::PackageNameDiffers { .. } => "name-differs",
            Self::VersionDiffers { .. } => "version-differs",
            Self::NoSuchExport { .. } => "export-not-found",
            Self::CaseFile(_) | Self::Case { .. } | Self::TooManyCases { .. } => "test-invalid",
            Self::TestsFailed(_) => "tests-failed",
            Self::Statement(_) => "statement-invalid",
            Self::StatementDiffers(_) => "statement-differs",
            Self::StatementTooLong | Self::NobodyAccountable => "statement-invalid",
            Self::Operator => "operator-key",
            Self::OtherOperator(_) => "operator-not-allowed",
            Self::LayerTooLarge { .. } => "files-invalid",
            Self::Store(error) => act_error::code(error),
            Self::Worker => "internal",
        }
    }

    /// Returns what to do next.
    pub fn next(&self) -> String {
        match self {
            Self::Manifest(error) => error.hint.clone(),
            Self::NoFiles(_) => "name a folder with files in it, or leave `files` out".into(),
            Self::UndeclaredFiles => "name their folder as `files` in [component]".into(),
            Self::Files(_) | Self::FileTree(_) | Self::NotText(_) => "leave it out, or rename it".into(),
            Self::ComponentTooLarge { .. } => "strip debug information, or optimise for size".into(),
            Self::Sandbox(error) => component_error::next(error),
            Self::Quarantined { .. } => "correct what is wrong with it, and build it anew".into(),
            Self::Blocked(_) => "ask whoever keeps that list, or publish elsewhere".into(),
            Self::Sbom(_) => "build it anew, or take the section out: `wasm-tools strip -d`".into(),
            Self::World(_) => "make the component and its world agree; see the list above".into(),
            Self::Grant(_) => "write it like `wasi:random/random` in `imports-allow`".into(),
            Self::ForeignImports(_) => {
                "name the package under [dependencies], or compose it into the component".into()
            }
            Self::Dependency(error) => error.next().into(),
            Self::Derivation(error) => error.next(),
            Self::PackageNameDiffers { wit, .. } => {
                format!("write name = \"{wit}\", or rename the WIT package")
            }
            Self::VersionDiffers { wit, .. } => {
                format!("write version = \"{wit}\", or change the WIT package")
            }
            Self::NoSuchExport { exports, .. } => format!("name one of {}", exports.join(", ")),
            Self::CaseFile(_) | Self::Case { .. } => "correct the case; values are written in WAVE".into(),
            Self::TooManyCases { .. } => "keep the cases that tell implementations apart".into(),
            Self::TestsFailed(_) => "run `glassbox test` to see each".into(),
            Self::LayerTooLarge { .. } => "leave generated files out".into(),
            Self::Statement(_)
            | Self::StatementDiffers(_)
            | Self::StatementTooLong
            | Self::NobodyAccountable => "publish again with `glassbox publish`".into(),
            Self::Operator => "publish with a key of your own".into(),
            Self::OtherOperator(_) => {
                "publish it there, or sign it for this registry, or for any: operators = \"any\"".into()
            }
            Self::Store(error) => act_error::next(error).into(),
            Self::Worker => "try again later; nothing was published".into(),
        }
    }
}
