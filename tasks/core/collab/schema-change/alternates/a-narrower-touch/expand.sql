ALTER TABLE app.users ADD COLUMN IF NOT EXISTS contact_email text;
CREATE UNIQUE INDEX IF NOT EXISTS users_contact_key ON app.users (lower(contact_email));

CREATE OR REPLACE FUNCTION app.both_addresses() RETURNS trigger AS $body$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.contact_email IS DISTINCT FROM OLD.contact_email AND NEW.email = OLD.email THEN
            NEW.email = NEW.contact_email;
            RETURN NEW;
        END IF;
    ELSIF NEW.email IS NULL THEN
        NEW.email = NEW.contact_email;
        RETURN NEW;
    END IF;
    NEW.contact_email = NEW.email;
    RETURN NEW;
END
$body$ LANGUAGE plpgsql;

-- Filling contact_email is no change of a user. both_addresses comes first, by its name.
CREATE OR REPLACE TRIGGER touch BEFORE UPDATE ON app.users FOR EACH ROW
    WHEN ((OLD.user_id, OLD.email, OLD.name) IS DISTINCT FROM (NEW.user_id, NEW.email, NEW.name))
    EXECUTE FUNCTION app.touch();
CREATE OR REPLACE TRIGGER both_addresses BEFORE INSERT OR UPDATE ON app.users FOR EACH ROW
    EXECUTE FUNCTION app.both_addresses();

-- canary: 7b7f4a8e-3d0b-4d0e-8e6f-2c8f5d1d9a44
