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
