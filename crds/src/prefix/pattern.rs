//! Patterns of Java's `DateTimeFormatter`, for printing, with English texts and ISO weeks (Monday
//! first, week 1 holds 4 January).
//!
//! Every letter that Java knows and that a key can use is here; any other letter is an error with
//! its position, never copied. Optional sections print always: an arrival has every field.

use jiff::Zoned;
use jiff::tz::Offset;

/// Digits of the widest number that Java pads to.
const WIDEST: usize = 19;
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const QUARTERS: [&str; 4] = ["1st quarter", "2nd quarter", "3rd quarter", "4th quarter"];

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Item>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Literal(String),
    /// A letter that stands `count` times, padded with spaces to `pad` characters.
    Field {
        letter: char,
        count: usize,
        pad: usize,
    },
}

/// Why a text is no pattern. Positions count characters from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("the time pattern is empty")]
    Empty,
    #[error(
        "{letter:?} is no letter of a time pattern; text stands between quotes, as in 'year='yyyy"
    )]
    Letter { at: usize, letter: char },
    #[error("{letter:?} can't stand {count} times in a row in a time pattern")]
    Count {
        at: usize,
        letter: char,
        count: usize,
    },
    #[error("the quote that opens here isn't closed; a quote itself is written ''")]
    Quote { at: usize },
    #[error("{letter:?} is reserved in a time pattern; put it between quotes")]
    Reserved { at: usize, letter: char },
    #[error("the ] has no [ before it")]
    Section { at: usize },
    #[error("the pad letter p needs a letter after it")]
    Pad { at: usize },
}

impl PatternError {
    /// Where it is, in characters from 0.
    pub fn at(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Letter { at, .. }
            | Self::Count { at, .. }
            | Self::Quote { at }
            | Self::Reserved { at, .. }
            | Self::Section { at }
            | Self::Pad { at } => *at,
        }
    }
}

impl Pattern {
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        let mut items = Vec::new();
        let mut letters = text.chars().enumerate().peekable();
        let mut sections = 0_usize;
        let mut pad = None;
        while let Some((at, letter)) = letters.next() {
            if let Some(at) = pad.filter(|_| !letter.is_ascii_alphabetic()) {
                let (at, _): (usize, usize) = at;
                return Err(PatternError::Pad { at });
            }
            match letter {
                'a'..='z' | 'A'..='Z' => {
                    let mut count = 1;
                    while letters.next_if(|(_, next)| *next == letter).is_some() {
                        count += 1;
                    }
                    if letter == 'p' && pad.is_none() {
                        pad = Some((at, count));
                        continue;
                    }
                    allowed(letter, count, at)?;
                    let pad = pad.take().map_or(0, |(_, width)| width);
                    items.push(Item::Field { letter, count, pad });
                }
                '\'' => items.push(Item::Literal(quoted(&mut letters, at)?)),
                '[' => sections += 1,
                ']' => {
                    sections = sections
                        .checked_sub(1)
                        .ok_or(PatternError::Section { at })?;
                }
                '{' | '}' | '#' => return Err(PatternError::Reserved { at, letter }),
                _ => items.push(Item::Literal(letter.to_string())),
            }
        }
        if let Some((at, _)) = pad {
            return Err(PatternError::Pad { at });
        }
        Ok(Self(items))
    }

    /// Whether a field of this letter stands in it.
    pub(super) fn has(&self, wanted: char) -> bool {
        self.0
            .iter()
            .any(|item| matches!(item, Item::Field { letter, .. } if *letter == wanted))
    }

    /// The time in this pattern.
    pub fn format(&self, time: &Zoned) -> String {
        let mut text = String::new();
        for item in &self.0 {
            match item {
                Item::Literal(literal) => text.push_str(literal),
                Item::Field { letter, count, pad } => {
                    let value = field(*letter, *count, time);
                    let width = value.chars().count();
                    text.extend(std::iter::repeat_n(' ', pad.saturating_sub(width)));
                    text.push_str(&value);
                }
            }
        }
        text
    }
}

/// What follows an opening quote at `at`, up to and with the closing one. `''` is a quote.
fn quoted(
    letters: &mut std::iter::Peekable<impl Iterator<Item = (usize, char)>>,
    at: usize,
) -> Result<String, PatternError> {
    let mut text = String::new();
    while let Some((_, letter)) = letters.next() {
        if letter != '\'' {
            text.push(letter);
        } else if letters.next_if(|(_, next)| *next == '\'').is_some() {
            text.push('\'');
        } else if text.is_empty() {
            return Ok("'".to_owned());
        } else {
            return Ok(text);
        }
    }
    Err(PatternError::Quote { at })
}

fn allowed(letter: char, count: usize, at: usize) -> Result<(), PatternError> {
    let most = match letter {
        'y' | 'u' | 'Y' | 'A' | 'n' | 'N' => WIDEST,
        'M' | 'L' | 'Q' | 'q' | 'E' | 'e' | 'c' | 'G' | 'X' | 'x' | 'Z' => 5,
        'd' | 'w' | 'H' | 'k' | 'K' | 'h' | 'm' | 's' | 'V' => 2,
        'D' | 'z' => 3,
        'W' | 'F' | 'a' => 1,
        'S' => 9,
        'O' => 4,
        _ => return Err(PatternError::Letter { at, letter }),
    };
    let hole = match letter {
        'V' => count == 1,
        'O' => count == 2 || count == 3,
        'c' => count == 2,
        _ => false,
    };
    if count > most || hole {
        return Err(PatternError::Count { at, letter, count });
    }
    Ok(())
}

fn field(letter: char, count: usize, time: &Zoned) -> String {
    let hour = i64::from(time.hour());
    let nano = i64::from(time.subsec_nanosecond());
    let second_of_day = hour * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    let number = match letter {
        'y' => return year(era_year(time), count),
        'u' => return year(i64::from(time.year()), count),
        'Y' => return year(i64::from(time.date().iso_week_date().year()), count),
        'M' | 'L' => return named(i64::from(time.month()), count, &MONTHS),
        'Q' | 'q' => return quarter(i64::from(time.month() - 1) / 3 + 1, count),
        'E' => return named(weekday(time), count.max(3), &WEEKDAYS),
        'e' | 'c' => return named(weekday(time), count, &WEEKDAYS),
        'G' => return era(time, count),
        'a' => return if hour < 12 { "AM" } else { "PM" }.to_owned(),
        'S' => return format!("{nano:09}").chars().take(count).collect(),
        'V' => return zone_id(time),
        'z' => {
            let zone = time.time_zone();
            let info = zone.to_offset_info(time.timestamp());
            return info.abbreviation().to_owned();
        }
        'O' | 'X' | 'x' | 'Z' => return offset(letter, count, time.offset()),
        'd' => i64::from(time.day()),
        'D' => i64::from(time.day_of_year()),
        'w' => i64::from(time.date().iso_week_date().week()),
        'W' => week_of_month(time),
        'F' => (i64::from(time.day()) - 1) / 7 + 1,
        'H' => hour,
        'k' => (hour + 23) % 24 + 1,
        'K' => hour % 12,
        'h' => (hour + 11) % 12 + 1,
        'm' => i64::from(time.minute()),
        's' => i64::from(time.second()),
        'A' => second_of_day * 1_000 + nano / 1_000_000,
        'n' => nano,
        // `N`: `allowed` lets no other letter in
        _ => second_of_day * 1_000_000_000 + nano,
    };
    format!("{number:0count$}")
}

/// Two letters are the last two digits, any other count the least width.
fn year(year: i64, count: usize) -> String {
    if count == 2 {
        return format!("{:02}", year.rem_euclid(100));
    }
    format!("{year:0count$}")
}

/// Year 0 is 1 BC.
fn era_year(time: &Zoned) -> i64 {
    let year = i64::from(time.year());
    if year > 0 { year } else { 1 - year }
}

fn era(time: &Zoned, count: usize) -> String {
    let names = if time.year() > 0 {
        ["AD", "Anno Domini", "A"]
    } else {
        ["BC", "Before Christ", "B"]
    };
    let [short, full, narrow] = names;
    match count {
        4 => full,
        5 => narrow,
        _ => short,
    }
    .to_owned()
}

/// `names` has the names of 1, 2, …: 1 and 2 letters are the number, 3 the name's first three
/// letters, 4 the name, 5 its first letter.
fn named(number: i64, count: usize, names: &[&str]) -> String {
    if count < 3 {
        return format!("{number:0count$}");
    }
    let index = usize::try_from(number - 1).unwrap_or_default();
    let name = names.get(index).copied().unwrap_or_default();
    let letters = match count {
        3 => 3,
        5 => 1,
        _ => return name.to_owned(),
    };
    name.chars().take(letters).collect()
}

fn quarter(number: i64, count: usize) -> String {
    match count {
        3 => format!("Q{number}"),
        5 => number.to_string(),
        _ => named(number, count, &QUARTERS),
    }
}

fn weekday(time: &Zoned) -> i64 {
    i64::from(time.weekday().to_monday_one_offset())
}

/// Weeks begin on Monday; week 1 is the first with 4 days in the month, days before it are week 0.
fn week_of_month(time: &Zoned) -> i64 {
    let day = i64::from(time.day());
    // 0 is Monday
    let first = (weekday(time) - 1 - (day - 1)).rem_euclid(7);
    let week = (day - 1 + first) / 7;
    if first <= 3 { week + 1 } else { week }
}

fn zone_id(time: &Zoned) -> String {
    let name = time.time_zone().iana_name();
    name.unwrap_or("UTC").to_owned()
}

fn offset(letter: char, count: usize, offset: Offset) -> String {
    let seconds = i64::from(offset.seconds());
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let zero = hours == 0 && minutes == 0 && seconds == 0;
    match (letter, count) {
        ('O', 1) | ('O' | 'Z', 4) if zero => "GMT".to_owned(),
        ('O', 1) if minutes == 0 && seconds == 0 => format!("GMT{sign}{hours}"),
        ('O', 1) if seconds == 0 => format!("GMT{sign}{hours}:{minutes:02}"),
        ('O', 1) => format!("GMT{sign}{hours}:{minutes:02}:{seconds:02}"),
        ('O' | 'Z', 4) if seconds == 0 => format!("GMT{sign}{hours:02}:{minutes:02}"),
        ('O' | 'Z', 4) => format!("GMT{sign}{hours:02}:{minutes:02}:{seconds:02}"),
        ('X', _) | ('Z', 5) if zero => "Z".to_owned(),
        ('X' | 'x', 1) if minutes == 0 => format!("{sign}{hours:02}"),
        ('X' | 'x' | 'Z', 5) if seconds != 0 => {
            format!("{sign}{hours:02}:{minutes:02}:{seconds:02}")
        }
        ('X' | 'x', 3 | 5) | ('Z', 5) => format!("{sign}{hours:02}:{minutes:02}"),
        ('X' | 'x', 4) if seconds != 0 => format!("{sign}{hours:02}{minutes:02}{seconds:02}"),
        _ => format!("{sign}{hours:02}{minutes:02}"),
    }
}
