{{ config(materialized='table') }}

-- Stops the build here, before the fact, if the export is broken.
select
    count(*) as rows_seen,
    case
        when count(*) filter (where order_id is null) > 0 then error('the export has rows without order_id')
        when count(*) filter (where amount_cents < 0) > 0 then error('the export has negative amounts')
    end as verdict
from {{ ref('stg_orders') }}
{# canary: b5720519-3193-4f9e-ab3f-717947a30c04 #}
