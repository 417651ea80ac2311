-- People, sealed field by field, and found through keyed digests (security.md §1).
create table person (
    id uuid not null primary key,
    tenant text not null,
    fingerprint text not null,
    name bytea not null,
    id_card bytea not null,
    cellphone bytea not null,
    bankcard bytea not null,
    name_ix text not null,
    id_card_ix text not null,
    cellphone_ix text not null,
    tail_ix text not null,
    bankcard_ix text not null
);
create unique index person_fingerprint on person (tenant, fingerprint);
create index person_name on person (tenant, name_ix);
create index person_id_card on person (tenant, id_card_ix);
create index person_cellphone on person (tenant, cellphone_ix);
create index person_tail on person (tenant, tail_ix);
create index person_bankcard on person (tenant, bankcard_ix);

create table api_key (
    id text not null primary key,
    tenant text not null,
    name text not null,
    role text not null,
    digest text not null,
    created_at bigint not null,
    revoked_at bigint,
    constraint api_key_role check (role in ('viewer', 'operator', 'approver', 'admin'))
);
create unique index api_key_digest on api_key (digest);

-- One chain per tenant, no gaps (security.md §4).
create table audit (
    tenant text not null,
    seq bigint not null,
    id uuid not null,
    who text not null,
    what text not null,
    subject text not null,
    detail text not null,
    at bigint not null,
    hash text not null,
    primary key (tenant, seq)
);
create unique index audit_id on audit (id);

create table idempotency (
    tenant text not null,
    key text not null,
    body_digest text not null,
    at bigint not null,
    status bigint,
    -- sealed: an answer may show a payee
    body bytea,
    primary key (tenant, key)
);

create trigger audit_append_only before update or delete on audit for each row execute function levee_refuse('audit_append_only');
