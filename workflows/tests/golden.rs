//! The process book as reviewed pictures: a changed process is a readable diff. `BLESS=1 cargo test -p workflows` rewrites
//! matrix and diagram; a stored state is only ever added, for it must load for ever.

use std::path::PathBuf;
use std::{env, fs};
use workflows::book;
use workflows::machine::Machine;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden").join(name)
}

fn check(name: &str, now: &str) {
    let path = golden(name);
    if env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder that can be made");
        fs::write(&path, now).expect("a golden that can be written");
    }
    let golden = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(golden, now, "{name} has changed: read the difference, then BLESS=1");
}

#[test]
fn matrix_and_diagram_are_as_reviewed() {
    for entry in book::all() {
        check(&format!("{}.matrix", entry.name), &(entry.matrix)());
        check(&format!("{}.mmd", entry.name), &(entry.mermaid)());
    }
}

#[test]
fn every_state_ever_stored_still_loads() {
    stored::<workflows::levy_order::Order>();
    stored::<workflows::remit::Remit>();
    stored::<workflows::sign_up::SignUp>();
    stored::<workflows::document::Document>();
    stored::<workflows::id_card_check::IdCardCheck>();
    stored::<workflows::voucher::Voucher>();
    stored::<workflows::batch::Batch>();
    stored::<workflows::bare::Bare>();
}

fn stored<M: Machine>() {
    let specimens = M::specimens();
    let input = serde_json::to_value(&specimens.input).expect("an input that stores");
    for (place, state) in specimens.states.iter().enumerate() {
        let path = golden(&format!("states/{}.{place:02}.{}.json", M::NAME, state.name()));
        if env::var_os("BLESS").is_some() && !path.exists() {
            fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder that can be made");
            fs::write(&path, serde_json::to_string_pretty(state).expect("a state that stores") + "\n")
                .expect("a golden that can be written");
        }
    }
    let prefix = format!("{}.", M::NAME);
    let mut loaded = 0;
    for file in fs::read_dir(golden("states")).expect("the stored states").flatten() {
        let name = file.file_name().into_string().expect("a name in UTF-8");
        if !name.starts_with(&prefix) {
            continue;
        }
        let json: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(file.path()).expect("a file")).expect("JSON");
        let running = book::load(M::NAME, &input, &json)
            .expect("a workflow of the book")
            .unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(
            name.ends_with(&format!(".{}.json", running.state_name())),
            "{name} now prints as {}",
            running.state_name()
        );
        loaded += 1;
    }
    assert!(loaded >= specimens.states.len(), "{} stored states of {}", loaded, M::NAME);
}

#[test]
fn every_printed_state_has_a_specimen_and_an_arrow_or_rests() {
    for entry in book::all() {
        let matrix = (entry.matrix)();
        for (state, _) in entry.states {
            assert!(matrix.lines().any(|line| line == *state || line == format!("{state} (rest)")), "{state}");
        }
    }
    specimens_cover::<workflows::levy_order::Order>();
    specimens_cover::<workflows::remit::Remit>();
    specimens_cover::<workflows::sign_up::SignUp>();
    specimens_cover::<workflows::document::Document>();
    specimens_cover::<workflows::id_card_check::IdCardCheck>();
    specimens_cover::<workflows::voucher::Voucher>();
    specimens_cover::<workflows::batch::Batch>();
    specimens_cover::<workflows::bare::Bare>();
}

fn specimens_cover<M: Machine>() {
    let states = M::specimens().states;
    for (name, _) in M::STATES {
        assert!(states.iter().any(|state| state.name() == *name), "{} has no specimen of {name}", M::NAME);
    }
}
