-- People, sealed field by field, and found through keyed digests (security.md §1).
create table person (
    id blob not null primary key,
    tenant text not null,
    fingerprint text not null,
    name blob not null,
    id_card blob not null,
    cellphone blob not null,
    bankcard blob not null,
    name_ix text not null,
    id_card_ix text not null,
    cellphone_ix text not null,
    tail_ix text not null,
    bankcard_ix text not null
) strict;
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
    created_at integer not null,
    revoked_at integer,
    constraint api_key_role check (role in ('viewer', 'operator', 'approver', 'admin'))
) strict;
create unique index api_key_digest on api_key (digest);

-- One chain per tenant, no gaps (security.md §4).
create table audit (
    tenant text not null,
    seq integer not null,
    id blob not null,
    who text not null,
    what text not null,
    subject text not null,
    detail text not null,
    at integer not null,
    hash text not null,
    primary key (tenant, seq)
) strict;
create unique index audit_id on audit (id);

create table idempotency (
    tenant text not null,
    key text not null,
    body_digest text not null,
    at integer not null,
    status integer,
    -- sealed: an answer may show a payee
    body blob,
    primary key (tenant, key)
) strict;

create trigger audit_keep before update on audit begin select raise(abort, 'audit_append_only'); end;
create trigger audit_stay before delete on audit begin select raise(abort, 'audit_append_only'); end;
