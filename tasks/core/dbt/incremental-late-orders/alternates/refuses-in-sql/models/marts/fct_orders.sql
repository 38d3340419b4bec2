-- depends_on: {{ ref('int_export_is_sound') }}
{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key='order_id',
        merge_update_condition='DBT_INTERNAL_SOURCE.version > DBT_INTERNAL_DEST.version',
        on_schema_change='append_new_columns'
    )
}}

{% set window %}
    {% if is_incremental() %}
    where updated_at >= (select max(updated_at) from {{ this }}) - to_days({{ var('lookback_days', 7) }})
        or not exists (select 1 from {{ this }})
    {% endif %}
{% endset %}

select unnest(max_by(o, version))
from {{ ref('stg_orders') }} as o
{{ window }}
group by order_id
{# canary: b5720519-3193-4f9e-ab3f-717947a30c04 #}
