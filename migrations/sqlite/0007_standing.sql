-- Nothing that watchers ask reads through what waits or is finished.
-- Neither finished nor due: those that wait for a person, and those that nothing will ever move (I9).
create index instance_still on instance (id) where wake_at is null and workflow || ' ' || state_name not in (
    'levy_order settled', 'levy_order cancelled', 'levy_order rejected', 'remit levied', 'remit cancelled', 'remit auto_closed_unpaid',
    'batch done', 'sign_up signed', 'sign_up not_signed', 'bare done');
