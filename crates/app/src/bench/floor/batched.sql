\set first (random(0, 199) * 500) + 1
with moved as (
    update floor_machine m set state = 'waiting', revision = m.revision + 1
    from (select id from floor_machine where id between :first and :first + 499 order by id for update) x
    where m.id = x.id returning m.id, m.revision)
insert into floor_history select id, revision, repeat('.', 200) from moved;
