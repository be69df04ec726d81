//! The agent as a process: started, asked, signalled, killed by its own process id.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::http::{Connection, Response};
use crate::report::Report;
use crate::rig::{Place, program};
use crate::wait;

const PATIENCE: Duration = Duration::from_secs(10);

/// How to start it.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    /// A program that runs its last arguments by `exec`, so that the process id is the agent's.
    pub inside: Vec<OsString>,
    /// More flags for `run`.
    pub flags: Vec<OsString>,
}

impl Launch {
    /// With more flags.
    pub fn flags<const N: usize>(flags: [&str; N]) -> Self {
        Self {
            inside: Vec::new(),
            flags: flags.into_iter().map(OsString::from).collect(),
        }
    }

    /// In a mount namespace of its own, after the shell lines `setup` (which see `$1…` as
    /// `paths`): what they mount nobody else sees, and it goes with the process.
    pub fn in_mounts(setup: &str, paths: &[&Path]) -> Self {
        let script = format!(
            "set -e\n{setup}\nshift {count}\nexec \"$@\"",
            count = paths.len()
        );
        let mut inside: Vec<OsString> =
            ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
                .into_iter()
                .map(OsString::from)
                .collect();
        inside.extend([OsString::from(script), OsString::from("sh")]);
        inside.extend(paths.iter().map(OsString::from));
        Self {
            inside,
            flags: Vec::new(),
        }
    }

    /// With the system calls of `inject` (the syntax of `strace -e inject=`) failing; `log` gets
    /// the calls.
    pub fn with_faults(inject: &[&str], log: &Path) -> Self {
        let mut inside: Vec<OsString> = ["strace", "-D", "-f", "-qq", "-e", "signal=none", "-o"]
            .into_iter()
            .map(OsString::from)
            .collect();
        inside.push(log.into());
        let calls: Vec<&str> = inject
            .iter()
            .filter_map(|rule| rule.split(':').next())
            .collect();
        inside.extend(["-e".into(), format!("trace={}", calls.join(",")).into()]);
        for rule in inject {
            inside.extend(["-e".into(), format!("inject={rule}").into()]);
        }
        Self {
            inside,
            flags: Vec::new(),
        }
    }
}

/// A started agent; killed when dropped.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    admin: SocketAddr,
    log: PathBuf,
}

impl Agent {
    /// Starts `run` without waiting for anything.
    ///
    /// # Errors
    /// There is no agent, or the program around it is missing.
    pub fn spawn(place: &Place, launch: &Launch) -> Result<Self> {
        let program = program()?;
        let mut words = launch
            .inside
            .iter()
            .cloned()
            .chain([program.into_os_string()]);
        let first = words.next().context("nothing to run")?;
        let append = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
        let child = Command::new(&first)
            .args(words)
            .arg("run")
            .arg(place.manifest_path())
            .arg("--wal-dir")
            .arg(place.wal())
            .arg("--secrets-dir")
            .arg(place.secrets())
            .args(["--bind", &place.intake.ip().to_string()])
            .args(["--admin-bind", &place.admin.to_string()])
            .args(["--log-format", "json", "--status", "none"])
            .args(&launch.flags)
            .stdin(Stdio::null())
            .stdout(append(&place.out())?)
            .stderr(append(&place.log())?)
            .spawn()
            .with_context(|| format!("start {}", first.display()))?;
        Ok(Self {
            child,
            admin: place.admin,
            log: place.log(),
        })
    }

    /// Waits until `/readyz` says 200.
    ///
    /// # Errors
    /// It ends first, or never gets ready.
    pub fn wait_ready(&mut self) -> Result<()> {
        wait::until(wait::LONG, "the agent to be ready", || {
            if let Some(status) = self.child.try_wait()? {
                bail!(
                    "the agent ended before it was ready: {status}; see {}",
                    self.log.display()
                );
            }
            Ok(match self.get("/readyz") {
                Ok(response) if response.status == 200 => Ok(()),
                Ok(response) => Err(format!("/readyz says {}", response.status)),
                Err(error) => Err(format!("/readyz: {error}")),
            })
        })
    }

    /// Asks the admin port.
    ///
    /// # Errors
    /// The connection's.
    pub fn get(&self, path: &str) -> io::Result<Response> {
        Connection::open(self.admin, PATIENCE)?.request("GET", path, &[], b"")
    }

    /// What `/report` says.
    ///
    /// # Errors
    /// It doesn't answer with a report.
    pub fn report(&self) -> Result<Report> {
        let response = self.get("/report")?;
        ensure!(
            response.status == 200,
            "/report says {}: {}",
            response.status,
            response.text()
        );
        Report::parse(&response.body)
    }

    /// Waits until `holds` gives a value of the report.
    ///
    /// # Errors
    /// It never does; the last report is in the message.
    pub fn wait_report<T>(
        &mut self,
        what: &str,
        mut holds: impl FnMut(&Report) -> Option<T>,
    ) -> Result<T> {
        wait::until(wait::LONG, what, || {
            ensure!(
                self.is_running()?,
                "the agent ended while waiting for {what}"
            );
            let report = self.report()?;
            Ok(holds(&report).ok_or(report))
        })
    }

    /// Waits until every accepted record is delivered and the accounting says so (I-2).
    ///
    /// # Errors
    /// Something stays in the wal, or the identity doesn't hold.
    pub fn wait_delivered(&mut self) -> Result<Report> {
        let report = self.wait_report("everything to be delivered", |report| {
            (report.in_wal() == Some(0) && report.is_balanced()).then(|| report.clone())
        })?;
        Ok(report)
    }

    /// Whether it still runs.
    ///
    /// # Errors
    /// The system's.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, and the wait for its end.
    ///
    /// # Errors
    /// It had ended by itself.
    pub fn kill(mut self) -> Result<()> {
        ensure!(
            self.is_running()?,
            "the agent ended before the kill; see {}",
            self.log.display()
        );
        self.child.kill()?;
        let status = self.child.wait()?;
        ensure!(
            status.signal() == Some(Signal::KILL.as_raw()),
            "ended by itself: {status}"
        );
        Ok(())
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// The process is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.child.id())?;
        kill_process(Pid::from_raw(id).context("no process id")?, signal)?;
        Ok(())
    }

    /// Waits for its end and gives the exit code.
    ///
    /// # Errors
    /// It doesn't end, or is ended by a signal.
    pub fn wait_exit(&mut self) -> Result<i32> {
        let status: ExitStatus = wait::until(wait::LONG, "the agent to end", || {
            Ok(self.child.try_wait()?.ok_or("it still runs"))
        })?;
        status
            .code()
            .with_context(|| format!("ended by a signal: {status}"))
    }

    /// SIGINT (no settling), the drain, exit code 0.
    ///
    /// # Errors
    /// It ends with another code.
    pub fn drain(mut self) -> Result<()> {
        self.signal(Signal::INT)?;
        let code = self.wait_exit()?;
        ensure!(
            code == 0,
            "drained with exit code {code}; see {}",
            self.log.display()
        );
        Ok(())
    }

    /// Waits until everything is delivered, then drains.
    ///
    /// # Errors
    /// As [`Agent::wait_delivered`] and [`Agent::drain`].
    pub fn finish(mut self) -> Result<()> {
        self.wait_delivered()?;
        self.drain()
    }

    /// Runs a program in the agent's mount namespace.
    ///
    /// # Errors
    /// It fails; its standard error is in the message.
    pub fn in_mounts(&self, words: &[&str]) -> Result<()> {
        let output = Command::new("nsenter")
            .args(["--mount", "--target", &self.id().to_string(), "--"])
            .args(words)
            .output()
            .context("start nsenter")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "{words:?}: {}: {said}",
            output.status
        );
        Ok(())
    }

    /// A path as the agent sees it, through its mount namespace.
    pub fn seen(&self, path: &Path) -> PathBuf {
        let below = path.strip_prefix("/").unwrap_or(path);
        PathBuf::from(format!("/proc/{}/root", self.id())).join(below)
    }

    /// The most resident memory it ever had, in bytes.
    ///
    /// # Errors
    /// `/proc` doesn't say.
    pub fn resident_max(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line
            .and_then(|line| line.split_whitespace().next())
            .context("no VmHWM")?;
        Ok(kilobytes.parse::<u64>()? * 1024)
    }

    /// Seconds of processor time it has used, user and system, to 10 ms.
    ///
    /// # Errors
    /// `/proc` doesn't say.
    pub fn cpu_seconds(&self) -> Result<f64> {
        // proc(5): utime and stime are fields 14 and 15, in ticks of which Linux shows 100 a
        // second; the name in parentheses before them may hold blanks
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.id()))?;
        let (_, fields) = stat.rsplit_once(')').context("no name in stat")?;
        let ticks: u32 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(str::parse::<u32>)
            .sum::<Result<u32, _>>()?;
        Ok(f64::from(ticks) / 100.0)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // The process may be gone already, and there is nobody to tell.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
