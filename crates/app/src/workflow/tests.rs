use super::*;
use clap::{CommandFactory, Parser};

#[derive(Parser)]
struct Commands {
    #[command(subcommand)]
    _workflow: Workflow,
}

/// Every tag is closed, in order, and every attribute quoted. Enough for what [`svg`] writes.
fn well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    for piece in xml.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("a tag ends");
        assert!(!text.contains('>') && tag.matches('"').count() % 2 == 0, "{piece}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        match (tag.starts_with('/'), tag.ends_with('/')) {
            (true, _) => assert_eq!(open.pop(), Some(name)),
            (false, true) => {}
            (false, false) => open.push(name),
        }
        for entity in text.split('&').skip(1) {
            assert!(["amp;", "lt;", "gt;", "quot;", "apos;"].iter().any(|known| entity.starts_with(known)), "{text}");
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn the_commands_are_sound() {
    Commands::command().debug_assert();
    Commands::try_parse_from(["levee", "draw", "remit", "--svg"]).unwrap();
}

#[test]
fn every_arrow_of_the_book_is_read() {
    for entry in book::all() {
        let mermaid = (entry.mermaid)();
        let lines = mermaid.lines().filter(|line| line.contains("-->") && !line.contains("[*]")).count();
        let arrows = arrows::of(&mermaid);
        assert_eq!(arrows.len(), lines);
        let known = |name: &str| entry.states.iter().any(|(state, _)| *state == name);
        assert!(arrows.iter().all(|arrow| known(&arrow.from) && known(&arrow.to) && !arrow.events.is_empty()));
    }
}

#[test]
fn a_picture_is_well_formed_and_shows_every_state_and_event() {
    for entry in book::all() {
        let arrows = arrows::of(&(entry.mermaid)());
        let picture = svg::draw(entry.name, entry.states, &arrows);
        well_formed(&picture);
        for (state, _) in entry.states {
            assert!(picture.contains(&format!(">{state}</text>")), "{state}");
        }
        for arrow in &arrows {
            assert!(picture.contains(&format!(
                "<title>{} to {}: {}</title>",
                arrow.from,
                arrow.to,
                arrow.events.join(", ")
            )));
        }
        assert_eq!(picture.matches("marker-end").count(), arrows.len());
        assert_eq!(picture, svg::draw(entry.name, entry.states, &arrows), "the same picture each time");
    }
}

#[test]
fn boxes_and_words_do_not_overlap() {
    for entry in book::all() {
        let names: Vec<&str> = entry.states.iter().map(|(name, _)| *name).collect();
        let layout = layout::of(&names, &arrows::of(&(entry.mermaid)()));
        let places: Vec<_> =
            layout.boxes.iter().copied().chain(layout.curves.iter().map(|curve| curve.label)).collect();
        for (n, a) in places.iter().enumerate() {
            assert!(a.x >= a.width / 2 && a.x + a.width / 2 <= layout.width && a.y + a.height / 2 <= layout.height);
            for b in &places[n + 1..] {
                let apart = (a.x - b.x).abs() * 2 >= a.width + b.width || (a.y - b.y).abs() * 2 >= a.height + b.height;
                assert!(apart, "{}: {a:?} {b:?}", entry.name);
            }
        }
    }
}

#[test]
fn ranks_follow_the_process() {
    let arrow = |from: &str, to: &str| Arrow { from: from.into(), to: to.into(), events: vec!["Went".into()] };
    let layout = layout::of(&["a", "b", "c"], &[arrow("a", "b"), arrow("b", "c"), arrow("a", "c"), arrow("c", "a")]);
    let y: Vec<i64> = layout.boxes.iter().map(|place| place.y).collect();
    assert!(y[0] < y[1] && y[1] < y[2], "{y:?}");
}

#[test]
fn a_process_is_shown_with_its_timings() {
    let text = show(Style::PLAIN, &find("remit").unwrap());
    for word in ["levied", "rest", "PaidReported", "bank_bound", "5m … 60h", "banking_days"] {
        assert!(text.contains(word), "{word}");
    }
    let value = shown(&find("levy_order").unwrap());
    assert_eq!(value["params"]["margin"]["default"], "2h");
    assert_eq!(value["states"][0]["name"], "gated");
    assert_eq!(shown(&find("sign_up").unwrap())["params"]["sign_up_grace"]["default"], "1h");
    assert!(shown(&find("batch").unwrap()).get("params").is_none());
}

#[test]
fn an_unknown_workflow_is_told_the_known_ones() {
    let why = find("remits").err().unwrap().to_string();
    let known: Vec<&str> = workflows::book::all().iter().map(|entry| entry.name).collect();
    assert!(why.contains(&known.join(", ")), "{why}");
}
