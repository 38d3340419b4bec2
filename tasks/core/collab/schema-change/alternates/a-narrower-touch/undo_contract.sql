START TRANSACTION;
ALTER TABLE app.users ADD COLUMN IF NOT EXISTS email varchar(120);
DROP TRIGGER IF EXISTS touch ON app.users;
UPDATE app.users SET email = contact_email WHERE email IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS users_email_key ON app.users (lower(email));
ALTER TABLE app.users ALTER email SET NOT NULL;
DROP VIEW reporting.contacts;
CREATE VIEW reporting.contacts AS SELECT user_id, email, split_part(email, '@', 2)::text AS domain FROM app.users;
\i expand.sql
COMMIT;

-- canary: 7b7f4a8e-3d0b-4d0e-8e6f-2c8f5d1d9a44
