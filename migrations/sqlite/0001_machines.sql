-- The machines: one row per running state machine, and what they say, hear and call.
create table instance (
    id blob not null primary key,
    workflow text not null,
    tenant text not null,
    account text not null,
    business_key text not null,
    address text,
    parent blob,
    person blob,
    batch blob,
    batch_row integer,
    content_hash text not null,
    input text not null,
    state text not null,
    state_name text not null,
    revision integer not null,
    -- hash of the last history line
    head text not null,
    -- business time; null at rest
    wake_at integer,
    lane text not null,
    class integer not null,
    -- posts ever received, and how many the live claim has seen
    signals integer not null default 0,
    seen integer not null default 0,
    -- outbox rows ever written
    emitted integer not null default 0,
    token blob,
    -- real database time
    claimed_until integer,
    -- claims since the last transition: 2 or more may have sent
    claims integer not null default 0,
    created_at integer not null,
    updated_at integer not null,
    constraint instance_class check (class >= 0),
    constraint instance_claim check ((token is null) = (claimed_until is null))
) strict;
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
    instance blob not null,
    seq integer not null,
    event text not null,
    detail text not null,
    from_state text not null,
    to_state text not null,
    at integer not null,
    cause text not null,
    exchange blob,
    hash text not null,
    primary key (instance, seq)
) strict;

create table inbox (
    id blob not null primary key,
    tenant text not null,
    instance blob,
    address text,
    event text not null,
    source text not null,
    dedupe text,
    -- exact bytes received, sealed
    raw blob,
    at integer not null,
    consumed_at integer,
    answer text,
    constraint inbox_target check (instance is not null or address is not null)
) strict;
create unique index inbox_dedupe on inbox (tenant, dedupe);
create index inbox_instance on inbox (instance, at, id);
create index inbox_waiting on inbox (instance, at, id) where consumed_at is null;
create index inbox_orphan on inbox (address) where instance is null;

create table outbox (
    instance blob not null,
    seq integer not null,
    tenant text not null,
    topic text not null,
    body text not null,
    at integer not null,
    delivered_at integer,
    primary key (instance, seq)
) strict;
create index outbox_waiting on outbox (at) where delivered_at is null;

-- Every request and answer, exact bytes, sealed.
create table exchange (
    id blob not null primary key,
    instance blob not null,
    tenant text not null,
    account text not null,
    operation text not null,
    request blob not null,
    answer blob not null,
    status integer,
    verdict text not null,
    took_ms integer not null,
    at integer not null
) strict;
create index exchange_instance on exchange (instance);

-- The first machine under a key goes, later ones are held (P12).
create table duplicate (
    key text not null primary key,
    instance blob not null
) strict;

create table batch_row (
    batch blob not null,
    row integer not null,
    business_key text,
    content_hash text,
    prepared text,
    amount_fen integer not null,
    errors text not null,
    -- the order, once released
    instance blob,
    primary key (batch, row)
) strict;

create trigger history_keep before update on history begin select raise(abort, 'history_append_only'); end;
create trigger history_stay before delete on history begin select raise(abort, 'history_append_only'); end;
