-- What the fleet shares: settings (wrapped keys and the clock among them), switches, lanes, schedules.
create table setting (
    name text not null primary key,
    value text not null
);

create table "freeze" (
    scope text not null primary key,
    stop_create bigint not null,
    stop_pay bigint not null,
    stop_confirm bigint not null,
    stop_cancel bigint not null
);

create table lane (
    lane text not null primary key,
    -- thousandths of a token, and the real time they were counted at
    tokens bigint not null,
    counted_at bigint not null,
    open_until bigint
);

create table schedule (
    name text not null primary key,
    cron text not null,
    due_at bigint not null,
    last_run bigint
);

-- Who inserts a tick runs it.
create table schedule_tick (
    name text not null,
    tick bigint not null,
    primary key (name, tick)
);
