BEGIN;
-- The columns of the view keep their names and types.
CREATE OR REPLACE VIEW reporting.contacts AS
    SELECT user_id, contact_email::varchar(120) AS email, split_part(contact_email, '@', 2)::text AS domain
    FROM app.users;
DROP TRIGGER IF EXISTS users_keep_addresses_in_step ON app.users;
DROP FUNCTION IF EXISTS app.keep_addresses_in_step();
ALTER TABLE app.users DROP COLUMN IF EXISTS email;
COMMIT;

-- canary: 7b7f4a8e-3d0b-4d0e-8e6f-2c8f5d1d9a44
