BEGIN;
DROP TRIGGER IF EXISTS users_keep_addresses_in_step ON app.users;
DROP FUNCTION IF EXISTS app.keep_addresses_in_step();
ALTER TABLE app.users DROP COLUMN IF EXISTS contact_email;
COMMIT;

-- canary: 7b7f4a8e-3d0b-4d0e-8e6f-2c8f5d1d9a44
