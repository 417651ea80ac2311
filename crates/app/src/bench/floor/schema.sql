create table if not exists floor_machine (id bigint primary key, state text not null, revision bigint not null, wake_at bigint);
create table if not exists floor_history (machine bigint not null, seq bigint not null, line text not null, primary key (machine, seq));
insert into floor_machine select n, 'waiting', 1, 0 from generate_series(1, 100000) n on conflict do nothing;
