select order_id, version, amount
from {{ ref('stg_orders') }}
where amount < 0
{# canary: b5720519-3193-4f9e-ab3f-717947a30c04 #}
