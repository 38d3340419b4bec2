{%- set columns = adapter.get_columns_in_relation(source('shop', 'orders')) | map(attribute='name') | list -%}

WITH recent AS (
    SELECT DISTINCT
        {% for column in columns if column | lower != 'amount_cents' -%}
        {{ adapter.quote(column) }},
        {% endfor -%}
        (amount_cents::DECIMAL(18, 2) / 100)::DECIMAL(12, 2) AS amount
    FROM {{ source('shop', 'orders') }}
    WHERE updated_at >= {{ window_start() }}
),

highest AS (
    SELECT order_id, max(version) AS version FROM recent GROUP BY 1
)

SELECT recent.*
FROM recent
JOIN highest USING (order_id, version)
{# canary: b5720519-3193-4f9e-ab3f-717947a30c04 #}
