{% test has_rows(model) %}
    SELECT 1 AS problem FROM (SELECT count(*) AS n FROM {{ model }}) AS counted WHERE n = 0
{% endtest %}
{# canary: 8d71abaf-cdd6-4252-a92a-7c317be39eda #}
