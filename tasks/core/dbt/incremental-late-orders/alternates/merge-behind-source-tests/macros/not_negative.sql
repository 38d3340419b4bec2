{% test not_negative(model, column_name) %}
    SELECT {{ column_name }} FROM {{ model }} WHERE {{ column_name }} < 0
{% endtest %}
{# canary: b5720519-3193-4f9e-ab3f-717947a30c04 #}
