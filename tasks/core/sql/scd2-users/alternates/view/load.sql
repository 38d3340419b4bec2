-- The log is the table, the history a view on it. psql -v batch_id=17 -f load.sql
\set ON_ERROR_STOP on

CREATE SCHEMA IF NOT EXISTS history;

CREATE TABLE IF NOT EXISTS history.statements (
    change_id BIGINT PRIMARY KEY,
    batch_id INT,
    user_id TEXT,
    name TEXT,
    email TEXT,
    segment TEXT,
    changed_at TIMESTAMPTZ
);

-- A key for every moment that may open a version, given once.
CREATE TABLE IF NOT EXISTS history.moments (
    user_key BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id TEXT,
    changed_at TIMESTAMPTZ,
    UNIQUE (user_id, changed_at)
);

BEGIN;

INSERT INTO history.moments (user_id, changed_at)
SELECT DISTINCT user_id, changed_at FROM app.user_changes
WHERE batch_id = :batch_id AND user_id IS NOT NULL AND changed_at IS NOT NULL
ON CONFLICT DO NOTHING;

INSERT INTO history.statements
SELECT change_id, batch_id, user_id, name, email, segment, changed_at
FROM app.user_changes WHERE batch_id = :batch_id
ON CONFLICT DO NOTHING;

COMMIT;

CREATE OR REPLACE VIEW public.rejected_user_changes AS
SELECT change_id, batch_id,
       CASE WHEN user_id IS NULL THEN 'user_id is NULL' ELSE 'changed_at is NULL' END AS reason
FROM history.statements
WHERE user_id IS NULL OR changed_at IS NULL;

CREATE OR REPLACE VIEW public.dim_users AS
WITH moments AS (
    SELECT m.user_key, max(s.change_id) AS change_id, m.user_id, m.changed_at
    FROM history.moments m JOIN history.statements s USING (user_id, changed_at)
    GROUP BY m.user_key
), marked AS (
    SELECT m.user_key, m.user_id, s.name, s.email, s.segment, m.changed_at,
           lag(jsonb_build_array(s.name, s.email, s.segment)) OVER w
               IS DISTINCT FROM jsonb_build_array(s.name, s.email, s.segment) AS is_change
    FROM moments m JOIN history.statements s USING (change_id)
    WINDOW w AS (PARTITION BY m.user_id ORDER BY m.changed_at)
)
SELECT user_key, user_id, name, email, segment,
       changed_at AS valid_from,
       lead(changed_at) OVER u AS valid_to,
       lead(changed_at) OVER u IS NULL AS is_current
FROM marked WHERE is_change
WINDOW u AS (PARTITION BY user_id ORDER BY changed_at);
-- canary: 48584d07-9657-49eb-bb50-d14c4c0e1b3f
