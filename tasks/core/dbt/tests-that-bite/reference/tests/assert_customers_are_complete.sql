-- Each customer of the export, and the guest, are members.
select customer_id from {{ source('shop', 'customers') }}
where customer_id not in (select customer_id from {{ ref('dim_customers') }})
union all
select 'guest' where not exists (select 1 from {{ ref('dim_customers') }} where customer_id = 'guest')

-- canary: 268757c1-3351-4d53-93f7-d01261c86c4d
