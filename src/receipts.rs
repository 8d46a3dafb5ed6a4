//! Receipt files: found, read, written.

use std::fs;
use std::path::{Path, PathBuf};

use glassbox_core::limits;
use glassbox_core::receipt::{Bundle, BundleError, Certificate};

use crate::commands::Context;
use crate::failure::Failure;

/// What a file holds.
pub(crate) enum Document {
    /// A receipt with what opens it.
    Bundle(Box<Bundle>),
    /// The certificate that an executor signed what cannot be true.
    Certificate(Certificate),
}

/// Finds a receipt by its file's name, or by the id of a call in the home folder.
pub(crate) fn find(context: &Context, receipt: &Path) -> Result<PathBuf, Failure> {
    if receipt.exists() {
        return Ok(receipt.to_owned());
    }
    let kept = receipt.to_str().map(|call| context.home().map(|home| home.receipt_path(call))).transpose()?;
    match kept {
        Some(kept) if kept.exists() => Ok(kept),
        _ => {
            let message = format!("there is no receipt `{}`", receipt.display());
            Err(Failure::no("receipt-not-found", message, "name a file, or the id of a call that you made"))
        }
    }
}

/// Reads a bundle, a certificate, or the answer of a call that holds a bundle.
pub(crate) fn read(path: &Path) -> Result<Document, Failure> {
    let size_bytes = fs::metadata(path).map_err(|error| Failure::io("read", path, &error))?.len();
    let not_a_receipt = |detail: String| {
        let message = format!("`{}` is not a receipt: {detail}", path.display());
        Failure::error(
            "receipt-invalid",
            message,
            "`glassbox call` writes one; so does the `receipt` of an answer",
        )
    };
    if size_bytes > limits::PUBLISH_BODY_BYTES_MAX as u64 {
        return Err(not_a_receipt(format!("it has {size_bytes} bytes")));
    }
    let text = fs::read_to_string(path).map_err(|error| Failure::io("read", path, &error))?;
    let mut json: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| not_a_receipt(error.to_string()))?;
    let refused = |error: BundleError| match error {
        BundleError::Json(error) => not_a_receipt(error.to_string()),
        BundleError::Spelling => not_a_receipt(error.to_string()),
    };
    if json.get("format").is_some_and(|format| format == Certificate::FORMAT) {
        return Certificate::from_value(json).map(Document::Certificate).map_err(refused);
    }
    if json.get("format").is_none()
        && let Some(bundle) = json.get_mut("receipt")
    {
        json = bundle.take();
    }
    Bundle::from_value(json).map(|bundle| Document::Bundle(Box::new(bundle))).map_err(refused)
}

/// Reads a bundle, and nothing else.
pub(crate) fn read_bundle(path: &Path) -> Result<Bundle, Failure> {
    match read(path)? {
        Document::Bundle(bundle) => Ok(*bundle),
        Document::Certificate(_) => {
            let message = format!("`{}` is a certificate, not a receipt", path.display());
            Err(Failure::error("receipt-invalid", message, "check it with `glassbox verify`"))
        }
    }
}

/// Returns a bundle as its file has it.
pub(crate) fn to_text(bundle: &Bundle) -> String {
    serde_json::to_string(bundle).expect("a bundle has string keys") + "\n"
}
