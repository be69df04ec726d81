//! A place to run agents in: directories on a real disk, loopback addresses of their own, and
//! what remains to look at when a test fails.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, anyhow, ensure};
use tempfile::TempDir;

use crate::agent::{Agent, Launch};
use crate::manifest::Manifest;

/// Lines of each log that a failed test shows.
const TAIL: usize = 40;

/// The directories of one test.
#[derive(Debug)]
pub struct Rig {
    root: PathBuf,
}

/// Runs a test in a fresh rig below `area`. Its directory is removed after a pass; after a failure
/// it stays, and the ends of the agents' logs are printed.
///
/// # Errors
/// The test's.
pub fn scenario(area: &Path, name: &str, run: impl FnOnce(&Rig) -> Result<()>) -> Result<()> {
    std::fs::create_dir_all(area)?;
    let dir = tempfile::Builder::new()
        .prefix(&format!("{name}-"))
        .tempdir_in(area)?;
    let rig = Rig {
        root: dir.path().canonicalize()?,
    };
    match catch_unwind(AssertUnwindSafe(|| run(&rig))) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => {
            keep(dir);
            Err(error)
        }
        Err(panic) => {
            keep(dir);
            resume_unwind(panic)
        }
    }
}

#[expect(
    clippy::print_stderr,
    reason = "what a failed test leaves is for the person who reads it"
)]
fn keep(dir: TempDir) {
    let root = dir.keep();
    for place in std::fs::read_dir(&root).into_iter().flatten().flatten() {
        let log = place.path().join("agent.log");
        if let Ok(text) = std::fs::read_to_string(&log) {
            eprintln!("--- end of {}", log.display());
            let lines: Vec<&str> = text.lines().collect();
            for line in lines.iter().skip(lines.len().saturating_sub(TAIL)) {
                eprintln!("{line}");
            }
        }
    }
    eprintln!("--- kept: {}", root.display());
}

impl Rig {
    /// A path below the rig's root.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The destination directory that every place's manifest names at first.
    pub fn out(&self) -> PathBuf {
        self.path("out")
    }

    /// A place for one agent, with its own wal directory, manifest, log and addresses.
    ///
    /// # Errors
    /// The file system's; no free port.
    pub fn place(&self, name: &str) -> Result<Place> {
        let root = self.path(name);
        std::fs::create_dir_all(root.join("wal"))?;
        std::fs::create_dir_all(root.join("secrets"))?;
        std::fs::create_dir_all(self.out())?;
        let [intake, admin] = addresses()?;
        let manifest = Manifest::new(intake.port(), &self.out());
        let place = Place {
            root,
            intake,
            admin,
            manifest,
        };
        place.manifest.write(&place.manifest_path())?;
        Ok(place)
    }
}

/// Where one agent lives, across its restarts.
#[derive(Debug, Clone)]
pub struct Place {
    root: PathBuf,
    /// Where producers connect.
    pub intake: SocketAddr,
    /// Where `/report` and its siblings are.
    pub admin: SocketAddr,
    /// What [`Place::save`] writes.
    pub manifest: Manifest,
}

impl Place {
    /// The wal directory given to the agent.
    pub fn wal(&self) -> PathBuf {
        self.root.join("wal")
    }

    /// The secrets directory given to the agent.
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// The manifest file.
    pub fn manifest_path(&self) -> PathBuf {
        self.root.join("stream.yaml")
    }

    /// Where every run's standard error is appended.
    pub fn log(&self) -> PathBuf {
        self.root.join("agent.log")
    }

    /// Where every run's standard output is appended.
    pub fn out(&self) -> PathBuf {
        self.root.join("agent.out")
    }

    /// Writes the manifest file; a running agent sees it within a second.
    ///
    /// # Errors
    /// The file system's.
    pub fn save(&self) -> Result<()> {
        self.manifest.write(&self.manifest_path())
    }

    /// Starts the agent and waits until it is ready.
    ///
    /// # Errors
    /// It can't be started, or ends first.
    pub fn start(&self) -> Result<Agent> {
        self.start_with(&Launch::default())
    }

    /// As [`Place::start`], with flags or inside another program.
    ///
    /// # Errors
    /// As [`Place::start`].
    pub fn start_with(&self, launch: &Launch) -> Result<Agent> {
        let mut agent = Agent::spawn(self, launch)?;
        agent.wait_ready()?;
        Ok(agent)
    }

    /// Runs an agent that is expected to refuse, and gives its exit code and standard error.
    ///
    /// # Errors
    /// It doesn't end, or is ended by a signal.
    pub fn refusal(&self, launch: &Launch) -> Result<(i32, String)> {
        let before = std::fs::read_to_string(self.log())
            .unwrap_or_default()
            .len();
        let mut agent = Agent::spawn(self, launch)?;
        let code = agent.wait_exit()?;
        let log = std::fs::read_to_string(self.log())?;
        Ok((code, log.get(before..).unwrap_or_default().to_owned()))
    }
}

/// The agent under test: `STANDPIPE_AGENT`, else built here in the release profile, once.
///
/// # Errors
/// The build fails.
pub fn program() -> Result<PathBuf> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = PROGRAM.get_or_init(|| build().map_err(|error| format!("{error:#}")));
    found
        .clone()
        .map_err(|error| anyhow!("no agent to test: {error}"))
}

fn build() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("STANDPIPE_AGENT") {
        let path = PathBuf::from(path);
        ensure!(
            path.is_file(),
            "STANDPIPE_AGENT={} is no file",
            path.display()
        );
        return Ok(path.canonicalize()?);
    }
    let root = workspace()?;
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "build",
            "--release",
            "--package",
            "agent",
            "--message-format",
            "json",
        ])
        .current_dir(root)
        .output()
        .context("start cargo")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout)?
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| message.get("executable")?.as_str().map(PathBuf::from))
        .next_back()
        .context("cargo named no executable")
}

/// The root of the sources.
///
/// # Errors
/// This crate was moved out of its workspace.
pub fn workspace() -> Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("e2e is a member of a workspace")
}

/// Two free ports on a loopback address that nobody else uses: a number of the process and one of
/// the place are in it, so that a port found free stays free.
fn addresses() -> Result<[SocketAddr; 2]> {
    static PLACES: AtomicU32 = AtomicU32::new(0);
    let place = PLACES.fetch_add(1, Ordering::Relaxed);
    let [.., high, low] = std::process::id().to_be_bytes();
    let [.., last] = (2 + place % 250).to_be_bytes();
    let ip = IpAddr::V4(Ipv4Addr::new(127, 64 | (high & 63), low, last));
    let intake = TcpListener::bind((ip, 0))?;
    let admin = TcpListener::bind((ip, 0))?;
    Ok([intake.local_addr()?, admin.local_addr()?])
}
