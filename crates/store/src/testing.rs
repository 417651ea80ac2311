//! Stores for tests: a fresh one on every database, and faults on purpose.
//!
//! PostgreSQL comes from `LEVEE_TEST_POSTGRES` (a server's URL), else from a private cluster started once per test process out of
//! `/usr/lib/postgresql/*/bin` and stopped when that process ends, however it ends.

use crate::database::Sql;
use crate::sql::{Conn, Pool};
use crate::{Blobs, Inner, Options, Store};
use domain::clock::{Pace, host_time};
use domain::{Clock, Time};
use sqlx::ConnectOptions;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

static NUMBER: AtomicU32 = AtomicU32::new(0);
static CLUSTER: OnceLock<(String, Mutex<Child>)> = OnceLock::new();
static LOST: Mutex<Option<HashMap<String, (u32, Lost)>>> = Mutex::new(None);

/// A store of its own, migrated, and how to open it again.
pub struct Fresh {
    pub store: Store,
    pub url: String,
    pub options: Options,
    folder: Option<PathBuf>,
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// What became of a COMMIT whose answer never came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    Applied,
    RolledBack,
}

/// Options as tests want them: a fixed master key, unsafe durability accepted.
pub fn options(clock: Clock) -> Options {
    Options { master_key: [7; 32], dev: true, pool_size: 6, clock, exclusive: true, blobs: Blobs::Database }
}

/// A running clock at the host's time.
pub fn clock() -> Clock {
    Clock::running(host_time(), Pace::REAL)
}

/// A fresh store on memory, SQLite and PostgreSQL.
pub async fn stores() -> Vec<Fresh> {
    vec![memory().await, sqlite().await, postgres().await]
}

pub async fn memory() -> Fresh {
    open("memory:".to_owned(), None).await
}

pub async fn sqlite() -> Fresh {
    let folder = folder("sqlite");
    open(format!("sqlite://{}/levee.db", folder.display()), Some(folder)).await
}

pub async fn postgres() -> Fresh {
    open(database().await, None).await
}

/// The same three, whose time stands until [`Fresh::pass`] moves it: what depends on a lease then depends on nothing else.
pub async fn standing() -> Vec<Fresh> {
    let folder = folder("sqlite");
    let lite = format!("sqlite://{}/levee.db", folder.display());
    let mut stores = Vec::new();
    for (url, folder) in [("memory:".to_owned(), None), (lite, Some(folder)), (database().await, None)] {
        let fresh = open_at(url, folder, Clock::manual(host_time())).await;
        stop_time(&fresh.store, fresh.options.clock.real()).await;
        stores.push(fresh);
    }
    stores
}

impl Fresh {
    /// Lets the time of a store of [`standing`] pass.
    pub async fn pass(&self, time: Duration) {
        self.options.clock.advance_real(time);
        set_time(&self.store, self.options.clock.real()).await;
    }
}

async fn open(url: String, folder: Option<PathBuf>) -> Fresh {
    open_at(url, folder, clock()).await
}

async fn open_at(url: String, folder: Option<PathBuf>, clock: Clock) -> Fresh {
    let options = options(clock);
    let store = Store::connect(&url, options.clone()).await.expect("the test database opens");
    store.migrate().await.expect("the migrations apply");
    Fresh { store, url, options, folder }
}

/// The URL of a new, empty PostgreSQL database.
pub async fn database() -> String {
    database_on(&postgres_url()).await
}

/// The same on this process's own cluster, whatever server there is: for tests that stop it.
pub async fn own_database() -> String {
    database_on(&CLUSTER.get_or_init(start).0).await
}

async fn database_on(server: &str) -> String {
    let name = format!("levee_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
    let options: sqlx::postgres::PgConnectOptions = server.parse().expect("LEVEE_TEST_POSTGRES is a PostgreSQL URL");
    let mut conn = options.connect().await.expect("the test server answers");
    let create = sqlx::AssertSqlSafe(format!("create database {name}"));
    sqlx::raw_sql(create).execute(&mut conn).await.expect("a database can be created");
    let (head, query) =
        server.split_once('?').map_or((server, String::new()), |(head, query)| (head, format!("?{query}")));
    let head = head.rsplit_once('/').map_or(head, |(head, _)| head);
    format!("{head}/{name}{query}")
}

/// The test server's URL.
pub fn postgres_url() -> String {
    std::env::var("LEVEE_TEST_POSTGRES").unwrap_or_else(|_| CLUSTER.get_or_init(start).0.clone())
}

/// Stops the clock of a PostgreSQL database at `at`: a test that moves time by hand moves this one too, with [`set_time`]. The other
/// stores read the clock they were opened with.
pub async fn stop_time(store: &Store, at: Time) {
    // A sequence moves outside of transactions, as time does.
    let stopped = "create sequence test_time minvalue 0; create or replace function levee_now() returns bigint language sql volatile as \
                   $$ select last_value from test_time $$";
    told(store, stopped).await;
    set_time(store, at).await;
}

/// From now on the stopped clock of [`stop_time`] reads `at`.
pub async fn set_time(store: &Store, at: Time) {
    told(store, &format!("select setval('test_time', {})", at.millis())).await;
}

async fn told(store: &Store, sql: &str) {
    if let Inner::Sql(Sql { pool: Pool::Pg { write, .. }, .. }) = &store.inner {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(write).await.expect("the test database obeys");
    }
}

fn folder(kind: &str) -> PathBuf {
    let name = format!("levee-{kind}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::SeqCst));
    let path = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&path).expect("the temporary folder can be written");
    path
}

fn start() -> (String, Mutex<Child>) {
    let folder = folder("postgres");
    let bin = binaries();
    if root() {
        let owned = Command::new("chown").arg("postgres:postgres").arg(&folder).status();
        assert!(owned.is_ok_and(|s| s.success()), "the user `postgres` exists");
    }
    let mut initdb = as_postgres(&bin.join("initdb"));
    initdb.args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync", "-D"]);
    let made = initdb.arg(folder.join("data")).stdout(Stdio::null()).status();
    assert!(made.is_ok_and(|s| s.success()), "initdb runs");
    // The shell waits for our end of the pipe to close, so that no server outlives its tests.
    let script = "\"$1/postgres\" -D \"$2/data\" -c listen_addresses= -c unix_socket_directories=\"$2\" -c fsync=off -c full_page_writes=off \
                  -c max_connections=400 -c log_min_messages=fatal & server=$!; read -r _; kill -QUIT $server; wait $server; rm -rf \"$2/data\" \"$2\"";
    let mut shell = as_postgres(Path::new("/bin/sh"));
    shell.args(["-c", script, "sh"]).arg(&bin).arg(&folder);
    let child = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sh runs");
    let socket = folder.join(".s.PGSQL.5432");
    for _ in 0..200 {
        if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    // The socket accepts before the server is ready to serve; connecting retries that by itself.
    std::thread::sleep(Duration::from_millis(300));
    let host = folder.display().to_string().replace('/', "%2F");
    (format!("postgres://postgres@localhost/postgres?host={host}"), Mutex::new(child))
}

/// The newest installed PostgreSQL.
fn binaries() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed (apt-get install postgresql), or LEVEE_TEST_POSTGRES is set");
    let mut versions: Vec<PathBuf> =
        versions.filter_map(|entry| entry.ok().map(|entry| entry.path().join("bin"))).collect();
    versions.sort();
    versions.pop().expect("PostgreSQL is installed")
}

fn root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|of| std::os::unix::fs::MetadataExt::uid(&of) == 0)
}

/// `initdb` and `postgres` refuse root.
fn as_postgres(program: &Path) -> Command {
    if !root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program).current_dir("/");
    command
}

/// The answers of the next `count` COMMITs of this store's database get lost.
pub fn lose_commits(store: &Store, count: u32, what: Lost) {
    if let Inner::Sql(sql) = &store.inner {
        let mut lost = LOST.lock().unwrap_or_else(PoisonError::into_inner);
        lost.get_or_insert_default().insert(name_of(&sql.pool), (count, what));
    }
}

fn name_of(pool: &Pool) -> String {
    match pool {
        Pool::Pg { write, .. } => write.connect_options().get_database().unwrap_or_default().to_owned(),
        Pool::Lite { write, .. } => write.connect_options().get_filename().display().to_string(),
    }
}

/// Called before each COMMIT: true when its answer is to be lost, after it was applied or rolled back.
pub(crate) async fn commit_is_lost(pool: &Pool, conn: &mut Conn) -> bool {
    let what = {
        let mut lost = LOST.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((count, what)) =
            lost.as_mut().and_then(|lost| lost.get_mut(&name_of(pool))).filter(|(count, _)| *count > 0)
        else {
            return false;
        };
        *count -= 1;
        *what
    };
    let end = if what == Lost::Applied { "COMMIT" } else { "ROLLBACK" };
    conn.run(end).await.is_ok()
}
