//! What the fleet shares about providers and time: token buckets, breakers, schedules.

use crate::sql::{Conn, Outcome, Row};
use crate::{LaneState, Result, Schedule, Sql};
use domain::Time;

/// A bucket after the time that passed: thousandths of a token, integers only.
pub(crate) fn refill(tokens: i64, counted_at: Time, rate_per_second: i64, burst: i64, real: Time) -> i64 {
    let passed_ms = i64::try_from(real.since(counted_at).as_millis()).unwrap_or(i64::MAX);
    // One token per second is one thousandth per millisecond.
    tokens.saturating_add(passed_ms.saturating_mul(rate_per_second)).min(burst.saturating_mul(1000)).max(0)
}

/// How many whole tokens of `want` a bucket gives.
pub(crate) fn grant(tokens: i64, want: i64) -> i64 {
    want.clamp(0, (tokens / 1000).max(0))
}

impl Sql {
    pub(crate) async fn take_tokens(
        &self,
        lane: &str,
        want: i64,
        rate_per_second: i64,
        burst: i64,
        real: Time,
    ) -> Result<i64> {
        let lane = lane.to_owned();
        let taken = self.pool.once(move |c| {
            let lane = lane.clone();
            // Never repeated: tokens lost with a COMMIT's answer are only a pause.
            Box::pin(async move {
                let (tokens, counted_at) = bucket(c, &lane, burst, real).await?;
                let full = refill(tokens, counted_at, rate_per_second, burst, real);
                let granted = grant(full, want);
                let sql = "-- lane.take\nupdate lane set tokens = $2, counted_at = $3 where lane = $1";
                let counted_at = counted_at.max(real);
                c.exec(sql, vec![(&lane).into(), (full - granted * 1000).into(), counted_at.into()]).await?;
                Ok(granted)
            })
        });
        Ok(taken.await?)
    }

    pub(crate) async fn give_tokens(&self, lane: &str, tokens: i64) -> Result<()> {
        let sql = "-- lane.give\nupdate lane set tokens = tokens + $2 where lane = $1";
        self.exec_once(sql, vec![lane.into(), tokens.max(0).saturating_mul(1000).into()]).await.map(|_| ())
    }

    pub(crate) async fn lanes(&self) -> Result<Vec<LaneState>> {
        let rows = self.all("-- lane.list\nselect lane, open_until from lane order by lane", vec![]).await?;
        rows.iter()
            .map(|row| Ok(LaneState { lane: row.get("lane")?, open_until: row.time_or("open_until")? }))
            .collect()
    }

    pub(crate) async fn set_breaker(&self, lane: &str, open_until: Option<Time>) -> Result<()> {
        let sql = "-- lane.breaker\ninsert into lane (lane, tokens, counted_at, open_until) values ($1, 0, 0, $2) \
                   on conflict (lane) do update set open_until = excluded.open_until";
        self.exec(sql, vec![lane.into(), open_until.into()]).await.map(|_| ())
    }

    pub(crate) async fn put_schedule(&self, schedule: Schedule) -> Result<()> {
        let sql = "-- schedule.put\ninsert into schedule (name, cron, due_at, last_run) values ($1, $2, $3, $4) \
                   on conflict (name) do update set cron = excluded.cron, due_at = excluded.due_at, last_run = excluded.last_run";
        let (due, last) = (schedule.due_at.into(), schedule.last_run.into());
        self.exec(sql, vec![schedule.name.into(), schedule.cron.into(), due, last]).await.map(|_| ())
    }

    pub(crate) async fn schedules(&self) -> Result<Vec<Schedule>> {
        let read = |row: &Row| -> Result<Schedule> {
            let (name, cron) = (row.get("name")?, row.get("cron")?);
            Ok(Schedule { name, cron, due_at: row.time("due_at")?, last_run: row.time_or("last_run")? })
        };
        self.all("-- schedule.list\nselect * from schedule order by name", vec![]).await?.iter().map(read).collect()
    }

    pub(crate) async fn schedule_tick(&self, name: &str, tick: Time) -> Result<bool> {
        let sql =
            "-- schedule_tick.take\ninsert into schedule_tick (name, tick) values ($1, $2) on conflict do nothing";
        Ok(self.exec_once(sql, vec![name.into(), tick.into()]).await? == 1)
    }
}

/// The lane's bucket, locked; a new one is full.
async fn bucket(c: &mut Conn, lane: &str, burst: i64, real: Time) -> Outcome<(i64, Time)> {
    let sql =
        "-- lane.open\ninsert into lane (lane, tokens, counted_at) values ($1, $2, $3) on conflict (lane) do nothing";
    c.exec(sql, vec![lane.into(), burst.saturating_mul(1000).into(), real.into()]).await?;
    let sql = match c {
        Conn::Pg(_) => "-- lane.lock\nselect tokens, counted_at from lane where lane = $1 for update",
        Conn::Lite(_) => "-- lane.lock\nselect tokens, counted_at from lane where lane = $1",
    };
    let row = c.one(sql, vec![lane.into()]).await?.ok_or(crate::Error::Unavailable)?;
    Ok((row.get("tokens")?, row.time("counted_at")?))
}
