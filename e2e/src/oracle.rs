//! What was sent and what was answered, kept by a process of its own that no test ever faults.
//!
//! A producer tells the oracle of a batch before it sends it and of the answer after it has it;
//! each telling is on disk (`fdatasync`) before the oracle says `ok`. So whatever dies, the journal
//! knows a record before the agent can, and never claims an acknowledgement that didn't come.
//!
//! On the wire and in the journal: one JSON object a line, see [`Entry`].

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};

/// What the oracle answers once an entry is on disk.
pub const KEPT: &str = "ok";

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Entry {
    /// About to be sent: the records `first..` of a lane, by their hashes.
    Sent {
        lane: String,
        first: u64,
        hashes: Vec<String>,
    },
    /// The reply to the batch that begins at `first`.
    Answered {
        lane: String,
        first: u64,
        outcome: Outcome,
    },
}

/// How a batch ended for its producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Success: each record is delivered once.
    Acked,
    /// A definite refusal: none of the records appears.
    Refused,
    /// No reply: each record appears once or not at all.
    Ambiguous,
}

/// The running oracle process; it ends with this value.
#[derive(Debug)]
pub struct Oracle {
    process: Child,
    _stdin: ChildStdin,
    address: SocketAddr,
    journal: PathBuf,
}

impl Oracle {
    /// Starts the process (`program` is the built `oracle`) with an empty journal.
    ///
    /// # Errors
    /// The program can't be started or doesn't say where it listens.
    pub fn start(program: &Path, journal: PathBuf) -> Result<Self> {
        let mut process = Command::new(program)
            .arg(&journal)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let stdin = process.stdin.take().context("no stdin")?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("no stdout")?).read_line(&mut line)?;
        let address = line
            .trim()
            .parse()
            .with_context(|| format!("oracle said {line:?}"))?;
        Ok(Self {
            process,
            _stdin: stdin,
            address,
            journal,
        })
    }

    /// A connection for one producer.
    ///
    /// # Errors
    /// The oracle is gone.
    pub fn line(&self) -> Result<Line> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        Ok(Line {
            replies: BufReader::new(stream.try_clone()?),
            stream,
        })
    }

    /// What is in the journal now.
    ///
    /// # Errors
    /// As [`Journal::read`].
    pub fn journal(&self) -> Result<Journal> {
        Journal::read(&self.journal)
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        if let Err(error) = self
            .process
            .kill()
            .and_then(|()| self.process.wait().map(drop))
        {
            report(&format!("the oracle could not be ended: {error}"));
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "a test's own words go where cargo shows them"
)]
fn report(line: &str) {
    eprintln!("{line}");
}

/// One producer's connection to the oracle.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    replies: BufReader<TcpStream>,
}

impl Line {
    /// Has an entry kept; returns once it is on disk.
    ///
    /// # Errors
    /// The oracle is gone or didn't keep it.
    pub fn keep(&mut self, entry: &Entry) -> Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.stream.write_all(&line)?;
        let mut reply = String::new();
        self.replies.read_line(&mut reply)?;
        ensure!(reply.trim() == KEPT, "the oracle answered {reply:?}");
        Ok(())
    }
}

/// What the journal says of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub hash: String,
    pub outcome: Outcome,
}

/// Every record that was sent, by lane and number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Journal {
    pub records: BTreeMap<(String, u64), Sent>,
}

impl Journal {
    /// Reads a journal file.
    ///
    /// # Errors
    /// The file can't be read or holds a line that isn't an [`Entry`].
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("open {}", path.display()))?;
        let mut entries = Vec::new();
        for line in BufReader::new(file).lines() {
            entries.push(serde_json::from_str(&line?)?);
        }
        Self::from_entries(entries)
    }

    /// Puts answers to what was sent; a batch without an answer is ambiguous.
    ///
    /// # Errors
    /// A record sent twice, or an answer to what wasn't sent: a fault of the test itself.
    pub fn from_entries(entries: Vec<Entry>) -> Result<Self> {
        let mut records = BTreeMap::new();
        let mut lengths = BTreeMap::new();
        for entry in entries {
            match entry {
                Entry::Sent {
                    lane,
                    first,
                    hashes,
                } => {
                    lengths.insert((lane.clone(), first), hashes.len() as u64);
                    for (number, hash) in (first..).zip(hashes) {
                        let sent = Sent {
                            hash,
                            outcome: Outcome::Ambiguous,
                        };
                        if records.insert((lane.clone(), number), sent).is_some() {
                            bail!("record {number} of lane {lane} was sent twice by the test");
                        }
                    }
                }
                Entry::Answered {
                    lane,
                    first,
                    outcome,
                } => {
                    let length = lengths
                        .get(&(lane.clone(), first))
                        .with_context(|| format!("an answer to {lane}/{first}, never sent"))?;
                    for number in first..first + length {
                        if let Some(sent) = records.get_mut(&(lane.clone(), number)) {
                            sent.outcome = outcome;
                        }
                    }
                }
            }
        }
        Ok(Self { records })
    }

    /// How many records ended with `outcome`.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.records
            .values()
            .filter(|sent| sent.outcome == outcome)
            .count()
    }
}
