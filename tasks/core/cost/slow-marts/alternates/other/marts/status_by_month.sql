WITH counted AS (
    SELECT year(sold_at) AS y, month(sold_at) AS m, status, COUNT(*) AS sales FROM sales GROUP BY ALL
),
months AS (
    SELECT y, m, SUM(sales) AS total FROM counted GROUP BY ALL
)
SELECT make_date(y, m, 1) AS month, status, sales, sales::DOUBLE / total AS share
FROM counted JOIN months USING (y, m);
-- canary: 5d0c8a0e-0f5e-4b6f-9a55-6f6c1f0a7b1d
