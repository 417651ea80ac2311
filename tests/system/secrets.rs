use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::Duration;
use system_tests::far::SECRET;
use system_tests::payday::{Person, order};
use system_tests::world::{ADMIN_KEY, MASTER_KEY};
use system_tests::{Kind, Levee, Payday, Payer, Setup, World, digest, files, on_both};

on_both!(canaries_are_seen_nowhere);

fn canaries_are_seen_nowhere(kind: Kind) {
    let mut world = World::new(kind, &Setup { faults: "some".into(), ..Setup::default() });
    // Files lie in the database here, and in a folder there.
    let folder = world.folder.join("blobs");
    if kind == Kind::Postgres {
        fs::create_dir(&folder).expect("make the folder");
        world.set("LEVEE_BLOBS__FOLDER", &folder.display().to_string());
    }
    let mut levee = world.serve();
    let mut payday = Payday::new(81);
    let people: Vec<Person> =
        ["禤鷟鵷", "鱻羴猋", "麤龘靐"].map(|name| Person { name: name.into(), ..payday.person() }).to_vec();
    let mut seen: Vec<u8> = Vec::new();
    for (n, person) in people.iter().enumerate() {
        levee.order(&order(&format!("CANARY-{n}"), person));
        seen.extend(refusals(&levee, person));
        seen.extend(papers(&levee, n, person));
    }
    levee.orders(&mut payday, "CROWD", 10);
    let mut payer = Payer::new(&levee.http, &world.far.http, 4);
    levee.settle(&world, &mut payer, Duration::from_secs(90));
    for path in ["/metrics", "/openapi.json", "/v1/orders", "/v1/remits", "/v1/cases", "/v1/keys", "/v1/freezes"] {
        seen.extend(levee.http.get(path).expect("reach levee").body);
    }
    for order in levee.http.all("/v1/orders") {
        let path = format!("/v1/orders/{}/timeline", order["id"].as_str().expect("an id"));
        seen.extend(levee.http.get(&path).expect("reach levee").body);
    }
    let doctor = world.run(&["doctor"]);
    seen.extend(doctor.out.into_bytes().into_iter().chain(doctor.err.into_bytes()));
    assert!(levee.process.terminate(Duration::from_secs(25)).success());
    seen.extend(levee.process.logs());

    let canaries = canaries(&people);
    assert!(contains(&seen, b"CANARY-0") && contains(&seen, b"open -> permitted"), "answers and logs were read");
    absent("answers and logs", &seen, &canaries);
    let stored = world.postgres.as_ref().map_or_else(|| world.sqlite_files(), |database| database.dump());
    assert!(stored.len() > 10_000, "the database was read");
    absent("the database", &stored, &canaries);
    let kept = contents(&folder);
    assert_eq!(kept.len() > 10_000, kind == Kind::Postgres, "the folder was read");
    absent("the folder", &kept, &canaries);
}

/// Files with a person in them and on them, taken and refused, and brought to the provider.
fn papers(levee: &Levee, n: usize, person: &Person) -> Vec<u8> {
    let words = format!("{} {} {} {}", person.name, person.id_card, person.cellphone, person.bankcard_no);
    let (pdf, jpeg) = (files::pdf(&words), files::jpeg(&words));
    let mut answers = Vec::new();
    let mut upload = |kind: &str, file: &[u8], status: u16| {
        let name = format!("{words}.pdf");
        let answer = files::upload(&levee.http, kind, person, &name, &[file]).expect("reach levee");
        assert_eq!(answer.status, status, "{kind}: {}", answer.text());
        answers.extend(answer.body.clone());
        answer.json()["id"].clone()
    };
    let agreement = upload("agreement", &pdf, 201);
    let (front, back) = (upload("id_card_front", &jpeg, 201), upload("id_card_back", &jpeg, 201));
    upload("agreement", &jpeg, 400);
    upload("face_frame", &pdf, 400);
    upload("agreement", &pdf[..pdf.len() - 40], 400);
    upload(&person.id_card, &pdf, 400);
    let submissions = [
        json!({"document_ids": [agreement], "contract_id": format!("C-{n}"), "tax_agent_parent_id": "1001"}),
        json!({"document_ids": [front, back]}),
    ];
    for body in submissions {
        let submitted = levee.http.done("/v1/document-submissions", &body);
        let path = format!("/v1/document-submissions/{}", submitted["id"].as_str().expect("an id"));
        let shown = levee.is(&path, &["verified", "needs_operator"], Duration::from_secs(60));
        answers.extend(shown.to_string().into_bytes());
    }
    answers
}

/// All that lies in a folder, to its bottom.
fn contents(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        bytes.extend(path.display().to_string().into_bytes());
        bytes.extend(if path.is_dir() { contents(&path) } else { fs::read(&path).expect("read what is kept") });
    }
    bytes
}

/// Requests that repeat what must not be repeated.
fn refusals(levee: &Levee, person: &Person) -> Vec<u8> {
    let mut bodies = Vec::new();
    let good = order("REFUSED", person);
    for (pointer, value) in
        [("/net", json!("1.5")), ("/tax_mode", json!(person.id_card)), ("/person/cellphone", json!(person.bankcard_no))]
    {
        let mut body: Value = good.clone();
        *body.pointer_mut(pointer).expect("a field") = value;
        let answer = levee.http.post("/v1/orders", &body).expect("reach levee");
        assert_eq!(answer.status, 400, "{}", answer.text());
        bodies.extend(answer.body);
    }
    let strange = levee.http.with_key(Some(&person.bankcard_no)).get("/v1/orders").expect("reach levee");
    assert_eq!(strange.status, 401);
    bodies.extend(strange.body);
    bodies
}

/// What must not be seen, and each of its disguises: plain, base64 (at every offset), hex, and as JSON escapes.
fn canaries(people: &[Person]) -> Vec<(String, Vec<u8>)> {
    let mut words: Vec<String> =
        vec![SECRET.into(), ADMIN_KEY.into(), String::from_utf8_lossy(MASTER_KEY).into_owned()];
    for Person { name, id_card, cellphone, bankcard_no } in people {
        words.extend([name, id_card, cellphone, bankcard_no].map(String::clone));
    }
    let mut disguises = Vec::new();
    for word in words {
        let bytes = word.as_bytes();
        disguises.push((format!("{word} plain"), bytes.to_vec()));
        disguises.push((format!("{word} in hex"), digest::hex(bytes).into_bytes()));
        disguises.push((format!("{word} in capital hex"), digest::hex(bytes).to_uppercase().into_bytes()));
        let escaped: String = word.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        disguises.push((format!("{word} escaped"), escaped.into_bytes()));
        for offset in 0..3 {
            // Bytes around it change the digits at both ends: those are left out.
            let shifted: Vec<u8> = vec![0; offset].into_iter().chain(bytes.iter().copied()).collect();
            let text = digest::base64(&shifted);
            let whole = text.trim_end_matches('=');
            let inner = &whole[(offset * 8).div_ceil(6)..whole.len() - 1];
            disguises.push((format!("{word} in base64 at {offset}"), inner.as_bytes().to_vec()));
        }
    }
    disguises
}

#[track_caller]
fn absent(place: &str, bytes: &[u8], canaries: &[(String, Vec<u8>)]) {
    let found: Vec<&str> =
        canaries.iter().filter(|(_, canary)| contains(bytes, canary)).map(|(disguise, _)| disguise.as_str()).collect();
    assert!(found.is_empty(), "{place} show {found:?}");
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    let first = wanted[0];
    let mut from = 0;
    while let Some(place) = bytes[from..].iter().position(|byte| *byte == first) {
        if bytes[from + place..].starts_with(wanted) {
            return true;
        }
        from += place + 1;
    }
    false
}

#[test]
fn the_scan_finds_what_is_there() {
    let person = Payday::new(82).person();
    let canaries = canaries(std::slice::from_ref(&person));
    let hidden = format!("a log line with {}", digest::base64(format!("x{}y", person.bankcard_no).as_bytes()));
    assert!(canaries.iter().any(|(_, canary)| contains(hidden.as_bytes(), canary)));
    assert!(!canaries.iter().any(|(_, canary)| contains(b"a log line with nothing in it", canary)));
}
