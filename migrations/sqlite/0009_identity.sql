-- What a machine is found by never changes, and every turn rewrites its row: it is looked up in a table of its own, written once. The row
-- keeps its copies, so that it is read without a join; audit S-F sees that both agree.
create table identity (
    instance blob not null primary key,
    tenant text not null,
    workflow text not null,
    business_key text not null,
    address text,
    parent blob,
    person blob
) strict;
insert into identity select id, tenant, workflow, business_key, address, parent, person from instance;
create unique index identity_key on identity (tenant, workflow, business_key);
create unique index identity_address on identity (address) where address is not null;
create index identity_parent on identity (parent) where parent is not null;
create index identity_person on identity (person) where person is not null;
drop index instance_key;
drop index instance_address;
drop index instance_parent;
drop index instance_person;

-- Nobody is there whom nobody can find.
create trigger instance_identity before insert on instance when not exists (select 1 from identity where instance = new.id)
    begin select raise(abort, 'instance_identity'); end;
create trigger identity_keep before update on identity begin select raise(abort, 'identity_written_once'); end;
create trigger identity_stay before delete on identity begin select raise(abort, 'identity_written_once'); end;
