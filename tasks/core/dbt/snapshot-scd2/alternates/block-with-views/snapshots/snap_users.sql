{% snapshot snap_users %}
{{
    config(
        target_schema='history',
        unique_key='user_id',
        strategy='check',
        check_cols=['fingerprint'],
        invalidate_hard_deletes=True
    )
}}
select
    users.user_id,
    users.name,
    users.email,
    users.segment,
    users.accepts_marketing,
    md5(jsonb_build_array(users.name, users.email, users.segment, users.accepts_marketing)::text) as fingerprint
from {{ source('app', 'users') }} as users
cross join {{ ref('gate') }} as gate
where gate.is_open
{% endsnapshot %}
{# canary: 8d71abaf-cdd6-4252-a92a-7c317be39eda #}
