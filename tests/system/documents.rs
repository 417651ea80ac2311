//! Large files in a crowd, to a real process.

use serde_json::{Value, json};
use std::time::Duration;
use system_tests::wait::timed;
use system_tests::{Kind, Payday, Setup, World, files, parallel};

const MIB: usize = 1024 * 1024;
const VIDEOS: usize = 50;
/// What the provider takes is 15 MB.
const FILM: usize = 149 * MIB / 10 - 432;
/// So many of them are brought to the provider as well.
const SUBMITTED: usize = 4;
const PEAK_MAX: usize = 200_000_000;
/// A call holds its file as it is, and twice as it is sent.
const CALL_MAX: usize = 100_000_000;

/// On SQLite, where the database is in the process too.
#[test]
#[ignore = "a minute or two: tests/run --all"]
fn fifty_videos_at_once_are_never_in_memory_together() {
    timed("50 videos", || {
        // Machines keep real time: a call may take as long as it does in production.
        let mut world = World::new(Kind::Sqlite, &Setup { speed: 1, ..Setup::default() });
        let levee = world.serve();
        let before = levee.process.peak();
        let mut payday = Payday::new(64);
        let people: Vec<_> = (0..VIDEOS).map(|n| (n, payday.person())).collect();
        let ((head, end), piece) = (files::mp4(FILM), vec![0x5a; MIB]);
        // When they all come at once,
        let ids: Vec<Value> = parallel(&people, VIDEOS, |(n, person)| {
            let (mine, mut left) = ([u8::try_from(*n).expect("few"); 16], FILM - 16);
            let mut file: Vec<&[u8]> = vec![&head, &mine];
            while left > 0 {
                file.push(&piece[..left.min(MIB)]);
                left -= left.min(MIB);
            }
            file.push(&end);
            let answer = files::upload(&levee.http, "face_video", person, "v.mp4", &file).expect("reach levee");
            assert_eq!(answer.status, 201, "{}", answer.text());
            let upload = answer.json();
            assert_eq!(upload["bytes"], json!(FILM + 432), "whole");
            upload["id"].clone()
        });
        let uploaded = levee.process.peak();
        // and then some go to the provider,
        for id in &ids[..SUBMITTED] {
            let submitted = levee.http.done("/v1/document-submissions", &json!({"document_ids": [id]}));
            let path = format!("/v1/document-submissions/{}", submitted["id"].as_str().expect("an id"));
            levee.is(&path, &["verified"], Duration::from_secs(60));
        }
        let submitted = levee.process.peak();
        let shown = |bytes: usize| format!("{} MB", bytes / 1_000_000);
        println!(
            "peak memory: {} idle, {} after {VIDEOS} uploads, {} after {SUBMITTED} calls",
            shown(before),
            shown(uploaded),
            shown(submitted)
        );
        // then the process has never held more than a few of them.
        assert!(uploaded < PEAK_MAX, "{}", shown(uploaded));
        assert!(submitted < uploaded + CALL_MAX, "{}", shown(submitted));
    });
}
