{{ config(materialized='ephemeral') }}

select * exclude (amount_cents), amount_cents, amount_cents / 100 as amount
from {{ source('shop', 'orders') }}
{# canary: b5720519-3193-4f9e-ab3f-717947a30c04 #}
