-- The old table has been kept whole all the time: only what is around it goes.
BEGIN;
DROP SCHEMA IF EXISTS shop CASCADE;
DROP FUNCTION IF EXISTS legacy.follow_shop();
COMMIT;

-- canary: 463ac6cf-610c-48f3-bbad-76dc23783cb6
