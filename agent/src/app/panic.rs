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
