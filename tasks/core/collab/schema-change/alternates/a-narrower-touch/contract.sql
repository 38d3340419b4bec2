START TRANSACTION;
SET LOCAL lock_timeout = '5s';
DROP VIEW IF EXISTS reporting.contacts;
CREATE VIEW reporting.contacts (user_id, email, domain) AS
    SELECT user_id, contact_email, substring(contact_email FROM position('@' IN contact_email) + 1) FROM app.users;
DROP FUNCTION IF EXISTS app.both_addresses CASCADE;
CREATE OR REPLACE TRIGGER touch BEFORE UPDATE ON app.users FOR EACH ROW EXECUTE FUNCTION app.touch();
ALTER TABLE app.users DROP COLUMN IF EXISTS email;
COMMIT;

-- canary: 7b7f4a8e-3d0b-4d0e-8e6f-2c8f5d1d9a44
