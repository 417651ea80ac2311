-- What was uploaded, by whom, and whose it is. The content is a blob, shared by all uploads of the same bytes.
create table paper (
    id uuid not null primary key,
    tenant text not null,
    kind text not null,
    person uuid,
    instance uuid,
    blob uuid not null references blob (id),
    uploaded_by text not null,
    at bigint not null,
    constraint paper_whose check (person is not null or instance is not null)
);
create index paper_of_person on paper (person) where person is not null;
create index paper_of_instance on paper (instance) where instance is not null;
create trigger paper_stays before update or delete on paper for each row execute function levee_refuse('paper_immutable');

-- The states of papers and of the vouchers that payments owe join those of 0007.
drop index instance_still;
create index instance_still on instance (id) where wake_at is null and workflow || ' ' || state_name not in (
    'levy_order settled', 'levy_order cancelled', 'levy_order rejected', 'remit levied', 'remit cancelled', 'remit auto_closed_unpaid',
    'batch done', 'sign_up signed', 'sign_up not_signed', 'bare done', 'document verified', 'document rejected', 'voucher attached',
    'voucher waived');
drop index instance_unsettled;
create index instance_unsettled on instance (account, state_name, id) where workflow || ' ' || state_name not in (
    'levy_order gated', 'levy_order creating', 'levy_order accepted', 'levy_order splitting', 'levy_order ready', 'levy_order settled',
    'levy_order cancelled', 'levy_order rejected', 'remit open', 'remit permitted', 'remit levied', 'batch done', 'sign_up inviting',
    'sign_up waiting', 'sign_up signed', 'sign_up not_signed', 'bare creating', 'bare waiting', 'bare confirming', 'bare done',
    'document rendered', 'document processing', 'document verified', 'document rejected', 'voucher owed', 'voucher attached',
    'voucher waived');
