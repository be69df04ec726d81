//! The oracle's process: `oracle JOURNAL` prints the address it listens on, keeps every line it
//! is told and answers `ok` once the line is on disk. It ends when its standard input does, so it
//! never outlives a test.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use e2e::oracle::{Entry, KEPT};

/// Longest line: 500 hashes and their envelope fit many times over.
const LINE_MAX: u64 = 1024 * 1024;

fn main() -> Result<()> {
    let path = std::env::args_os()
        .nth(1)
        .context("usage: oracle JOURNAL")?;
    let journal = OpenOptions::new()
        .create_new(true)
        .append(true)
        .open(path)?;
    let journal = Arc::new(Mutex::new(journal));
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    say(&listener.local_addr()?.to_string())?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let journal = Arc::clone(&journal);
            std::thread::spawn(move || serve(&stream, &journal));
        }
    });
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

fn say(address: &str) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{address}")?;
    out.flush()?;
    Ok(())
}

fn serve(stream: &TcpStream, journal: &Mutex<File>) -> Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut replies = stream.try_clone()?;
    loop {
        let mut line = String::new();
        if lines.by_ref().take(LINE_MAX).read_line(&mut line)? == 0 {
            return Ok(());
        }
        serde_json::from_str::<Entry>(&line).context("not an entry")?;
        {
            let mut file = journal.lock().unwrap_or_else(PoisonError::into_inner);
            file.write_all(line.as_bytes())?;
            file.sync_data()?;
        }
        writeln!(replies, "{KEPT}")?;
    }
}
