//! Standard output and standard error as one picture: a status line that is redrawn at the bottom,
//! everything else above it. Without a status line both are plain.

use std::io::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;

/// Erases the line that the cursor is in.
const ERASE: &str = "\r\x1b[2K";
/// Keeps a line that is longer than the terminal in one row, and back.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

/// Where the process writes to. Cheap to clone.
#[derive(Clone)]
pub struct Screen(Arc<Mutex<Inner>>);

struct Inner {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    /// The status line that is shown.
    line: Option<String>,
}

impl std::fmt::Debug for Screen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Screen")
    }
}

impl Screen {
    pub fn new(out: impl Write + Send + 'static, err: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            out: Box::new(out),
            err: Box::new(err),
            line: None,
        })))
    }

    /// The process's own.
    pub fn standard() -> Self {
        Self::new(io::stdout(), io::stderr())
    }

    /// Shows `line` as the status line, in place of the one before.
    pub fn status(&self, line: &str) -> io::Result<()> {
        let mut inner = self.0.lock();
        inner.line = Some(line.to_owned());
        inner.draw()
    }

    /// Ends the status line: it stays, and what follows goes below it.
    pub fn end_status(&self) -> io::Result<()> {
        let mut inner = self.0.lock();
        if inner.line.take().is_some() {
            inner.out.write_all(b"\n")?;
        }
        inner.out.flush()
    }

    /// Writes lines to standard output; `text` ends with a newline.
    pub fn print(&self, text: &str) -> io::Result<()> {
        let mut inner = self.0.lock();
        inner.erase()?;
        inner.out.write_all(text.as_bytes())?;
        inner.draw()
    }

    /// Writes lines to standard error.
    pub fn log(&self, text: &str) -> io::Result<()> {
        let mut inner = self.0.lock();
        inner.erase()?;
        inner.err.write_all(text.as_bytes())?;
        inner.err.flush()?;
        inner.draw()
    }
}

impl Inner {
    fn erase(&mut self) -> io::Result<()> {
        if self.line.is_some() {
            self.out.write_all(ERASE.as_bytes())?;
            self.out.flush()?;
        }
        Ok(())
    }

    fn draw(&mut self) -> io::Result<()> {
        if let Some(line) = &self.line {
            write!(self.out, "{ERASE}{NO_WRAP}{line}{WRAP}")?;
        }
        self.out.flush()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Bytes that were written, shared with the test.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().clone()).unwrap()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn without_a_status_line_nothing_is_added() {
        let (out, err) = (Paper::default(), Paper::default());
        let screen = Screen::new(out.clone(), err.clone());
        screen.print("one\n").unwrap();
        screen.log("two\n").unwrap();
        screen.end_status().unwrap();
        assert_eq!((out.text(), err.text()), ("one\n".into(), "two\n".into()));
    }

    #[test]
    fn a_log_line_goes_above_the_status_line() {
        let both = Paper::default();
        let screen = Screen::new(both.clone(), both.clone());
        screen.status("s1").unwrap();
        screen.log("log\n").unwrap();
        screen.end_status().unwrap();
        screen.log("end\n").unwrap();
        let drawn = format!("{ERASE}{NO_WRAP}s1{WRAP}");
        assert_eq!(both.text(), format!("{drawn}{ERASE}log\n{drawn}\nend\n"));
    }
}
