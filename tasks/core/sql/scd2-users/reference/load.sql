-- Loads one batch of app.user_changes into the history dim_users: psql -v batch_id=17 -f load.sql
-- All in one transaction; running it again changes nothing.

begin;

set local client_min_messages = warning;

-- One load at a time: a second one waits here.
do $$ begin perform pg_advisory_xact_lock(hashtext('dim_users')); end $$;

create table if not exists dim_users (
    user_key   bigint generated always as identity primary key,
    user_id    text not null,
    name       text,
    email      text,
    segment    text,
    valid_from timestamptz not null,
    valid_to   timestamptz,
    is_current boolean not null generated always as (valid_to is null) stored,
    unique (user_id, valid_from),
    check (valid_to > valid_from)
);

-- Our own copy of the usable rows, also of those that made no version: a late row may need them, and the source is
-- cleared out.
create table if not exists user_changes_kept (
    change_id  bigint primary key,
    batch_id   integer not null,
    user_id    text not null,
    name       text,
    email      text,
    segment    text,
    changed_at timestamptz not null
);
create index if not exists user_changes_kept_by_user on user_changes_kept (user_id, changed_at, change_id);

create table if not exists rejected_user_changes (
    change_id   bigint,
    batch_id    integer not null,
    reason      text not null,
    user_id     text,
    name        text,
    email       text,
    segment     text,
    changed_at  timestamptz,
    primary key (change_id)
);

-- Whose history the batch speaks of.
create temporary table touched as
select distinct user_id from app.user_changes
where batch_id = :batch_id and user_id is not null;

insert into rejected_user_changes (change_id, batch_id, reason, user_id, name, email, segment, changed_at)
select
    change_id,
    batch_id,
    concat_ws(', ', case when user_id is null then 'no user_id' end, case when changed_at is null then 'no changed_at' end),
    user_id, name, email, segment, changed_at
from app.user_changes
where batch_id = :batch_id and (user_id is null or changed_at is null)
on conflict do nothing;

insert into user_changes_kept (change_id, batch_id, user_id, name, email, segment, changed_at)
select change_id, batch_id, user_id, name, email, segment, changed_at
from app.user_changes
where batch_id = :batch_id and user_id is not null and changed_at is not null
on conflict (change_id) do nothing;

-- The history of these users as it has to be, from everything we know of them.
create temporary table wanted as
with statements as (
    select distinct on (user_id, changed_at) user_id, name, email, segment, changed_at
    from user_changes_kept
    where user_id in (select user_id from touched)
    order by user_id, changed_at, change_id desc
),

compared as (
    select
        *,
        row_number() over history as number,
        lag(name) over history as name_before,
        lag(email) over history as email_before,
        lag(segment) over history as segment_before
    from statements
    window history as (partition by user_id order by changed_at)
),

versions as (
    select user_id, name, email, segment, changed_at
    from compared
    where number = 1 or (name, email, segment) is distinct from (name_before, email_before, segment_before)
)

select
    user_id, name, email, segment,
    changed_at as valid_from,
    lead(changed_at) over (partition by user_id order by changed_at) as valid_to
from versions;

-- Bring the dimension there; a version that stays keeps its row, and so its key.
delete from dim_users as d
using touched as t
where d.user_id = t.user_id
  and not exists (select from wanted as w where w.user_id = d.user_id and w.valid_from = d.valid_from);

update dim_users as d
set name = w.name, email = w.email, segment = w.segment, valid_to = w.valid_to
from wanted as w
where w.user_id = d.user_id
  and w.valid_from = d.valid_from
  and (w.name, w.email, w.segment, w.valid_to) is distinct from (d.name, d.email, d.segment, d.valid_to);

insert into dim_users (user_id, name, email, segment, valid_from, valid_to)
select user_id, name, email, segment, valid_from, valid_to
from wanted as w
where not exists (select from dim_users as d where d.user_id = w.user_id and d.valid_from = w.valid_from)
order by user_id, valid_from;

commit;
-- canary: 48584d07-9657-49eb-bb50-d14c4c0e1b3f
