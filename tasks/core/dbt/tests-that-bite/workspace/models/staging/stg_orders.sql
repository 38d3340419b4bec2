select
    order_id,
    nullif(customer_id, '') as customer_id,
    case code
        when 'P' then 'placed'
        when 'S' then 'shipped'
        when 'C' then 'cancelled'
        when 'R' then 'refunded'
    end as status,
    amount_cents / 100 as amount,
    ordered_at
from {{ source('shop', 'orders') }}
qualify row_number() over (partition by order_id order by version desc) = 1
