//! Periods, days, times of day and lengths of time, as manifests write them. All in UTC.

use std::fmt;
use std::str::FromStr;

use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Unit, Zoned};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A period of the calendar, after which units are counted from 0 again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Period {
    /// A day.
    Day,
    /// A month of the calendar.
    #[default]
    Month,
    /// A year of the calendar.
    Year,
}

impl Period {
    /// Names the period that holds a time: `2026-11-22`, `2026-11` or `2026`.
    pub fn name(self, at: Timestamp) -> String {
        let day = Date::of(at).to_string();
        let length = match self {
            Self::Day => 10,
            Self::Month => 7,
            Self::Year => 4,
        };
        day.get(..length).unwrap_or(&day).to_owned()
    }

    /// Returns when a term that begins at a time ends: the same moment of the next day, month or year.
    pub fn after(self, at: Timestamp) -> Timestamp {
        let span = match self {
            Self::Day => Span::new().days(1),
            Self::Month => Span::new().months(1),
            Self::Year => Span::new().years(1),
        };
        later(at, span)
    }
}

/// Adds to a time; what lies beyond all calendars is the end of them.
fn later(at: Timestamp, span: Span) -> Timestamp {
    utc(at).checked_add(span).map_or(Timestamp::MAX, |later| later.timestamp())
}

fn utc(at: Timestamp) -> Zoned {
    at.to_zoned(TimeZone::UTC)
}

/// A day, written `2029-12-31`: a TOML date, or a string.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(civil::Date);

impl Date {
    /// Returns the day of a time.
    pub fn of(at: Timestamp) -> Self {
        Self(utc(at).date())
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // One spelling: what jiff reads beyond it, such as a time after the day, is no date here.
        let plain = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let date = plain.then(|| text.parse().ok()).flatten();
        date.map(Self).ok_or_else(|| format!("`{}` is not a date; write it like 2029-12-31", clip(text)))
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Toml(toml::value::Datetime),
        }
        let text = match Written::deserialize(deserializer)? {
            Written::Text(text) => text,
            Written::Toml(date) => date.to_string(),
        };
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A time of day, from one minute until another, which may be on the next day: `22:00-06:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    from_minute: u16,
    until_minute: u16,
}

impl Window {
    /// Tells whether a time lies in it.
    pub fn contains(&self, at: Timestamp) -> bool {
        let time = utc(at).time();
        let minute = u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs());
        match self.from_minute <= self.until_minute {
            true => (self.from_minute..self.until_minute).contains(&minute),
            false => minute >= self.from_minute || minute < self.until_minute,
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from_minute, until_minute } = self;
        let (from, until) = ((from_minute / 60, from_minute % 60), (until_minute / 60, until_minute % 60));
        write!(f, "{:02}:{:02}-{:02}:{:02}Z", from.0, from.1, until.0, until.1)
    }
}

impl FromStr for Window {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let minute = |text: &str| {
            let (hour, minute) = text.split_once(':')?;
            let two = |text: &str| (text.len() == 2).then(|| text.parse::<u16>().ok()).flatten();
            let (hour, minute) = (two(hour)?, two(minute)?);
            (hour < 24 && minute < 60).then_some(hour * 60 + minute)
        };
        let window =
            text.strip_suffix('Z').and_then(|text| text.split_once('-')).and_then(|(from, until)| {
                Some(Self { from_minute: minute(from)?, until_minute: minute(until)? })
            });
        window
            .filter(|window| window.from_minute != window.until_minute && window.to_string() == text)
            .ok_or_else(|| format!("`{}` is not a time of day; write it like 22:00-06:00Z", clip(text)))
    }
}

/// A length of time, in ISO 8601: `P1Y`, `P30D`, `PT4H`.
#[derive(Clone, PartialEq, Eq)]
pub struct Length(String);

impl Length {
    fn span(&self) -> Span {
        self.0.parse().unwrap_or_default()
    }

    /// Returns when it ends that begins at a time.
    pub fn after(&self, at: Timestamp) -> Timestamp {
        later(at, self.span())
    }
}

impl PartialOrd for Length {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        // Counted from a fixed day: how long a month is must not depend on who asks.
        Some(self.after(Timestamp::UNIX_EPOCH).cmp(&other.after(Timestamp::UNIX_EPOCH)))
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let span = (text.starts_with('P') && text.len() <= 32).then(|| text.parse::<Span>().ok()).flatten();
        let at = Timestamp::UNIX_EPOCH;
        let usable = span.is_some_and(|span| {
            span.get_milliseconds() == 0
                && span.get_microseconds() == 0
                && span.get_nanoseconds() == 0
                && utc(at).checked_add(span).is_ok_and(|later| later.timestamp() > at)
                && span.total((Unit::Second, civil::Date::ZERO)).is_ok()
        });
        match usable {
            true => Ok(Self(text.to_owned())),
            false => Err(format!("`{}` is not a length of time; write it like P1Y or PT4H", clip(text))),
        }
    }
}

fn clip(text: &str) -> String {
    text.chars().take(crate::limits::QUOTED_CHARS_MAX).collect()
}

macro_rules! written_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

written_as_text!(Window, Length);

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    #[test]
    fn periods_have_names_and_ends() {
        let time = at("2024-01-31T23:59:59Z");
        let names = [Period::Day, Period::Month, Period::Year].map(|period| period.name(time));
        assert_eq!(names, ["2024-01-31", "2024-01", "2024"]);
        assert_eq!(Period::Month.after(time), at("2024-02-29T23:59:59Z"));
        assert_eq!(Period::Year.after(Timestamp::MAX), Timestamp::MAX);
    }

    #[test]
    fn windows_may_pass_midnight() {
        let night: Window = "22:00-06:00Z".parse().expect("a window");
        let day: Window = "06:00-22:00Z".parse().expect("a window");
        for (time, is_night) in
            [("22:00:00", true), ("05:59:59", true), ("06:00:00", false), ("21:59:59", false)]
        {
            let time = at(&format!("2026-11-22T{time}Z"));
            assert_eq!((night.contains(time), day.contains(time)), (is_night, !is_night), "{time}");
        }
        for bad in
            ["", "22:00-06:00", "22-06Z", "24:00-06:00Z", "2:00-06:00Z", "22:00-22:00Z", "22:60-23:00Z"]
        {
            assert!(bad.parse::<Window>().is_err(), "{bad}");
        }
    }

    #[test]
    fn lengths_and_dates_have_one_spelling() {
        for good in ["P1Y", "P4Y", "P3D", "PT4H", "P1M", "P2W"] {
            assert_eq!(good.parse::<Length>().expect("a length").to_string(), good);
        }
        for bad in ["", "P", "1Y", "-P1Y", "P-1Y", "P0D", "PT0.5S", "P99999Y", "p1y", "P1Y "] {
            assert!(bad.parse::<Length>().is_err(), "{bad}");
        }
        assert!("P1Y".parse::<Length>().expect("one") > "P11M".parse().expect("another"));
        for bad in ["", "2029-12-32", "2029-1-1", "2029-12-31T00:00:00Z", "31.12.2029"] {
            assert!(bad.parse::<Date>().is_err(), "{bad}");
        }
        assert_eq!("2029-12-31".parse::<Date>().expect("a date").to_string(), "2029-12-31");
    }
}
