delete from mart.orders
where created_at >= '{{ execution_date }}' and created_at < '{{ next_execution_date }}';

insert into mart.orders (order_id, shop_day, region, status, amount, created_at)
select order_id, '{{ ds }}', region, status, amount, created_at
from app.orders
where created_at >= '{{ execution_date }}' and created_at < '{{ next_execution_date }}';
