//! PostgreSQL: a database for each test on the server of `LEVEE_TEST_POSTGRES` (or a cluster of this test run), and clusters that a
//! test may crash.

use crate::{Folder, until};
use std::env;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A database of its own, dropped at the end.
#[derive(Debug)]
pub struct Postgres {
    server: String,
    name: String,
}

impl Postgres {
    pub fn database() -> Self {
        Self::on(server())
    }

    /// `server` is the URL of a database one may connect to.
    fn on(server: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("levee_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        psql(server, &format!("create database {name}"));
        Self { server: server.to_owned(), name }
    }

    pub fn url(&self) -> String {
        let (host, _) = self.server.rsplit_once('/').expect("a URL with a database");
        format!("{host}/{}", self.name)
    }

    /// The whole database as text.
    pub fn dump(&self) -> Vec<u8> {
        let dump = Command::new(tool("pg_dump")).args(["--inserts", &self.url()]).stderr(Stdio::null()).output();
        let dump = dump.expect("run pg_dump");
        assert!(dump.status.success(), "pg_dump failed");
        dump.stdout
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept: {}", self.url());
            return;
        }
        let drop = format!("drop database if exists {} with (force)", self.name);
        let _gone = Command::new(tool("psql")).args(["-qc", &drop, &self.server]).stderr(Stdio::null()).status();
    }
}

#[track_caller]
fn psql(url: &str, sql: &str) {
    let done = Command::new(tool("psql")).args(["-v", "ON_ERROR_STOP=1", "-qc", sql, url]).output().expect("run psql");
    assert!(done.status.success(), "psql: {}", String::from_utf8_lossy(&done.stderr));
}

/// The server that the tests share.
fn server() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| env::var("LEVEE_TEST_POSTGRES").unwrap_or_else(|_| shared()))
}

/// A cluster of this test run. Nothing runs at the end of a test process, so a watchman stops it.
fn shared() -> String {
    let cluster = std::mem::ManuallyDrop::new(PrivateCluster::start());
    let stop = cluster.command("pg_ctl", &["-D", &cluster.data(), "-m", "immediate", "stop"]);
    let words: Vec<String> =
        [stop.get_program()].into_iter().chain(stop.get_args()).map(|word| format!("'{}'", word.display())).collect();
    let watch = format!(
        "(while kill -0 {} 2>/dev/null; do sleep 1; done; {}; rm -rf '{}') &",
        std::process::id(),
        words.join(" "),
        cluster.folder.path().display()
    );
    let mut watchman = Command::new("sh");
    watchman.args(["-c", &watch]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    watchman.status().expect("start the watchman");
    cluster.server()
}

/// A PostgreSQL server of a single test, with every write flushed.
#[derive(Debug)]
pub struct PrivateCluster {
    folder: Folder,
    port: u16,
}

impl PrivateCluster {
    pub fn start() -> Self {
        let cluster = Self { folder: Folder::new("postgres"), port: free_port() };
        if is_root() {
            let given = Command::new("chown").arg("postgres:postgres").arg(cluster.folder.path()).status();
            assert!(given.is_ok_and(|status| status.success()), "give the cluster's folder to postgres");
        }
        cluster.run(
            "initdb",
            &[
                "-D",
                &cluster.data(),
                "-U",
                "postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
            ],
        );
        cluster.go_on();
        cluster
    }

    /// A database on it.
    pub fn database(&self) -> Postgres {
        Postgres::on(&self.server())
    }

    /// As if the machine had lost its PostgreSQL: `pg_ctl stop -m immediate`.
    pub fn crash(&self) {
        self.run("pg_ctl", &["-D", &self.data(), "-m", "immediate", "-w", "stop"]);
    }

    /// Starts it (again) and waits until it answers.
    pub fn go_on(&self) {
        let folder = self.folder.path().display();
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c max_connections=200 -c fsync=on \
             -c synchronous_commit=on",
            self.port
        );
        self.run("pg_ctl", &["-D", &self.data(), "-w", "-l", &format!("{folder}/log"), "-o", &options, "start"]);
        until(Duration::from_secs(20), "PostgreSQL answers", || {
            let asked = Command::new(tool("psql"))
                .args(["-qtc", "select 1", &self.server()])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            asked.is_ok_and(|status| status.success()).then_some(())
        });
    }

    fn server(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn data(&self) -> String {
        self.folder.join("data").display().to_string()
    }

    /// PostgreSQL refuses root.
    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(tool(name));
            command
        } else {
            Command::new(tool(name))
        };
        command.args(arguments).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn run(&self, name: &str, arguments: &[&str]) {
        let done = self.command(name, arguments).status().unwrap_or_else(|why| panic!("run {name}: {why}"));
        assert!(done.success(), "{name} failed; see {}", self.folder.path().display());
    }
}

impl Drop for PrivateCluster {
    fn drop(&mut self) {
        let _stopped = self.command("pg_ctl", &["-D", &self.data(), "-m", "immediate", "-w", "stop"]).status();
    }
}

fn is_root() -> bool {
    Path::new("/proc/self").metadata().is_ok_and(|about| about.uid() == 0)
}

/// A program of PostgreSQL: Debian keeps the servers' out of the path.
fn tool(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).collect();
    found.sort();
    found.pop().unwrap_or_else(|| PathBuf::from(name))
}

fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("find a free port");
    socket.local_addr().expect("read its number").port()
}
