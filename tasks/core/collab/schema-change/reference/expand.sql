-- contact_email beside email, kept in step by a trigger. Adding a column without a default rewrites nothing.
BEGIN;
ALTER TABLE app.users ADD COLUMN IF NOT EXISTS contact_email text;

CREATE OR REPLACE FUNCTION app.keep_addresses_in_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.email := coalesce(NEW.email, NEW.contact_email);
        NEW.contact_email := NEW.email;
    ELSIF NEW.email IS DISTINCT FROM OLD.email THEN
        NEW.contact_email := NEW.email;
    ELSIF NEW.contact_email IS DISTINCT FROM OLD.contact_email THEN
        IF OLD.contact_email IS NULL AND NEW.contact_email = OLD.email THEN
            -- The backfill: nothing has happened to the user. This trigger comes after touch, by its name.
            NEW.updated_at := OLD.updated_at;
        END IF;
        NEW.email := NEW.contact_email;
    ELSE
        NEW.contact_email := NEW.email;
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER users_keep_addresses_in_step BEFORE INSERT OR UPDATE ON app.users
    FOR EACH ROW EXECUTE FUNCTION app.keep_addresses_in_step();
COMMIT;

-- canary: 7b7f4a8e-3d0b-4d0e-8e6f-2c8f5d1d9a44
