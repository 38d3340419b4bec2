{% macro window_start() %}
    {% if is_incremental() %}
        {% set newest = run_query('SELECT max(updated_at) FROM ' ~ this).columns[0].values()[0] %}
        {% if newest %}
            {{ return("TIMESTAMP '" ~ newest ~ "' - INTERVAL '" ~ var('lookback_days', 7) ~ " days'") }}
        {% endif %}
    {% endif %}
    {{ return("'-infinity'::TIMESTAMP") }}
{% endmacro %}
{# canary: b5720519-3193-4f9e-ab3f-717947a30c04 #}
