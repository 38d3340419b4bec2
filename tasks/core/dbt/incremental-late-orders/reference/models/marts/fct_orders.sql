{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='order_id',
        on_schema_change='append_new_columns'
    )
}}

with versions as (

    select *
    from {{ ref('stg_orders') }}
    {% if is_incremental() %}
    -- Nothing loaded yet: no newest version, so everything is new.
    where updated_at >= (
        select coalesce(max(updated_at) - interval ({{ var('lookback_days') }}) day, timestamp '1900-01-01')
        from {{ this }}
    )
    {% endif %}

)

-- A higher version is never older: if any version of an order is in the window, its highest is.
select *
from versions
qualify row_number() over (partition by order_id order by version desc) = 1
{# canary: b5720519-3193-4f9e-ab3f-717947a30c04 #}
