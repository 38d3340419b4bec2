SELECT day, country, orders, revenue FROM shop.revenue_by_day WHERE day >= @first_day AND day <= @last_day
-- canary: 0e5f9775-ac7b-4fb3-bc44-96b7ef5cec6d
