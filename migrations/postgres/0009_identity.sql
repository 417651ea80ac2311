-- What a machine is found by never changes, and every turn rewrites its row: an index of that row is written at every turn, an index of
-- this table once in a machine's life. The row keeps its copies, so that it is read without a join; audit S-F sees that both agree.
lock table instance in share row exclusive mode;
create table identity (
    instance uuid not null primary key,
    tenant text not null,
    workflow text not null,
    business_key text not null,
    address text,
    parent uuid,
    person uuid
);
insert into identity select id, tenant, workflow, business_key, address, parent, person from instance;
create unique index identity_key on identity (tenant, workflow, business_key);
create unique index identity_address on identity (address) where address is not null;
create index identity_parent on identity (parent) where parent is not null;
create index identity_person on identity (person) where person is not null;
drop index instance_key;
drop index instance_address;
drop index instance_parent;
drop index instance_person;

-- Nobody is there whom nobody can find: also an older program that still runs starts no machine past these indexes.
alter table instance add constraint instance_identity foreign key (id) references identity (instance);
create trigger identity_written_once before update or delete on identity for each row execute function levee_refuse('identity_written_once');

-- What is written again soon finds room on its own page. A letter is then read, and a line of a payday file released, without a word in
-- any index, and of a machine's row the log holds only what has changed.
alter table instance set (fillfactor = 60);
alter table inbox set (fillfactor = 50);
alter table batch_row set (fillfactor = 50);
