-- What was uploaded, by whom, and whose it is. The content is a blob, shared by all uploads of the same bytes.
create table paper (
    id blob not null primary key,
    tenant text not null,
    kind text not null,
    person blob,
    instance blob,
    blob blob not null references blob (id),
    uploaded_by text not null,
    at integer not null,
    constraint paper_whose check (person is not null or instance is not null)
) strict;
create index paper_of_person on paper (person) where person is not null;
create index paper_of_instance on paper (instance) where instance is not null;
create trigger paper_changes before update on paper begin select raise(abort, 'paper_immutable'); end;
create trigger paper_stays before delete on paper begin select raise(abort, 'paper_immutable'); end;

-- The states of papers and of the vouchers that payments owe join those of 0007.
drop index instance_still;
create index instance_still on instance (id) where wake_at is null and workflow || ' ' || state_name not in (
    'levy_order settled', 'levy_order cancelled', 'levy_order rejected', 'remit levied', 'remit cancelled', 'remit auto_closed_unpaid',
    'batch done', 'sign_up signed', 'sign_up not_signed', 'bare done', 'document verified', 'document rejected', 'voucher attached',
    'voucher waived');
