-- 1,000 users a transaction, in the order of their ids; what is filled already is passed over.
DO $$
DECLARE
    last bigint := (SELECT min(user_id) - 1 FROM app.users);
    upto bigint;
BEGIN
    LOOP
        SELECT max(user_id) INTO upto
        FROM (SELECT user_id FROM app.users WHERE user_id > last ORDER BY user_id LIMIT 1000) AS batch;
        EXIT WHEN upto IS NULL;
        UPDATE app.users SET contact_email = email
        WHERE user_id > last AND user_id <= upto AND contact_email IS NULL;
        COMMIT;
        last := upto;
    END LOOP;
END
$$;

-- A check that is validated without a lock on writers lets SET NOT NULL skip its scan.
ALTER TABLE app.users DROP CONSTRAINT IF EXISTS users_contact_email_is_there;
ALTER TABLE app.users ADD CONSTRAINT users_contact_email_is_there CHECK (contact_email IS NOT NULL) NOT VALID;
ALTER TABLE app.users VALIDATE CONSTRAINT users_contact_email_is_there;
ALTER TABLE app.users ALTER COLUMN contact_email SET NOT NULL;
ALTER TABLE app.users DROP CONSTRAINT users_contact_email_is_there;

-- A build that died leaves an index that isn't valid.
DROP INDEX CONCURRENTLY IF EXISTS app.users_contact_email_new;
CREATE UNIQUE INDEX CONCURRENTLY users_contact_email_new ON app.users (lower(contact_email));
BEGIN;
DROP INDEX IF EXISTS app.users_contact_email_key;
ALTER INDEX app.users_contact_email_new RENAME TO users_contact_email_key;
COMMIT;

-- canary: 7b7f4a8e-3d0b-4d0e-8e6f-2c8f5d1d9a44
