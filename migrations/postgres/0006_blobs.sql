-- Pictures, documents and videos: found by content, sealed under a key of their own, kept as long as their class says (security.md §1).
create table blob (
    id uuid not null primary key,
    tenant text not null,
    -- of the plain bytes: it outlives them, as proof of what there was
    sha256 text not null,
    size bigint not null,
    media text not null,
    class text not null,
    place text not null,
    -- wrapped by the tenant's key; destroying it destroys the content, wherever a copy of that lies
    data_key bytea,
    created_at bigint not null,
    -- null: until somebody says
    keep_until bigint,
    shredded_at bigint,
    constraint blob_place check (place in ('folder', 'database')),
    constraint blob_size check (size >= 0),
    constraint blob_key check ((data_key is null) = (shredded_at is not null))
);
create unique index blob_content on blob (tenant, sha256) where shredded_at is null;
create index blob_due on blob (keep_until) where shredded_at is null and keep_until is not null;

-- Written before their blob, in transactions of their own: without its row nobody can open them.
create table blob_part (
    blob uuid not null,
    n bigint not null,
    sealed bytea not null,
    primary key (blob, n)
);
-- Ciphertext does not compress.
alter table blob_part alter column sealed set storage external;
create index blob_part_first on blob_part (blob) where n = 0;

create function blob_keep() returns trigger language plpgsql as $$
begin
    if old.shredded_at is not null
       or (new.id, new.tenant, new.sha256, new.size, new.media, new.class, new.place, new.created_at) is distinct from
       (old.id, old.tenant, old.sha256, old.size, old.media, old.class, old.place, old.created_at) then
        perform levee_forbid('blob_immutable');
    end if;
    return new;
end $$;
create trigger blob_keep before update on blob for each row execute function blob_keep();
create trigger blob_stay before delete on blob for each row execute function levee_refuse('blob_immutable');
