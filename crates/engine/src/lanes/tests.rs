use super::*;

const LANE: &str = "main:create";

fn at(ms: i64) -> Time {
    Time::from_millis(1_000_000 + ms)
}

fn dead() -> Sent {
    Sent { verdict: Verdict::Unsure(Fault::Timeout), exchange: None }
}

fn rooms(of_lane: usize) -> BTreeMap<String, usize> {
    [(LANE.to_owned(), of_lane)].into()
}

fn alive() -> Sent {
    Sent { verdict: Verdict::Unsure(Fault::BadSignature), exchange: None }
}

#[test]
fn ten_failures_in_a_row_open_and_each_failed_try_opens_longer() {
    let (lanes, rules) = (Lanes::default(), Rules::default());
    for _ in 1..FAILURES {
        assert_eq!(lanes.judge(LANE, &dead(), at(0)), Breaker::Stays);
    }
    assert_eq!(lanes.judge(LANE, &dead(), at(0)), Breaker::Opens(at(5000)));
    assert_eq!(lanes.rooms(&rules, at(4999)).0, [LANE]);
    assert_eq!(lanes.judge(LANE, &dead(), at(4000)), Breaker::Stays, "it was under way when the breaker opened");
    assert_eq!(lanes.judge(LANE, &dead(), at(6000)), Breaker::Opens(at(16_000)));
    for expected in [20_000, 40_000, 60_000, 60_000] {
        let now = lanes.state().lanes[LANE].open_until.unwrap();
        assert_eq!(lanes.judge(LANE, &dead(), now), Breaker::Opens(now + Duration::from_millis(expected)));
    }
    assert_eq!(lanes.judge(LANE, &alive(), at(0)), Breaker::Closes, "somebody is there, whatever he says");
    assert!(lanes.rooms(&rules, at(0)).0.is_empty());
}

#[test]
fn an_answer_between_failures_starts_the_count_again() {
    let lanes = Lanes::default();
    for _ in 0..5 {
        for _ in 1..FAILURES {
            assert_eq!(lanes.judge(LANE, &dead(), at(0)), Breaker::Stays);
        }
        lanes.judge(LANE, &alive(), at(0));
    }
}

#[test]
fn queries_go_first_when_a_provider_comes_back() {
    let (lanes, rules) = (Lanes::default(), Rules::default());
    lanes.learn(
        ["main:create", "main:query"].map(|lane| LaneState { lane: lane.into(), open_until: Some(at(1000)) }).to_vec(),
    );
    assert_eq!(lanes.blocked("main:query", &rules, at(1000)), None);
    assert_eq!(lanes.blocked("main:create", &rules, at(1000)), Some(QUERIES_FIRST));
    lanes.learn(vec![LaneState { lane: "main:create".into(), open_until: None }]);
    assert_eq!(lanes.blocked("main:create", &rules, at(1000)), None, "an operator may force it");
}

#[test]
fn a_full_lane_is_closed_until_a_call_ends() {
    let limits = Limits { concurrency: 1, rate_per_second: None, burst: 1 };
    let rules = Rules { default_limits: limits, ..Rules::default() };
    let lanes = Lanes::default();
    let permit = lanes.admit(LANE, &rules, at(0)).ok();
    assert!(permit.is_some());
    assert_eq!(lanes.admit(LANE, &rules, at(0)).err(), Some(FULL));
    assert_eq!(lanes.blocked("main:query", &rules, at(0)), None, "another lane");
    drop(permit);
    assert_eq!(lanes.rooms(&rules, at(0)), (vec![], rooms(1)));
}

#[test]
fn no_more_rows_are_claimed_than_every_lane_has_room_for() {
    let limits = Limits { concurrency: 8, rate_per_second: None, burst: 1 };
    let rules = Rules { default_limits: limits, ..Rules::default() };
    let lanes = Lanes::default();
    let mut calls: Vec<Option<Permit>> = (0..6).map(|_| lanes.admit(LANE, &rules, at(0)).ok()).collect();
    assert_eq!(lanes.rooms(&rules, at(0)), (vec![], rooms(2)));
    calls.push(lanes.admit(LANE, &rules, at(0)).ok());
    assert_eq!(lanes.rooms(&rules, at(0)), (vec![LANE.to_owned()], BTreeMap::new()), "nearly full");
    lanes.dry("main:query", Duration::from_secs(1), at(0));
    assert_eq!(lanes.rooms(&rules, at(999)).0.len(), 2, "an empty bucket closes its lane");
    assert_eq!(lanes.rooms(&rules, at(1000)).0.len(), 1);
}

#[test]
fn what_is_claimed_of_a_lane_is_what_it_has_room_and_tokens_for() {
    let limits = Limits { concurrency: 32, rate_per_second: Some(50), burst: 100 };
    let rules = Rules { default_limits: limits, ..Rules::default() };
    let lanes = Lanes::default();
    drop(lanes.admit(LANE, &rules, at(0)));
    assert_eq!(lanes.rooms(&rules, at(0)), (vec![], rooms(5)), "the next lease");
    lanes.learn(vec![LaneState { lane: LANE.into(), open_until: Some(at(0)) }]);
    assert_eq!(lanes.rooms(&rules, at(1000)), (vec![], rooms(HALF_OPEN)), "it has just reopened");
}

#[tokio::test]
async fn tokens_that_lay_unused_do_not_come_on_top_of_a_full_bucket() {
    let world = crate::support::World::new().await;
    let limits = Limits { concurrency: 200, rate_per_second: Some(50), burst: 100 };
    let rules = Rules { default_limits: limits, ..Rules::default() };
    let fleet: Vec<Lanes> = (0..4).map(|_| Lanes::default()).collect();
    // Each leases five and uses one; an hour later all call as much as they may.
    for lanes in &fleet {
        assert!(lanes.enter(LANE, &rules, &world.store, at(0)).await.is_ok());
    }
    let (mut calls, hour) = (0, at(3_600_000));
    for lanes in &fleet {
        while lanes.enter(LANE, &rules, &world.store, hour).await.is_ok() {
            calls += 1;
        }
    }
    assert_eq!(calls, 100, "the burst, and not what was leased before");
}
