//! A panic is a bug: it is logged and the process ends with 1, whichever thread it hit. The next
//! start recovers from the wal; going on with half a state would not be that safe.

use std::panic::PanicHookInfo;

use super::ending::Ending;
use super::logging::escape;

/// Replaces the panic hook of the process.
pub fn install() {
    std::panic::set_hook(Box::new(|info| {
        tracing::error!(
            place = place(info),
            "a bug ended the process: {}",
            message(info)
        );
        exit(Ending::Bug);
    }));
}

#[expect(
    clippy::exit,
    reason = "a panic may be on any thread, and none of them may go on"
)]
fn exit(ending: Ending) -> ! {
    std::process::exit(i32::from(ending.code()))
}

fn place(info: &PanicHookInfo<'_>) -> String {
    info.location()
        .map_or_else(String::new, ToString::to_string)
}

/// The panic's text in one line of bounded length.
fn message(info: &PanicHookInfo<'_>) -> String {
    let text = info.payload_as_str().unwrap_or("no message");
    escape(text).chars().take(500).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::app::logging;
    use crate::app::screen::Screen;
    use crate::args::{LogFormat, LogLevel};

    const CHILD: &str = "STANDPIPE_TEST_PANICS";
    const NAME: &str =
        "app::panic::tests::a_panic_on_any_thread_is_logged_in_one_line_and_ends_with_1";

    /// Runs itself once more, as a process that panics.
    #[test]
    fn a_panic_on_any_thread_is_logged_in_one_line_and_ends_with_1() {
        if std::env::var_os(CHILD).is_some() {
            let screen = Screen::standard();
            let log = logging::subscriber(LogFormat::Json, LogLevel::Error, screen);
            tracing::subscriber::set_global_default(log).unwrap();
            install();
            let panicking = std::thread::spawn(|| panic!("a test's\n\u{1b}[2Kpanic"));
            panicking.join().unwrap_err();
            return;
        }
        let ended = Command::new(std::env::current_exe().unwrap())
            .args([NAME, "--exact", "--nocapture"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let log = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(1), "{log}");
        let line = log
            .lines()
            .find(|line| line.contains("a bug ended the process"))
            .unwrap();
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(
            event["message"],
            "a bug ended the process: a test's\\u000a\\u001b[2Kpanic"
        );
        assert!(
            event["place"].as_str().unwrap().contains("panic.rs:"),
            "{line}"
        );
    }
}
