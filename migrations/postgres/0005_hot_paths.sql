-- Every turn rewrites its machine's row, and each index on it costs a write: only those that answer a question stay.
-- The oldest due row is the first of some group of the due index; a claimed one is found by its claim.
drop index instance_wake;
drop index instance_address;
create unique index instance_address on instance (address) where address is not null;

-- What waits to be read is found among its machine's letters; reading one then touches no index.
drop index inbox_waiting;
drop index inbox_dedupe;
create unique index inbox_dedupe on inbox (tenant, dedupe) where dedupe is not null;

-- Exchanges are read by machine: one key for both.
drop index exchange_instance;
alter table exchange drop constraint exchange_pkey;
alter table exchange add primary key (instance, id);
