{{ config(materialized='table') }}

with versions as (

    select
        user_key,
        user_id,
        segment,
        -- The first version also speaks for the time before we knew the user.
        case
            when row_number() over (partition by user_id order by valid_from) = 1 then '-infinity'::timestamp
            else valid_from
        end as holds_from,
        coalesce(valid_to, 'infinity'::timestamp) as holds_to
    from {{ ref('dim_users') }}

)

select
    orders.order_id,
    orders.user_id,
    orders.amount,
    orders.ordered_at,
    versions.user_key,
    versions.segment
from {{ source('app', 'orders') }} as orders
left join versions
    on versions.user_id = orders.user_id
    and orders.ordered_at >= versions.holds_from
    and orders.ordered_at < versions.holds_to
{# canary: 8d71abaf-cdd6-4252-a92a-7c317be39eda #}
