delete from mart.orders
where created_at >= '{{ data_interval_start }}' and created_at < '{{ data_interval_end }}';

insert into mart.orders (order_id, shop_day, region, status, amount, created_at)
select order_id, '{{ ds }}', region, status, amount, created_at
from app.orders
where created_at >= '{{ data_interval_start }}' and created_at < '{{ data_interval_end }}';
-- canary: 53b497d3-9df4-4aa1-a738-ad74986ed210
