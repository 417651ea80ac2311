-- The safety rules as constraints (safety.md §3): neither a bug nor a psql session can break them.
create table permit (
    id blob not null primary key,
    remit blob not null constraint permit_remit references instance (id),
    tenant text not null,
    attempt integer not null,
    bank_order_no text not null,
    amount_fen integer not null,
    pay_before integer not null,
    pay_cutoff integer not null,
    issued_at integer not null,
    observed_real integer not null,
    -- the database's own clock at insert
    issued_real integer not null,
    state text not null,
    constraint permit_state check (state in ('permit_issued', 'instructed', 'success', 'final_failed', 'expired_attested', 'in_doubt', 'returned')),
    constraint permit_before_cutoff check (issued_at < pay_cutoff),
    constraint permit_fresh check (issued_real - observed_real <= 30000),
    constraint permit_amount check (amount_fen >= 0)
) strict;
create unique index permit_remit_attempt on permit (remit, attempt);
create unique index permit_one_live on permit (remit) where state in ('permit_issued', 'instructed', 'in_doubt');
create unique index permit_one_success on permit (remit) where state = 'success';

create table evidence (
    id blob not null primary key,
    remit blob not null constraint evidence_remit references instance (id),
    tenant text not null,
    permit blob constraint evidence_permit references permit (id),
    amount_fen integer not null,
    paid_at integer not null,
    bank_serial text not null,
    source text not null,
    at integer not null,
    revoked_at integer,
    constraint evidence_source check (source in ('adapter', 'api', 'statement', 'person')),
    constraint evidence_serial check (bank_serial <> '')
) strict;
create index evidence_of_remit on evidence (remit);

-- The pay gate is closed, for ever (S-B).
create table gate (
    remit blob not null primary key constraint gate_remit references instance (id),
    at integer not null
) strict;

create table decision (
    remit blob not null constraint decision_remit primary key references instance (id),
    next_step text not null,
    evidence blob constraint decision_evidence_known references evidence (id),
    gate blob constraint decision_gate_known references gate (remit),
    arising_time integer not null,
    at integer not null,
    constraint decision_step check (next_step in ('CONTINUE', 'CANCEL')),
    constraint decision_needs_evidence check (next_step <> 'CONTINUE' or evidence is not null),
    constraint decision_needs_gate check (next_step <> 'CANCEL' or (gate is not null and gate = remit))
) strict;

-- A CONTINUE definitely refused may be corrected once, in the same direction.
create table decision_revision (
    remit blob not null primary key constraint revision_decision references decision (remit),
    arising_time integer not null,
    evidence blob not null constraint revision_evidence_known references evidence (id),
    at integer not null
) strict;

create table "case" (
    id blob not null primary key,
    instance blob not null constraint case_instance references instance (id),
    workflow text not null,
    tenant text not null,
    kind text not null,
    severity text not null,
    owner_role text not null,
    opened_at integer not null,
    sla_at integer not null,
    moves text not null,
    facts text not null,
    group_key text,
    state text not null,
    proposal text,
    proposed_by text,
    approved_by text,
    resolved_at integer,
    resolved_how text,
    constraint case_state check (state in ('open', 'proposed', 'resolved')),
    constraint case_four_eyes check (approved_by is null or (proposed_by is not null and approved_by <> proposed_by))
) strict;
create index case_of_instance on "case" (instance);
create index case_of_tenant on "case" (tenant, id);

create table task (
    id blob not null primary key,
    instance blob not null constraint task_instance references instance (id),
    tenant text not null,
    kind text not null,
    sla_at integer not null,
    opened_at integer not null,
    closed_at integer
) strict;
create index task_of_instance on task (instance);
create index task_of_tenant on task (tenant, id);

create trigger permit_guard before insert on permit begin
    select raise(abort, 'permit_gate_closed') where exists (select 1 from gate where remit = new.remit);
    select raise(abort, 'permit_decided') where exists (select 1 from decision where remit = new.remit);
    select raise(abort, 'permit_one_live')
        where exists (select 1 from permit where remit = new.remit and state in ('permit_issued', 'instructed', 'in_doubt'));
    select raise(abort, 'permit_one_success') where exists (select 1 from permit where remit = new.remit and state = 'success');
    select raise(abort, 'permit_attempt_order')
        where new.attempt <> (select coalesce(max(attempt), 0) + 1 from permit where remit = new.remit);
end;
-- No attempt that is over comes back to life, or ends otherwise (S-B, S-D): what may still be paid only ever gets less.
create trigger permit_move before update of state on permit begin
    select raise(abort, 'permit_move') where new.state <> old.state and (old.state, new.state) not in (values
        ('permit_issued', 'instructed'), ('permit_issued', 'in_doubt'), ('permit_issued', 'success'),
        ('permit_issued', 'final_failed'), ('permit_issued', 'expired_attested'),
        ('instructed', 'in_doubt'), ('instructed', 'success'), ('instructed', 'final_failed'),
        ('in_doubt', 'success'), ('in_doubt', 'final_failed'), ('in_doubt', 'expired_attested'),
        ('success', 'returned'));
end;
create trigger permit_keep before update of id, remit, tenant, attempt, bank_order_no, amount_fen, pay_before, pay_cutoff, issued_at,
    observed_real, issued_real on permit begin
    select raise(abort, 'permit_immutable');
end;
create trigger permit_stay before delete on permit begin select raise(abort, 'permit_immutable'); end;

create trigger evidence_keep before update of id, remit, tenant, permit, amount_fen, paid_at, bank_serial, source, at on evidence begin
    select raise(abort, 'evidence_immutable');
end;
create trigger evidence_revoke before update of revoked_at on evidence begin
    select raise(abort, 'evidence_immutable') where old.revoked_at is not null and new.revoked_at is not old.revoked_at;
    select raise(abort, 'evidence_decided') where new.revoked_at is not null
        and exists (select 1 from decision where remit = old.remit and next_step = 'CONTINUE');
end;
create trigger evidence_stay before delete on evidence begin select raise(abort, 'evidence_immutable'); end;
create trigger gate_keep before update on gate begin select raise(abort, 'gate_immutable'); end;
create trigger gate_stay before delete on gate begin select raise(abort, 'gate_immutable'); end;

create trigger decision_guard before insert on decision begin
    select raise(abort, 'decision_evidence') where new.next_step = 'CONTINUE' and new.evidence is not null and not exists (
        select 1 from evidence e left join permit p on p.id = e.permit join instance i on i.id = e.remit
        where e.id = new.evidence and e.remit = new.remit and e.revoked_at is null
          and e.amount_fen = coalesce(p.amount_fen, e.amount_fen)
          and e.amount_fen = coalesce(cast(replace(coalesce(json_extract(i.input, '$.amount'),
              json_extract(i.input, '$.seen.amount')), '.', '') as integer), e.amount_fen));
    select raise(abort, 'decision_needs_gate')
        where new.next_step = 'CANCEL' and not exists (select 1 from gate where remit = new.remit);
    select raise(abort, 'decision_payout_live') where new.next_step = 'CANCEL'
        and exists (select 1 from permit where remit = new.remit and state in ('permit_issued', 'instructed', 'in_doubt'));
    select raise(abort, 'decision_paid') where new.next_step = 'CANCEL'
        and exists (select 1 from evidence where remit = new.remit and revoked_at is null);
end;
create trigger decision_keep before update on decision begin select raise(abort, 'decision_immutable'); end;
create trigger decision_stay before delete on decision begin select raise(abort, 'decision_immutable'); end;

create trigger revision_guard before insert on decision_revision begin
    select raise(abort, 'revision_direction')
        where not exists (select 1 from decision where remit = new.remit and next_step = 'CONTINUE');
    select raise(abort, 'revision_evidence')
        where not exists (select 1 from evidence where id = new.evidence and remit = new.remit and revoked_at is null);
end;
create trigger revision_keep before update on decision_revision begin select raise(abort, 'revision_immutable'); end;
create trigger revision_stay before delete on decision_revision begin select raise(abort, 'revision_immutable'); end;
