//! The binary under test.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// `LEVEE_BIN`, or the `levee` of this test's own target folder. Cargo is asked once to bring it up to date, so that nobody tests
/// yesterday's program.
pub fn levee() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| match env::var_os("LEVEE_BIN") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

/// The workspace.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace")
}

/// `target/debug/deps/system-…` → `target/debug/levee`.
fn build() -> PathBuf {
    let test = env::current_exe().expect("a test knows where it is");
    let profile = test.parent().and_then(Path::parent).expect("target/PROFILE/deps").to_owned();
    let target = profile.parent().expect("target/PROFILE");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root()).args(["build", "--locked", "--quiet", "-p", "levee", "--target-dir"]).arg(target);
    match profile.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => {}
        Some(name) => {
            cargo.args(["--profile", name]);
        }
    }
    let built = cargo.status().expect("run cargo");
    assert!(built.success(), "cargo could not build levee");
    profile.join("levee")
}
