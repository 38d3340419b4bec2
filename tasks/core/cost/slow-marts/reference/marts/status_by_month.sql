SELECT
    date_trunc('month', sold_at)::DATE AS month,
    status,
    count(*) AS sales,
    count(*) / sum(count(*)) OVER (PARTITION BY date_trunc('month', sold_at)::DATE) AS share
FROM sales
GROUP BY 1, 2
-- canary: 5d0c8a0e-0f5e-4b6f-9a55-6f6c1f0a7b1d
