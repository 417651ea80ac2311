-- Nothing that people or watchers ask reads through what waits or is finished.
-- A tenant's machines of one kind and state, newest first; a list of all states merges them. Counts are read from it alone.
create index instance_state on instance (tenant, workflow, state_name, id);
drop index instance_tenant;

-- Neither finished nor due: those that wait for a person, and those that nothing will ever move (I9).
create index instance_still on instance (id) where wake_at is null and workflow || ' ' || state_name not in (
    'levy_order settled', 'levy_order cancelled', 'levy_order rejected', 'remit levied', 'remit cancelled', 'remit auto_closed_unpaid',
    'batch done', 'sign_up signed', 'sign_up not_signed', 'bare done');

-- Whatever may be in doubt, or paid and not levied: all but the states of calm.
create index instance_unsettled on instance (account, state_name, id) where workflow || ' ' || state_name not in (
    'levy_order gated', 'levy_order creating', 'levy_order accepted', 'levy_order splitting', 'levy_order ready', 'levy_order settled',
    'levy_order cancelled', 'levy_order rejected', 'remit open', 'remit permitted', 'remit levied', 'batch done', 'sign_up inviting',
    'sign_up waiting', 'sign_up signed', 'sign_up not_signed', 'bare creating', 'bare waiting', 'bare confirming', 'bare done');

-- What was written lately is found by its time: history is appended in order of it.
create index history_at on history using brin (at) with (pages_per_range = 16, autosummarize = on);
