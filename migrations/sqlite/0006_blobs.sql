-- Pictures, documents and videos: found by content, sealed under a key of their own, kept as long as their class says (security.md §1).
create table blob (
    id blob not null primary key,
    tenant text not null,
    -- of the plain bytes: it outlives them, as proof of what there was
    sha256 text not null,
    size integer not null,
    media text not null,
    class text not null,
    place text not null,
    -- wrapped by the tenant's key; destroying it destroys the content, wherever a copy of that lies
    data_key blob,
    created_at integer not null,
    -- null: until somebody says
    keep_until integer,
    shredded_at integer,
    constraint blob_place check (place in ('folder', 'database')),
    constraint blob_size check (size >= 0),
    constraint blob_key check ((data_key is null) = (shredded_at is not null))
) strict;
create unique index blob_content on blob (tenant, sha256) where shredded_at is null;
create index blob_due on blob (keep_until) where shredded_at is null and keep_until is not null;

-- Written before their blob, in transactions of their own: without its row nobody can open them.
create table blob_part (
    blob blob not null,
    n integer not null,
    sealed blob not null,
    primary key (blob, n)
) strict;
create index blob_part_first on blob_part (blob) where n = 0;

create trigger blob_keep before update on blob begin
    select raise(abort, 'blob_immutable') where old.shredded_at is not null
        or new.id is not old.id or new.tenant is not old.tenant or new.sha256 is not old.sha256 or new.size is not old.size
        or new.media is not old.media or new.class is not old.class or new.place is not old.place
        or new.created_at is not old.created_at;
end;
create trigger blob_stay before delete on blob begin select raise(abort, 'blob_immutable'); end;
