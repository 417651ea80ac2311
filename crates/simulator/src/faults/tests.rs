//! Tables, presets and throws.

use super::*;

#[test]
fn presets_are_possible_and_cover_every_kind() {
    for name in ["none", "some", "many"] {
        preset(name).unwrap().check().unwrap();
    }
    let many = preset("many").unwrap();
    assert!(
        CallFault::ALL.iter().all(|kind| many.calls.contains_key(kind)),
        "a kind that is never thrown is never tested"
    );
    assert!(preset("lots").is_none());
}

#[test]
fn a_file_names_its_faults_by_word() {
    let text = "slow_ms = 40\n[calls]\ndrop_after = 30\n[operations.CONFIRM_ORDER_V2]\nmix_up = 1000\n[callbacks]\nlost = 100\n[bank]\nlate = 5\n";
    let faults = Faults::from_toml(text).unwrap();
    assert_eq!(faults.slow_ms, 40);
    let mut dice = Dice::new(1);
    assert_eq!(
        faults.for_call(Operation::ConfirmOrderV2, &mut dice),
        Some(CallFault::MixUp),
        "a table of its own stands instead"
    );
    assert_eq!(serde_json::from_value::<Faults>(serde_json::to_value(&faults).unwrap()).unwrap(), faults);
    assert!(Faults::from_toml("[calls]\nexplode = 1\n").is_err());
    assert!(matches!(Faults::from_toml("[calls]\ndrop_after = 600\nhtml = 600\n"), Err(FaultError::TooMuch { .. })));
}

#[test]
fn chances_are_thousandths() {
    let faults = Faults { calls: BTreeMap::from([(CallFault::Html, 250)]), ..Faults::default() };
    let mut dice = Dice::new(7);
    let hits = (0..10_000).filter(|_| faults.for_call(Operation::SignUp, &mut dice).is_some()).count();
    assert!((2300..2700).contains(&hits), "{hits}");
}

#[test]
fn the_words_are_those_of_the_file() {
    for fault in CallFault::ALL {
        assert_eq!(serde_json::to_value(fault).unwrap(), fault.word());
    }
    for operation in Operation::ALL {
        assert_eq!(serde_json::to_value(operation).unwrap(), operation.name());
        assert_eq!(Operation::named(operation.name()), Some(operation));
    }
}

/// The words of an enumeration, as its own reader lists them.
fn all_words<T: serde::de::DeserializeOwned>() -> Vec<String> {
    let error = serde_json::from_str::<T>("\"?\"").err().unwrap().to_string();
    let words = error.split('`').skip(3).step_by(2);
    words.map(str::to_owned).collect()
}

#[test]
fn every_kind_is_listed() {
    assert_eq!(all_words::<CallFault>().len(), CallFault::ALL.len());
    assert_eq!(all_words::<CallbackFault>(), CallbackFault::ALL.map(CallbackFault::word));
    assert_eq!(all_words::<Outcome>(), Outcome::ALL.map(Outcome::word));
}
