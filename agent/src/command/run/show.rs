//! What standard output shows while the process runs.

use tokio::time::Instant;

use super::banner::{Banner, banner};
use super::status::{Plain, line};
use crate::app::screen::Screen;
use crate::app::view::{Serving, View};
use crate::args::StatusMode;
use crate::report::observed::Observed;
use crate::report::sampler::PerSecond;
use crate::report::{Phase, state_word};

/// How it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Live,
    Plain,
    None,
}

impl Mode {
    pub(super) fn new(flag: StatusMode, terminal: bool) -> Self {
        match flag {
            StatusMode::Auto if terminal => Self::Live,
            StatusMode::Auto | StatusMode::Plain => Self::Plain,
            StatusMode::Live => Self::Live,
            StatusMode::None => Self::None,
        }
    }
}

/// Shows the banner once and the status again and again. Output that can't be written is left out:
/// a reader that went away stops nothing.
#[derive(Debug)]
pub(super) struct Show {
    screen: Screen,
    mode: Mode,
    plain: Plain,
}

impl Show {
    pub(super) fn new(screen: Screen, mode: Mode) -> Self {
        Self {
            screen,
            mode,
            plain: Plain::default(),
        }
    }
}

impl View for Show {
    fn started(&mut self, serving: &Serving) {
        if self.mode == Mode::None {
            return;
        }
        let text = banner(&Banner {
            stream_name: &serving.stream_name,
            intake: serving.intake,
            admin: serving.admin,
            bearer: serving.bearer,
            delivers_to: &serving.delivers_to,
            wal_directory: &serving.wal_directory.display().to_string(),
        });
        let _gone = self.screen.print(&(text + "\n"));
    }

    fn show(&mut self, phase: Phase, seen: &Observed, rate: &PerSecond) {
        let state = state_word(phase, seen);
        let line = || line(state, seen, rate);
        let _gone = match self.mode {
            Mode::Live => self.screen.status(&line()),
            Mode::Plain if self.plain.due(Instant::now(), state, seen) => {
                self.screen.print(&(line() + "\n"))
            }
            Mode::Plain | Mode::None => Ok(()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::screen::tests::Paper;
    use crate::report::observed::tests::example;

    #[test]
    fn the_flag_wins_over_the_terminal() {
        assert_eq!(Mode::new(StatusMode::Auto, true), Mode::Live);
        assert_eq!(Mode::new(StatusMode::Auto, false), Mode::Plain);
        for terminal in [true, false] {
            assert_eq!(Mode::new(StatusMode::Live, terminal), Mode::Live);
            assert_eq!(Mode::new(StatusMode::Plain, terminal), Mode::Plain);
            assert_eq!(Mode::new(StatusMode::None, terminal), Mode::None);
        }
    }

    fn shown(mode: Mode) -> String {
        let (out, err) = (Paper::default(), Paper::default());
        let mut show = Show::new(Screen::new(out.clone(), err.clone()), mode);
        for _second in 0..2 {
            show.show(Phase::Running, &example(), &PerSecond::default());
        }
        assert_eq!(err.text(), "");
        out.text()
    }

    #[test]
    fn each_mode_writes_what_it_promises() {
        assert_eq!(shown(Mode::None), "");
        let plain = shown(Mode::Plain);
        assert_eq!(plain.lines().count(), 1, "{plain}");
        assert!(
            plain.starts_with("running | ") && plain.ends_with('\n'),
            "{plain}"
        );
        let live = shown(Mode::Live);
        assert_eq!(live.matches("running | ").count(), 2, "redrawn: {live}");
        assert!(!live.contains('\n'), "{live}");
    }
}
