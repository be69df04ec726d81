//! Why the process ended, and the exit code that says so.

use std::process::ExitCode;

/// Every way to end. The numbers are an interface: scripts and pod statuses show them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything accepted was delivered, or the command did what it says.
    Done,
    /// A bug of ours.
    Bug,
    /// Wrong usage, an invalid manifest, or an address that can't be listened on.
    Usage,
    /// The wal can't be opened.
    WalNotOpened,
    /// The wal failed while running.
    WalFailed,
    /// Records are left in the wal; nothing is lost, the next start goes on.
    RecordsLeft,
}

impl Ending {
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Bug => 1,
            Self::Usage => 2,
            Self::WalNotOpened => 3,
            Self::WalFailed => 4,
            Self::RecordsLeft => 5,
        }
    }

    /// After a drain, or a cut one: what counts is what is left.
    pub fn after_drain(records_left: u64) -> Self {
        if records_left == 0 {
            Self::Done
        } else {
            Self::RecordsLeft
        }
    }
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(ending.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_codes_are_those_of_the_help_text() {
        let endings = [
            Ending::Done,
            Ending::Bug,
            Ending::Usage,
            Ending::WalNotOpened,
            Ending::WalFailed,
            Ending::RecordsLeft,
        ];
        let codes: Vec<u8> = endings.into_iter().map(Ending::code).collect();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5]);
        assert_eq!(Ending::after_drain(0), Ending::Done);
        assert_eq!(Ending::after_drain(1), Ending::RecordsLeft);
    }
}
