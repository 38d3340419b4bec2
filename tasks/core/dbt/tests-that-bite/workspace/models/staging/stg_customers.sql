select
    customer_id,
    lower(trim(email)) as email,
    country
from {{ source('shop', 'customers') }}
