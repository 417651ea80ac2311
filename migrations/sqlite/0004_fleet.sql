-- What the fleet shares: settings (wrapped keys and the clock among them), switches, lanes, schedules.
create table setting (
    name text not null primary key,
    value text not null
) strict;

create table "freeze" (
    scope text not null primary key,
    stop_create integer not null,
    stop_pay integer not null,
    stop_confirm integer not null,
    stop_cancel integer not null
) strict;

create table lane (
    lane text not null primary key,
    -- thousandths of a token, and the real time they were counted at
    tokens integer not null,
    counted_at integer not null,
    open_until integer
) strict;

create table schedule (
    name text not null primary key,
    cron text not null,
    due_at integer not null,
    last_run integer
) strict;

-- Who inserts a tick runs it.
create table schedule_tick (
    name text not null,
    tick integer not null,
    primary key (name, tick)
) strict;
