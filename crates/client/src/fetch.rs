//! Fetching a file from anywhere.

use std::time::Duration;

/// How long a file may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Returns what is at a URL, where it has at most `bytes_max` bytes; or says why not.
pub async fn fetch(url: &str, bytes_max: usize) -> Result<Vec<u8>, String> {
    let text = |error: reqwest::Error| error.without_url().to_string();
    let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(text)?;
    let mut response = client.get(url).send().await.map_err(text)?.error_for_status().map_err(text)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(text)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > bytes_max {
            return Err(format!("it has more than {bytes_max} bytes"));
        }
    }
    Ok(bytes)
}
