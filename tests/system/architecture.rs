use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use system_tests::binary::{self, root};

/// design.md §2. A crate that is not there yet imports nothing.
const MAY_IMPORT: [(&str, &[&str]); 13] = [
    ("domain", &[]),
    ("workflows", &["domain"]),
    ("providers", &["domain"]),
    ("documents", &["domain"]),
    ("store", &["domain"]),
    ("engine", &["domain", "workflows", "providers", "store"]),
    ("worker", &["domain", "engine"]),
    ("api", &["domain", "workflows", "documents", "store", "engine"]),
    ("console", &["domain", "api"]),
    ("simulator", &["domain"]),
    (
        "levee",
        &["domain", "workflows", "providers", "documents", "store", "engine", "worker", "api", "console", "simulator"],
    ),
    ("system-tests", &[]),
    // A disk for tests, below everything: it knows SQLite's calls and nothing of ours.
    ("powercut", &[]),
];
const FENCED: [(&str, &[&str]); 7] = [
    ("axum", &["api", "console", "simulator", "levee"]),
    ("reqwest", &["providers", "levee"]),
    ("sqlx", &["store"]),
    ("apalis", &["worker"]),
    ("image", &["documents"]),
    ("lopdf", &["documents"]),
    ("libsqlite3-sys", &["powercut"]),
];
/// The one crate with lints of its own, which repeat the workspace's: a VFS is C functions, and `forbid(unsafe_code)` cannot be lifted for
/// one module.
const UNSAFE: &str = "powercut";

/// Where a provider is registered: nowhere else outside its folders does source know its name.
const REGISTRATIONS: [&str; 18] = [
    "crates/providers/src/lib.rs",
    "crates/providers/src/registry.rs",
    "crates/simulator/src/callbacks.rs",
    "crates/simulator/src/http/control.rs",
    "crates/simulator/src/http/mod.rs",
    "crates/simulator/src/lib.rs",
    "crates/simulator/src/operation.rs",
    "crates/simulator/src/script.rs",
    "crates/simulator/src/sim.rs",
    "crates/simulator/src/switches.rs",
    "crates/app/src/config.rs",
    "crates/app/src/wiring.rs",
    // The simulation plays this provider, and reads its switches.
    "crates/app/src/simulate/client.rs",
    "crates/app/src/simulate/plan.rs",
    "crates/app/src/simulate/workers.rs",
    "crates/app/src/doctor/accounts.rs",
    "crates/app/src/doctor/standing.rs",
    "crates/app/src/demo/stack.rs",
];

const LINES_MAX: usize = 400;

#[test]
fn crates_import_what_the_design_allows_and_nothing_else() {
    let packages = packages();
    let ours: BTreeSet<&str> = packages.iter().map(|package| text(&package["name"])).collect();
    let unlisted: Vec<&&str> = ours.iter().filter(|name| !MAY_IMPORT.iter().any(|(known, _)| known == *name)).collect();
    assert!(unlisted.is_empty(), "design.md §2 has no line for {unlisted:?}");
    let mut wrong = Vec::new();
    for package in &packages {
        let name = text(&package["name"]);
        let (_, allowed) = MAY_IMPORT.iter().find(|(known, _)| *known == name).expect("checked above");
        let imports = package["dependencies"].as_array().into_iter().flatten().filter(|import| import["kind"] != "dev");
        for import in imports.map(|import| text(&import["name"])) {
            let fence =
                FENCED.iter().find(|(fenced, _)| import == *fenced || import.starts_with(&format!("{fenced}-")));
            let fenced_out = fence.is_some_and(|(_, inside)| !inside.contains(&name));
            if fenced_out || (ours.contains(import) && !allowed.contains(&import)) {
                wrong.push(format!("{name} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_provider_is_known_by_name_only_in_its_folder_and_where_it_is_registered() {
    let (mut wrong, tests) = (Vec::new(), test_modules());
    for path in sources() {
        let place = shown(&path);
        let own = place.contains("/src/olading/") || REGISTRATIONS.contains(&place.as_str());
        let lower = production(&path).to_lowercase();
        if !own && !is_test(&path, &tests) && ["olading", "阿拉钉"].iter().any(|name| lower.contains(name)) {
            wrong.push(place);
        }
    }
    assert!(wrong.is_empty(), "these know a provider's name: {wrong:#?}");
    let stale: Vec<&&str> = REGISTRATIONS.iter().filter(|place| !root().join(place).exists()).collect();
    assert!(stale.is_empty(), "the list of registrations names what is gone: {stale:?}");
}

#[test]
fn every_path_that_a_document_names_exists() {
    let mut gone = Vec::new();
    for document in ["README.md", "ARCHITECTURE.md"] {
        let Ok(text) = fs::read_to_string(root().join(document)) else { continue };
        gone.extend(
            paths_in(&text)
                .into_iter()
                .filter(|path| !root().join(path).exists())
                .map(|path| format!("{document}: {path}")),
        );
    }
    assert!(gone.is_empty(), "{gone:#?}");
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let tests = test_modules();
    let product = sources().into_iter().filter(|path| !is_test(path, &tests));
    let counted = product.map(|path| (production(&path).lines().count(), shown(&path)));
    let long: Vec<String> = counted
        .filter(|(lines, _)| *lines > LINES_MAX)
        .map(|(lines, place)| format!("{place}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "more than {LINES_MAX} lines without tests: {long:#?}");
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    for package in packages().into_iter().filter(|package| package["name"] != UNSAFE) {
        let manifest = fs::read_to_string(text(&package["manifest_path"])).expect("read a manifest");
        let inherits =
            manifest.split("[lints]").nth(1).is_some_and(|rest| rest.trim_start().starts_with("workspace = true"));
        assert!(inherits, "{} has no `[lints] workspace = true`", package["name"]);
    }
}

#[test]
fn unsafe_code_is_one_module_of_one_test_crate() {
    let manifest = fs::read_to_string(root().join("tests/powercut/Cargo.toml")).expect("read a manifest");
    let shared = fs::read_to_string(root().join("Cargo.toml")).expect("read the manifest");
    let clippy = shared.split("[workspace.lints.clippy]").nth(1).and_then(|rest| rest.split("\n\n").next());
    let missing: Vec<&str> = clippy.into_iter().flat_map(str::lines).filter(|lint| !manifest.contains(lint)).collect();
    assert!(manifest.contains("unsafe_code = \"deny\"") && missing.is_empty(), "powercut lacks {missing:?}");
    let sources = fs::read_dir(root().join("tests/powercut/src")).expect("list a folder").flatten();
    let lifted = sources.map(|entry| fs::read_to_string(entry.path()).unwrap_or_default());
    assert_eq!(lifted.map(|text| text.matches("expect(unsafe_code").count()).sum::<usize>(), 1);
    for package in packages().iter().filter(|package| package["name"] != UNSAFE) {
        let imports = package["dependencies"].as_array().into_iter().flatten();
        assert!(
            imports.into_iter().all(|import| import["name"] != UNSAFE),
            "{} is built on a test crate",
            package["name"]
        );
    }
}

#[test]
fn every_drawing_is_its_golden() {
    for name in ["levy_order", "remit", "batch"] {
        let drawn =
            Command::new(binary::levee()).env_clear().args(["workflow", "draw", name]).output().expect("run levee");
        assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
        let golden = fs::read_to_string(root().join(format!("tests/golden/{name}.mmd"))).expect("read the golden");
        assert_eq!(
            String::from_utf8_lossy(&drawn.stdout),
            golden,
            "BLESS=1 cargo test -p workflows, and read the difference"
        );
    }
}

fn packages() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let asked = Command::new(cargo)
        .current_dir(root())
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .output();
    let asked = asked.expect("run cargo");
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let metadata: Value = serde_json::from_slice(&asked.stdout).expect("cargo writes JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

/// Every Rust file of the product.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("crates"), root().join("workflows")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("list a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The file without its tests, which stand at its end.
fn production(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("read a source file");
    let end = text.find("\n#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end].to_owned()
}

/// Whether a file is compiled for tests only: `crates/engine/tests/…`, or a module declared under `#[cfg(test)]`.
fn is_test(path: &Path, test_modules: &[PathBuf]) -> bool {
    let module = path.with_extension("");
    shown(path).contains("/tests/") || test_modules.iter().any(|test| module.starts_with(test))
}

/// Every `mod NAME;` under `#[cfg(test)]` or `#[cfg(any(test, …))]`, as the path of its file without `.rs`.
fn test_modules() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in sources() {
        let text = fs::read_to_string(&path).expect("read a source file");
        let root = path.file_stem().is_some_and(|stem| ["lib", "main", "mod"].iter().any(|root| stem == *root));
        let folder = if root { path.with_file_name("") } else { path.with_extension("") };
        let guarded = text
            .lines()
            .zip(text.lines().skip(1))
            .filter(|(guard, _)| guard.starts_with("#[cfg(test)]") || guard.starts_with("#[cfg(any(test,"));
        let names =
            guarded.filter_map(|(_, line)| line.trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';'));
        found.extend(names.map(|name| folder.join(name)));
    }
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).expect("inside the workspace").display().to_string()
}

/// Paths between backquotes, and the targets of links.
fn paths_in(document: &str) -> BTreeSet<String> {
    const FOLDERS: [&str; 8] = ["crates", "workflows", "tests", "migrations", "deploy", "docs", ".ci", ".cargo"];
    let quoted = document.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).flat_map(str::split_whitespace);
    let linked = document.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let clean =
        |path: &str| path.split('#').next().unwrap_or_default().trim_end_matches(['.', ',', ':', ')']).to_owned();
    let ours = |path: &String| {
        FOLDERS
            .iter()
            .any(|folder| path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    };
    let linked = linked.filter(|target| !target.contains("://") && !target.starts_with('#')).map(clean);
    quoted.map(clean).filter(ours).chain(linked).filter(|path| !path.is_empty()).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
