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
