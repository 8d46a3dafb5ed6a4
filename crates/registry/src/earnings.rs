//! Who earned what, and the days that it is counted by.

use glassbox_core::ledger::DAY_MS;
use glassbox_core::limits;
use glassbox_store::{Earning, EarningsQuery};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::error::RegistryError;
use crate::open::Registry;

impl Registry {
    /// Returns who earned what: what the ledger has, told apart as the query says.
    pub async fn earnings(&self, query: EarningsQuery) -> Result<Vec<Earning>, RegistryError> {
        let earnings = self.store.earnings(query, limits::EARNINGS_CHARGES_MAX).await?;
        earnings.ok_or(RegistryError::TooManyCharges)
    }
}

/// Returns the first moment of a day such as `2026-11-22`, in UTC, in Unix milliseconds.
pub fn day_starts_ms(day: &str) -> Option<i64> {
    let date: Date = day.parse().ok().filter(|_| day.len() == "2026-11-22".len())?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// Writes a day that is counted from 1970, such as `2026-11-22`.
pub fn day_text(day: i64) -> String {
    let at = Timestamp::from_millisecond(day.saturating_mul(DAY_MS)).unwrap_or(Timestamp::MAX);
    at.to_zoned(TimeZone::UTC).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_written_and_read() {
        for (day, text) in [(0, "1970-01-01"), (20_779, "2026-11-22"), (-1, "1969-12-31")] {
            assert_eq!((day_text(day).as_str(), day_starts_ms(text)), (text, Some(day * DAY_MS)));
        }
        for text in ["", "2026-11", "2026-13-01", "22.11.2026", "2026-11-22T10:00:00"] {
            assert_eq!(day_starts_ms(text), None, "{text}");
        }
    }
}
