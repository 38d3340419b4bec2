SELECT o.*, coalesce(held.user_key, first.user_key) AS user_key, coalesce(held.segment, first.segment) AS segment
FROM {{ source('app', 'orders') }} AS o
LEFT JOIN LATERAL (
    SELECT d.user_key, d.segment
    FROM {{ ref('dim_users') }} AS d
    WHERE d.user_id = o.user_id AND d.valid_from <= o.ordered_at
      AND (d.valid_to IS NULL OR o.ordered_at < d.valid_to)
) AS held ON true
LEFT JOIN LATERAL (
    SELECT CASE WHEN o.ordered_at < d.valid_from THEN d.user_key END AS user_key,
           CASE WHEN o.ordered_at < d.valid_from THEN d.segment END AS segment
    FROM {{ ref('dim_users') }} AS d
    WHERE d.user_id = o.user_id
    ORDER BY d.valid_from
    LIMIT 1
) AS first ON true
{# canary: 8d71abaf-cdd6-4252-a92a-7c317be39eda #}
