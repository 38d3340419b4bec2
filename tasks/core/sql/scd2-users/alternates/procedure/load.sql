\set ON_ERROR_STOP on
\ir sql/tables.sql
\ir sql/procedures.sql
CALL load_user_batch(:batch_id);
-- canary: 48584d07-9657-49eb-bb50-d14c4c0e1b3f
