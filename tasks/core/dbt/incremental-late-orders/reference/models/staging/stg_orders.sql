-- Every column of the export, also those that it will gain.
select
    * exclude (amount_cents),
    cast(amount_cents / 100.0 as decimal(12, 2)) as amount
from {{ source('shop', 'orders') }}
{# canary: b5720519-3193-4f9e-ab3f-717947a30c04 #}
