\set id random(1000000, 9000000000000000)
begin;
insert into floor_machine values (:id, 'creating', 1, 0);
insert into floor_history values (:id, 1, repeat('.', 200));
end;
begin;
update floor_machine set state = 'waiting', revision = 2 where id = :id and revision = 1;
insert into floor_history values (:id, 2, repeat('.', 200));
end;
begin;
update floor_machine set state = 'confirming', revision = 3 where id = :id and revision = 2;
insert into floor_history values (:id, 3, repeat('.', 200));
end;
begin;
update floor_machine set state = 'done', revision = 4 where id = :id and revision = 3;
insert into floor_history values (:id, 4, repeat('.', 200));
end;
