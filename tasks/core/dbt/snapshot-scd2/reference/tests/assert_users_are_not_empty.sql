-- An empty replica is being refreshed; the snapshot would take it for a mass deletion.
select 'no users' as problem
where not exists (select 1 from {{ ref('stg_users') }})
{# canary: 8d71abaf-cdd6-4252-a92a-7c317be39eda #}
