//! `/v1/clock`: the two times of now, and in development a way to let time pass.

use crate::api::Api;
use crate::problem::{Error, Problem};
use crate::read::Json;
use crate::role::Caller;
use axum::extract::State;
use domain::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Number, json};
use std::time::Duration;
use utoipa::ToSchema;

/// Business time decides about deadlines, real time about leases.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ClockView {
    #[schema(value_type = String)]
    pub(crate) now: Time,
    #[schema(value_type = String)]
    pub(crate) real: Time,
    /// Business seconds per real second.
    #[schema(value_type = i64)]
    pub(crate) speed: Number,
    pub(crate) dev: bool,
}

/// How far to go.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Advance {
    /// Business seconds, 1 to 34,560,000 (400 days).
    #[schema(minimum = 1, maximum = 34560000)]
    pub(crate) seconds: u64,
}

const FARTHEST: u64 = 400 * 24 * 3600;

/// Read the clock.
#[utoipa::path(get, path = "/v1/clock", tag = "clock", responses((status = 200, body = ClockView)))]
pub(crate) async fn read(State(api): State<Api>) -> axum::Json<ClockView> {
    axum::Json(view(&api))
}

/// Let business time pass, for the whole fleet. Only with `dev.enabled`.
#[utoipa::path(post, path = "/v1/clock/advance", tag = "clock", request_body = Advance, responses(
    (status = 200, body = ClockView), (status = 400, body = Problem), (status = 403, description = "dev_only", body = Problem)))]
pub(crate) async fn advance(
    State(api): State<Api>,
    caller: Caller,
    Json(body): Json<Advance>,
) -> Result<axum::Json<ClockView>, Error> {
    if !api.settings().dev {
        return Err(Error::forbidden(
            "dev_only",
            "the clock of a real deployment is not advanced; set dev.enabled on a test one",
        ));
    }
    if !(1..=FARTHEST).contains(&body.seconds) {
        return Err(Error::field("seconds", "out_of_range", "seconds is 1 to 34560000", "seconds 应为 1 至 34560000"));
    }
    api.act(&caller, "clock.advanced", "clock", json!({"seconds": body.seconds})).await?;
    let pace = api.store().advance_clock(Duration::from_secs(body.seconds)).await?;
    let clock = &api.engine().clock;
    clock.sync(clock.real(), pace);
    api.engine().bell.ring();
    Ok(axum::Json(view(&api)))
}

fn view(api: &Api) -> ClockView {
    let clock = &api.engine().clock;
    ClockView { now: clock.now(), real: clock.real(), speed: speed(clock.pace().speed_milli), dev: api.settings().dev }
}

/// Thousandths as a JSON number.
fn speed(milli: i64) -> Number {
    if milli % 1000 == 0 {
        return Number::from(milli / 1000);
    }
    serde_json::from_str(&format!("{}.{:03}", milli / 1000, milli % 1000))
        .unwrap_or_else(|_| Number::from(milli / 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_prints_as_it_was_configured() {
        assert_eq!(speed(1000).to_string(), "1");
        assert_eq!(speed(10_000_000).to_string(), "10000");
        assert_eq!(speed(1500).to_string(), "1.5");
    }
}
