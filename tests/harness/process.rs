//! Child processes whose output is kept, shown when a test fails, and which never outlive the test.

use crate::until;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// A folder of one test: gone when it passes, kept when it fails.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("levee-{name}-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).expect("make a folder for the test");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("kept: {}", self.0.display());
        } else {
            let _gone = fs::remove_dir_all(&self.0);
        }
    }
}

/// A running child; its output is in NAME.out and NAME.err.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    out: PathBuf,
    err: PathBuf,
}

/// How a command that has ended did so.
#[derive(Debug)]
pub struct Done {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Process {
    pub fn spawn(name: &str, mut command: Command, folder: &Path) -> Self {
        // A process started again under its name goes on in its own files.
        let file = |end: &str| {
            let path = folder.join(format!("{name}.{end}"));
            (File::options().create(true).append(true).open(&path).expect("open a log"), path)
        };
        let ((out_file, out), (err_file, err)) = (file("out"), file("err"));
        out_file.set_len(0).expect("begin anew");
        let child = command.stdin(Stdio::null()).stdout(out_file).stderr(err_file).spawn();
        let child = child.unwrap_or_else(|why| panic!("start {name}: {why}"));
        Self { child, name: name.to_owned(), out, err }
    }

    /// Waits for a line that begins so; answers its rest.
    #[track_caller]
    pub fn says(&mut self, beginning: &str, within: Duration) -> String {
        until(within, &format!("{} says {beginning:?}", self.name), || {
            let text = fs::read_to_string(&self.out).unwrap_or_default();
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            let line = whole.lines().find_map(|line| line.strip_prefix(beginning).map(|rest| rest.trim().to_owned()));
            if line.is_none() {
                let ended = self.child.try_wait().expect("look after a child");
                assert!(ended.is_none(), "{} ended: {ended:?}\n{}", self.name, tail(&self.err));
            }
            line
        })
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }

    /// SIGSTOP: it stands still, and does not know it.
    pub fn pause(&self) {
        signal("STOP", self.child.id());
    }

    /// SIGCONT.
    pub fn go_on(&self) {
        signal("CONT", self.child.id());
    }

    /// SIGTERM, and how it ended.
    #[track_caller]
    pub fn terminate(&mut self, within: Duration) -> ExitStatus {
        signal("TERM", self.child.id());
        self.ended(within)
    }

    #[track_caller]
    pub fn ended(&mut self, within: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        until(within, &what, || self.child.try_wait().expect("look after a child"))
    }

    /// The most memory it has ever held at once, in bytes (VmHWM).
    #[track_caller]
    pub fn peak(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says so");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|ended| ended.is_none())
    }

    /// How long its log is; it goes on where the process before it under this name ended.
    pub fn logged(&self) -> usize {
        fs::metadata(&self.err).map_or(0, |log| usize::try_from(log.len()).unwrap_or(usize::MAX))
    }

    /// How often it has logged that, after the first `since` bytes of its log.
    pub fn has_logged(&self, what: &str, since: usize) -> usize {
        let log = fs::read(&self.err).unwrap_or_default();
        String::from_utf8_lossy(log.get(since..).unwrap_or_default()).matches(what).count()
    }

    /// Everything it wrote.
    pub fn logs(&self) -> Vec<u8> {
        [&self.out, &self.err].into_iter().flat_map(|path| fs::read(path).unwrap_or_default()).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("--- {} ---\n{}{}", self.name, tail(&self.out), tail(&self.err));
        }
    }
}

fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "send SIG{name}");
}

fn tail(path: &Path) -> String {
    const LINES: usize = 25;
    let text = String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].iter().map(|line| format!("{line}\n")).collect()
}

/// Runs a command to its end; one that takes longer is killed and fails the test.
#[track_caller]
pub fn run(name: &str, command: Command, folder: &Path, within: Duration) -> Done {
    let mut process = Process::spawn(name, command, folder);
    let status = process.ended(within);
    let text = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let done = Done { code: status.code().unwrap_or(-1), out: text(&process.out), err: text(&process.err) };
    let _again = fs::remove_file(&process.err);
    done
}
