//! The process under test: this very test binary, run again. It is started, killed by itself at a point, and started again.

use crate::levee::{DATABASE, DIE_AT, PLANTED, WORLD};
use crate::talk::Line;
use domain::planted::Bug;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const SIGABRT: i32 = 6;

/// A folder of one life: its database, its socket, its log.
pub(crate) struct Home {
    path: PathBuf,
    listener: UnixListener,
}

impl Home {
    /// With a copy of the database that every life begins with.
    pub(crate) fn new(template: &Path) -> Self {
        let path = folder("life");
        std::fs::copy(template, path.join("levee.db")).expect("copy the database");
        let listener = UnixListener::bind(path.join("world")).expect("listen");
        Self { path, listener }
    }

    /// Starts the process; it will die at the given point, counted from its start.
    pub(crate) fn start(&self, die_at: Option<usize>, planted: Option<Bug>) -> Process {
        let mut command = Command::new(std::env::current_exe().expect("a test knows where it is"));
        command.args(["--exact", "the_process_that_is_killed", "--ignored", "--nocapture"]);
        command.env(WORLD, self.path.join("world")).env(DATABASE, self.path.join("levee.db"));
        if let Some(point) = die_at {
            command.env(DIE_AT, point.to_string());
        }
        if let Some(bug) = planted {
            command.env(PLANTED, format!("{bug:?}"));
        }
        let log = std::fs::File::options().create(true).append(true).open(self.log()).expect("open a log");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().expect("start the process");
        let (stream, _) = self.listener.accept().expect("the process comes");
        Process { child, line: Line::over(stream) }
    }

    fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// The last it wrote: why a process ended that should not have.
    pub(crate) fn said(&self) -> String {
        let log = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.path);
    }
}

/// A running process and the socket to it.
pub(crate) struct Process {
    child: Child,
    pub(crate) line: Line,
}

impl Process {
    /// Whether it has ended by a signal, as whoever is killed.
    pub(crate) fn was_killed(&mut self) -> bool {
        self.child.wait().is_ok_and(|status| status.signal() == Some(SIGABRT))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }
}

pub(crate) fn folder(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("levee-crash-{name}-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path).expect("the temporary folder can be written");
    path
}
