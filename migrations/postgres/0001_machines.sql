-- The machines: one row per running state machine, and what they say, hear and call.
create table instance (
    id uuid not null primary key,
    workflow text not null,
    tenant text not null,
    account text not null,
    business_key text not null,
    address text,
    parent uuid,
    person uuid,
    batch uuid,
    batch_row bigint,
    content_hash text not null,
    input text not null,
    state text not null,
    state_name text not null,
    revision bigint not null,
    -- hash of the last history line
    head text not null,
    -- business time; null at rest
    wake_at bigint,
    lane text not null,
    class bigint not null,
    -- posts ever received, and how many the live claim has seen
    signals bigint not null default 0,
    seen bigint not null default 0,
    -- outbox rows ever written
    emitted bigint not null default 0,
    token uuid,
    -- real database time
    claimed_until bigint,
    -- claims since the last transition: 2 or more may have sent
    claims bigint not null default 0,
    created_at bigint not null,
    updated_at bigint not null,
    constraint instance_class check (class >= 0),
    constraint instance_claim check ((token is null) = (claimed_until is null))
);
create unique index instance_key on instance (tenant, workflow, business_key);
create unique index instance_address on instance (address);
create index instance_parent on instance (parent) where parent is not null;
create index instance_person on instance (person) where person is not null;
create index instance_tenant on instance (tenant, id);
-- The claim's loose scan: neither parked, finished nor claimed rows are in it.
create index instance_due on instance (lane, class, tenant, wake_at, id) where wake_at is not null and token is null;
create index instance_claimed on instance (claimed_until) where token is not null;
create index instance_wake on instance (wake_at) where wake_at is not null;

-- Append-only and hash-chained per instance (S-H, I23).
create table history (
    instance uuid not null,
    seq bigint not null,
    event text not null,
    detail text not null,
    from_state text not null,
    to_state text not null,
    at bigint not null,
    cause text not null,
    exchange uuid,
    hash text not null,
    primary key (instance, seq)
);

create table inbox (
    id uuid not null primary key,
    tenant text not null,
    instance uuid,
    address text,
    event text not null,
    source text not null,
    dedupe text,
    -- exact bytes received, sealed
    raw bytea,
    at bigint not null,
    consumed_at bigint,
    answer text,
    constraint inbox_target check (instance is not null or address is not null)
);
create unique index inbox_dedupe on inbox (tenant, dedupe);
create index inbox_instance on inbox (instance, at, id);
create index inbox_waiting on inbox (instance, at, id) where consumed_at is null;
create index inbox_orphan on inbox (address) where instance is null;

create table outbox (
    instance uuid not null,
    seq bigint not null,
    tenant text not null,
    topic text not null,
    body text not null,
    at bigint not null,
    delivered_at bigint,
    primary key (instance, seq)
);
create index outbox_waiting on outbox (at) where delivered_at is null;

-- Every request and answer, exact bytes, sealed.
create table exchange (
    id uuid not null primary key,
    instance uuid not null,
    tenant text not null,
    account text not null,
    operation text not null,
    request bytea not null,
    answer bytea not null,
    status bigint,
    verdict text not null,
    took_ms bigint not null,
    at bigint not null
);
create index exchange_instance on exchange (instance);

-- The first machine under a key goes, later ones are held (P12).
create table duplicate (
    key text not null primary key,
    instance uuid not null
);

create table batch_row (
    batch uuid not null,
    row bigint not null,
    business_key text,
    content_hash text,
    prepared text,
    amount_fen bigint not null,
    errors text not null,
    -- the order, once released
    instance uuid,
    primary key (batch, row)
);

-- Real time: the only clock that leases and the freshness of an observation are judged by (F38).
create function levee_now() returns bigint language sql volatile as $$ select (extract(epoch from clock_timestamp()) * 1000)::bigint $$;
create function levee_forbid(rule text) returns void language plpgsql as $$
begin raise exception using errcode = 'check_violation', message = rule, constraint = rule; end $$;
create function levee_refuse() returns trigger language plpgsql as $$
begin perform levee_forbid(tg_argv[0]); return null; end $$;

create trigger history_append_only before update or delete on history for each row execute function levee_refuse('history_append_only');
-- Claims and transitions rewrite these rows all day.
alter table instance set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
