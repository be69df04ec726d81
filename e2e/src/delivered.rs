//! What a reader finds in the destination directory. Files are unpacked by the system's `gzip`,
//! not by our code and not by the library our code uses.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::record::{Tag, hash};

/// A delivered line: whose it is and the hash of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub tag: Tag,
    pub hash: String,
}

/// A delivered file with its lines in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub path: PathBuf,
    pub lines: Vec<Line>,
}

/// The visible files below `directory`, sorted by path; names that start with a dot are the
/// agent's own workroom and no reader looks there.
///
/// # Errors
/// The file system's, but a directory that isn't there holds nothing.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut rooms = vec![directory.to_owned()];
    while let Some(room) = rooms.pop() {
        let entries = match std::fs::read_dir(&room) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("list {}", room.display())),
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            let list = if entry.file_type()?.is_dir() {
                &mut rooms
            } else {
                &mut found
            };
            list.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// The raw lines of a delivered file, unpacked where its name ends in `.gz`.
///
/// # Errors
/// Damage that `gzip` sees, a last line without a newline, the file system's errors.
pub fn raw_lines(path: &Path) -> Result<Vec<Vec<u8>>> {
    let mut lines = Vec::new();
    each_line(path, |line| {
        lines.push(line.to_vec());
        Ok(())
    })?;
    Ok(lines)
}

/// Everything below `directory`, each line read as a record of this kit.
///
/// # Errors
/// As [`raw_lines`], and a line that no producer of this kit made.
pub fn read(directory: &Path) -> Result<Vec<Object>> {
    files(directory)?.into_iter().map(read_object).collect()
}

fn read_object(path: PathBuf) -> Result<Object> {
    let mut lines = Vec::new();
    each_line(&path, |line| {
        let tag = Tag::of(line).with_context(|| format!("in {}", path.display()))?;
        lines.push(Line {
            tag,
            hash: hash(line),
        });
        Ok(())
    })?;
    Ok(Object { path, lines })
}

fn each_line(path: &Path, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
    if path.extension().is_none_or(|extension| extension != "gz") {
        return split(file, path, &mut take);
    }
    let mut gzip = Command::new("gzip")
        .arg("-dc")
        .stdin(file)
        .stdout(Stdio::piped())
        .spawn()
        .context("start gzip")?;
    let unpacked = gzip.stdout.take().context("no output of gzip")?;
    let result = split(unpacked, path, &mut take);
    let status = gzip.wait()?;
    result?;
    ensure!(
        status.success(),
        "gzip refuses {}: {status}",
        path.display()
    );
    Ok(())
}

fn split(input: impl Read, path: &Path, take: &mut impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut input = BufReader::with_capacity(256 * 1024, input);
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        ensure!(
            line.pop() == Some(b'\n'),
            "{} ends without a newline",
            path.display()
        );
        take(&line)?;
    }
}
