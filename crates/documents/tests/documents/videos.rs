//! Videos, by their containers and piece by piece.

use crate::samples;
use documents::{Accept, Inspected, Kind, Sniffer, inspect};

const BOUND: u64 = 15_000_000;

fn accept() -> Accept {
    Accept::video(BOUND)
}

fn code(bytes: &[u8]) -> String {
    inspect(&accept(), bytes).expect_err("a refusal").code
}

#[test]
fn fourteen_point_nine_megabytes_pass_and_fifteen_point_one_do_not() {
    assert_eq!(inspect(&accept(), &samples::mp4(14_900_000)).unwrap(), Inspected::Video { kind: Kind::Mp4 });
    let refused = inspect(&accept(), &samples::mp4(15_100_000)).unwrap_err();
    assert_eq!(refused.code, "video_too_large");
    assert!(refused.message.contains("15.1 MB") && refused.message.contains("15.0 MB"), "{refused:?}");
    assert!(inspect(&accept(), &samples::mp4(15_000_000)).is_ok());
    assert!(inspect(&accept(), &samples::mp4(15_000_001)).is_err());
}

#[test]
fn one_piece_is_as_good_as_many() {
    for whole in [samples::mp4(70_000), samples::avi(70_000), samples::flv(40)] {
        for size in [1, 7, 64, 65, 4_096, 70_000] {
            let mut sniffer = Sniffer::new(accept(), Some(whole.len() as u64));
            whole.chunks(size).for_each(|chunk| sniffer.feed(chunk).unwrap());
            assert_eq!(sniffer.finish().unwrap(), inspect(&accept(), &whole).unwrap());
        }
    }
}

#[test]
fn the_first_bytes_are_enough_to_refuse() {
    let large = samples::mp4(15_100_000);
    let mut told = Sniffer::new(accept(), Some(large.len() as u64));
    assert_eq!(told.feed(&large[..100]).unwrap_err().code, "video_too_large");
    // The film says that it is longer than what will come.
    let mut cut = Sniffer::new(accept(), Some(1_000_000));
    assert_eq!(cut.feed(&samples::mp4(14_000_000)[..100]).unwrap_err().code, "video_truncated");
    // Not told, it is refused when the bound is passed.
    let mut untold = Sniffer::new(accept(), None);
    let passed = large.chunks(1_000_000).position(|chunk| untold.feed(chunk).is_err());
    assert_eq!(passed, Some(15));
    assert_eq!(untold.feed(&[]).unwrap_err().code, "video_too_large");
    assert_eq!(untold.finish().unwrap_err().code, "video_too_large");
}

#[test]
fn an_upload_that_broke_off_is_not_taken_for_a_file() {
    let whole = samples::mp4(70_000);
    let mut sniffer = Sniffer::new(accept(), Some(whole.len() as u64));
    sniffer.feed(&whole[..60_000]).unwrap();
    assert_eq!(sniffer.kind(), Some(Kind::Mp4));
    assert_eq!(sniffer.finish().unwrap_err().code, "upload_incomplete");
}

#[test]
fn a_container_cut_off_is_refused() {
    for whole in [samples::mp4(70_000), samples::avi(70_000), samples::flv(40)] {
        for kept in [whole.len() - 1, whole.len() / 2, 100] {
            assert_eq!(code(&whole[..kept]), "video_truncated", "{kept} of {}", whole.len());
        }
    }
}

#[test]
fn a_recording_that_was_never_closed_is_refused() {
    let mut film = samples::mp4(70_000);
    film.truncate(70_000 - 408);
    assert_eq!(code(&film), "video_truncated");
    let mut open = samples::avi(70_000);
    open[4..8].fill(0);
    assert_eq!(code(&open), "video_truncated");
}

#[test]
fn a_film_of_more_than_four_gigabytes_is_measured_in_its_long_form() {
    let mut film = b"\0\0\0\x14ftypisom\0\0\0\0isom".to_vec();
    film.extend(samples::mp4_box(b"moov", 400));
    film.extend(b"\0\0\0\x01mdat");
    film.extend((16_u64 + 5_000).to_be_bytes());
    film.resize(film.len() + 5_000, 1);
    assert!(inspect(&accept(), &film).is_ok());
    film.pop();
    assert_eq!(code(&film), "video_truncated");
}

#[test]
fn what_is_between_the_parts_must_be_parts() {
    let mut film = b"\0\0\0\x14ftypisom\0\0\0\0isom".to_vec();
    film.extend([0, 0, 0, 3]);
    film.extend(b"moov");
    assert_eq!(code(&film), "video_damaged");
    // Behind a complete film anything may stand.
    let mut noted = samples::mp4(70_000);
    noted.extend([0xff; 3]);
    assert!(inspect(&accept(), &noted).is_ok());
    noted.extend([0xff; 90]);
    assert!(inspect(&accept(), &noted).is_ok());
}

#[test]
fn an_flv_without_a_picture_is_refused() {
    let mut sound = samples::flv(1);
    sound[13] = 8;
    assert_eq!(code(&sound), "video_truncated");
}
