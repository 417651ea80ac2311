-- The safety rules as constraints (safety.md §3): neither a bug nor a psql session can break them.
create table permit (
    id uuid not null primary key,
    remit uuid not null constraint permit_remit references instance (id),
    tenant text not null,
    attempt bigint not null,
    bank_order_no text not null,
    amount_fen bigint not null,
    pay_before bigint not null,
    pay_cutoff bigint not null,
    issued_at bigint not null,
    observed_real bigint not null,
    -- the database's own clock at insert
    issued_real bigint not null,
    state text not null,
    constraint permit_state check (state in ('permit_issued', 'instructed', 'success', 'final_failed', 'expired_attested', 'in_doubt', 'returned')),
    constraint permit_before_cutoff check (issued_at < pay_cutoff),
    constraint permit_fresh check (issued_real - observed_real <= 30000),
    constraint permit_amount check (amount_fen >= 0)
);
create unique index permit_remit_attempt on permit (remit, attempt);
create unique index permit_one_live on permit (remit) where state in ('permit_issued', 'instructed', 'in_doubt');
create unique index permit_one_success on permit (remit) where state = 'success';

create table evidence (
    id uuid not null primary key,
    remit uuid not null constraint evidence_remit references instance (id),
    tenant text not null,
    permit uuid constraint evidence_permit references permit (id),
    amount_fen bigint not null,
    paid_at bigint not null,
    bank_serial text not null,
    source text not null,
    at bigint not null,
    revoked_at bigint,
    constraint evidence_source check (source in ('adapter', 'api', 'statement', 'person')),
    constraint evidence_serial check (bank_serial <> '')
);
create index evidence_of_remit on evidence (remit);

-- The pay gate is closed, for ever (S-B).
create table gate (
    remit uuid not null primary key constraint gate_remit references instance (id),
    at bigint not null
);

create table decision (
    remit uuid not null constraint decision_remit primary key references instance (id),
    next_step text not null,
    evidence uuid constraint decision_evidence_known references evidence (id),
    gate uuid constraint decision_gate_known references gate (remit),
    arising_time bigint not null,
    at bigint not null,
    constraint decision_step check (next_step in ('CONTINUE', 'CANCEL')),
    constraint decision_needs_evidence check (next_step <> 'CONTINUE' or evidence is not null),
    constraint decision_needs_gate check (next_step <> 'CANCEL' or (gate is not null and gate = remit))
);

-- A CONTINUE definitely refused may be corrected once, in the same direction.
create table decision_revision (
    remit uuid not null primary key constraint revision_decision references decision (remit),
    arising_time bigint not null,
    evidence uuid not null constraint revision_evidence_known references evidence (id),
    at bigint not null
);

create table "case" (
    id uuid not null primary key,
    instance uuid not null constraint case_instance references instance (id),
    workflow text not null,
    tenant text not null,
    kind text not null,
    severity text not null,
    owner_role text not null,
    opened_at bigint not null,
    sla_at bigint not null,
    moves text not null,
    facts text not null,
    group_key text,
    state text not null,
    proposal text,
    proposed_by text,
    approved_by text,
    resolved_at bigint,
    resolved_how text,
    constraint case_state check (state in ('open', 'proposed', 'resolved')),
    constraint case_four_eyes check (approved_by is null or (proposed_by is not null and approved_by <> proposed_by))
);
create index case_of_instance on "case" (instance);
create index case_of_tenant on "case" (tenant, id);

create table task (
    id uuid not null primary key,
    instance uuid not null constraint task_instance references instance (id),
    tenant text not null,
    kind text not null,
    sla_at bigint not null,
    opened_at bigint not null,
    closed_at bigint
);
create index task_of_instance on task (instance);
create index task_of_tenant on task (tenant, id);

create function remit_fen(remit uuid) returns bigint language sql stable as $$
    select replace(coalesce(input::json ->> 'amount', input::json #>> '{seen,amount}'), '.', '')::bigint from instance where id = remit
$$;

-- Checks of one remit wait for each other on its row.
create function permit_guard() returns trigger language plpgsql as $$
begin
    perform 1 from instance where id = new.remit for update;
    new.issued_real := levee_now();
    if exists (select 1 from gate where remit = new.remit) then perform levee_forbid('permit_gate_closed'); end if;
    if exists (select 1 from decision where remit = new.remit) then perform levee_forbid('permit_decided'); end if;
    if exists (select 1 from permit where remit = new.remit and state in ('permit_issued', 'instructed', 'in_doubt')) then
        perform levee_forbid('permit_one_live');
    end if;
    if exists (select 1 from permit where remit = new.remit and state = 'success') then perform levee_forbid('permit_one_success'); end if;
    if new.attempt <> (select coalesce(max(attempt), 0) + 1 from permit where remit = new.remit) then
        perform levee_forbid('permit_attempt_order');
    end if;
    return new;
end $$;
create trigger permit_guard before insert on permit for each row execute function permit_guard();

create function permit_keep() returns trigger language plpgsql as $$
begin
    if (new.id, new.remit, new.tenant, new.attempt, new.bank_order_no, new.amount_fen, new.pay_before, new.pay_cutoff, new.issued_at,
        new.observed_real, new.issued_real) is distinct from (old.id, old.remit, old.tenant, old.attempt, old.bank_order_no,
        old.amount_fen, old.pay_before, old.pay_cutoff, old.issued_at, old.observed_real, old.issued_real) then
        perform levee_forbid('permit_immutable');
    end if;
    -- No attempt that is over comes back to life, or ends otherwise (S-B, S-D): what may still be paid only ever gets less.
    if new.state <> old.state and (old.state, new.state) not in (values
        ('permit_issued', 'instructed'), ('permit_issued', 'in_doubt'), ('permit_issued', 'success'),
        ('permit_issued', 'final_failed'), ('permit_issued', 'expired_attested'),
        ('instructed', 'in_doubt'), ('instructed', 'success'), ('instructed', 'final_failed'),
        ('in_doubt', 'success'), ('in_doubt', 'final_failed'), ('in_doubt', 'expired_attested'),
        ('success', 'returned')) then
        perform levee_forbid('permit_move');
    end if;
    return new;
end $$;
create trigger permit_keep before update on permit for each row execute function permit_keep();
create trigger permit_stay before delete on permit for each row execute function levee_refuse('permit_immutable');

create function evidence_keep() returns trigger language plpgsql as $$
begin
    perform 1 from instance where id = old.remit for update;
    if (new.id, new.remit, new.tenant, new.permit, new.amount_fen, new.paid_at, new.bank_serial, new.source, new.at) is distinct from
       (old.id, old.remit, old.tenant, old.permit, old.amount_fen, old.paid_at, old.bank_serial, old.source, old.at)
       or (old.revoked_at is not null and new.revoked_at is distinct from old.revoked_at) then
        perform levee_forbid('evidence_immutable');
    end if;
    if new.revoked_at is not null and exists (select 1 from decision where remit = old.remit and next_step = 'CONTINUE') then
        perform levee_forbid('evidence_decided');
    end if;
    return new;
end $$;
create trigger evidence_keep before update on evidence for each row execute function evidence_keep();
create trigger evidence_stay before delete on evidence for each row execute function levee_refuse('evidence_immutable');
create trigger gate_stay before update or delete on gate for each row execute function levee_refuse('gate_immutable');

create function decision_guard() returns trigger language plpgsql as $$
begin
    perform 1 from instance where id = new.remit for update;
    if new.next_step = 'CONTINUE' and new.evidence is not null and not exists (
        select 1 from evidence e left join permit p on p.id = e.permit
        where e.id = new.evidence and e.remit = new.remit and e.revoked_at is null
          and e.amount_fen = coalesce(p.amount_fen, e.amount_fen)
          and e.amount_fen = coalesce(remit_fen(new.remit), e.amount_fen)) then
        perform levee_forbid('decision_evidence');
    end if;
    if new.next_step = 'CANCEL' then
        if not exists (select 1 from gate where remit = new.remit) then perform levee_forbid('decision_needs_gate'); end if;
        if exists (select 1 from permit where remit = new.remit and state in ('permit_issued', 'instructed', 'in_doubt')) then
            perform levee_forbid('decision_payout_live');
        end if;
        if exists (select 1 from evidence where remit = new.remit and revoked_at is null) then perform levee_forbid('decision_paid'); end if;
    end if;
    return new;
end $$;
create trigger decision_guard before insert on decision for each row execute function decision_guard();
create trigger decision_stay before update or delete on decision for each row execute function levee_refuse('decision_immutable');

create function revision_guard() returns trigger language plpgsql as $$
begin
    if not exists (select 1 from decision where remit = new.remit and next_step = 'CONTINUE') then perform levee_forbid('revision_direction'); end if;
    if not exists (select 1 from evidence where id = new.evidence and remit = new.remit and revoked_at is null) then
        perform levee_forbid('revision_evidence');
    end if;
    return new;
end $$;
create trigger revision_guard before insert on decision_revision for each row execute function revision_guard();
create trigger revision_stay before update or delete on decision_revision for each row execute function levee_refuse('revision_immutable');
