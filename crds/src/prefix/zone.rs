//! Time zones of the database that is built in, so that the same manifest gives the same keys
//! wherever it runs.

use std::fmt;

use jiff::tz::TimeZoneDatabase;
use jiff::{Timestamp, Zoned};

/// A time zone of the IANA database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone {
    name: String,
    zone: jiff::tz::TimeZone,
}

/// A name that is in no list of time zones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the IANA database has no time zone of this name; write one such as UTC or Asia/Tokyo")]
pub struct TimeZoneError;

/// A time outside the years -9999 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} ms since 1970 is outside the years that have a date")]
pub struct TimeError(pub i64);

impl TimeZone {
    pub fn utc() -> Self {
        Self {
            name: "UTC".to_owned(),
            zone: jiff::tz::TimeZone::UTC,
        }
    }

    /// Reads a name; case doesn't matter, [`TimeZone::name`] has the database's.
    pub fn parse(name: &str) -> Result<Self, TimeZoneError> {
        if name.eq_ignore_ascii_case("UTC") {
            return Ok(Self::utc());
        }
        let zone = TimeZoneDatabase::bundled()
            .get(name)
            .map_err(|_| TimeZoneError)?;
        let name = zone.iana_name().ok_or(TimeZoneError)?.to_owned();
        Ok(Self { name, zone })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn at(&self, unix_millis: i64) -> Result<Zoned, TimeError> {
        let time = Timestamp::from_millisecond(unix_millis).map_err(|_| TimeError(unix_millis))?;
        Ok(time.to_zoned(self.zone.clone()))
    }

    /// The time in an object's name: `yyyy-MM-dd-HH-mm-ss`.
    pub fn object_time(&self, unix_millis: i64) -> Result<String, TimeError> {
        let time = self.at(unix_millis)?;
        Ok(format!(
            "{:04}-{:02}-{:02}-{:02}-{:02}-{:02}",
            time.year(),
            time.month(),
            time.day(),
            time.hour(),
            time.minute(),
            time.second()
        ))
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
