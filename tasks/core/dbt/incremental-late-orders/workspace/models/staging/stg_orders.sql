select
    order_id,
    version,
    customer_id,
    status,
    cast(amount_cents / 100.0 as decimal(12, 2)) as amount,
    ordered_at,
    updated_at
from {{ source('shop', 'orders') }}
