SELECT
    version_id AS user_key,
    user_id,
    name,
    email,
    segment,
    accepts_marketing,
    seen_from AS valid_from,
    nullif(seen_to, timestamp '9999-12-31') AS valid_to,
    seen_to = timestamp '9999-12-31' AS is_current
FROM {{ ref('users_history') }}
WHERE is_gone <> 'True'
{# canary: 8d71abaf-cdd6-4252-a92a-7c317be39eda #}
