//! Log lines on standard error: one event, one line, whatever bytes got into it.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;

use super::screen::Screen;
use crate::args::{LogFormat, LogLevel};

/// The subscriber for a format and a level. Libraries are heard from `warn` on only: their finer
/// levels print headers and bodies, which may hold secrets and records (I-9).
pub fn subscriber(
    format: LogFormat,
    level: LogLevel,
    screen: Screen,
) -> impl tracing::Subscriber + Send + Sync {
    let level = filter(level);
    let targets = Targets::new()
        .with_target("agent", level)
        .with_default(level.min(LevelFilter::WARN));
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(Lines(screen));
    let layer = match format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    Registry::default().with(layer.with_filter(targets))
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}

/// Writes each event, which comes in one piece, as one line.
#[derive(Debug)]
struct Lines(Screen);

struct Line(Screen);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(self.0.clone())
    }
}

impl Write for Line {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        self.0.log(&(escape(line).into_owned() + "\n"))?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Control characters as `\u00xx`, so that nobody's input forges a line or steers a terminal.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if c.is_control() {
            let _infallible = write!(escaped, "\\u{:04x}", u32::from(c));
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::screen::tests::Paper;

    fn logged(format: LogFormat, level: LogLevel, event: impl FnOnce()) -> String {
        let (out, err) = (Paper::default(), Paper::default());
        let screen = Screen::new(out.clone(), err.clone());
        tracing::subscriber::with_default(subscriber(format, level, screen), event);
        assert_eq!(out.text(), "");
        err.text()
    }

    const HOSTILE: &str = "a\nERROR forged\r\x1b[2K\u{7}\u{9b}31m\u{7f}";

    #[test]
    fn a_hostile_value_stays_in_its_line_and_steers_nothing() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = logged(format, LogLevel::Info, || {
                tracing::info!(name = HOSTILE, path = %HOSTILE, "{HOSTILE}");
            });
            let line = text.strip_suffix('\n').unwrap();
            assert!(!line.contains(char::is_control), "{line}");
            if format == LogFormat::Json {
                let json: serde_json::Value = serde_json::from_str(line).unwrap();
                assert_eq!(json["name"], HOSTILE);
                assert_eq!(json["message"], HOSTILE);
                assert_eq!(json["level"], "INFO");
            }
        }
    }

    #[test]
    fn libraries_are_heard_from_warn_on() {
        let text = logged(LogFormat::Text, LogLevel::Debug, || {
            tracing::debug!(target: "hyper::proto", "a header");
            tracing::warn!(target: "hyper::proto", "a warning");
            tracing::debug!("ours");
        });
        assert!(!text.contains("a header"));
        assert!(text.contains("a warning") && text.contains("ours"));
        let text = logged(LogFormat::Text, LogLevel::Error, || {
            tracing::warn!(target: "hyper::proto", "a warning");
            tracing::warn!("ours");
        });
        assert_eq!(text, "");
    }
}
