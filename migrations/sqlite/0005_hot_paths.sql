-- Every turn rewrites its machine's row, and each index on it costs a write: only those that answer a question stay.
drop index instance_address;
create unique index instance_address on instance (address) where address is not null;

-- What waits to be read is found among its machine's letters.
drop index inbox_waiting;
drop index inbox_dedupe;
create unique index inbox_dedupe on inbox (tenant, dedupe) where dedupe is not null;
