CREATE OR REPLACE PROCEDURE load_user_batch(p_batch INT) LANGUAGE plpgsql AS $body$
DECLARE
    r RECORD;
    last dim_users%ROWTYPE;
BEGIN
    LOCK TABLE dim_users IN EXCLUSIVE MODE;
    FOR r IN SELECT * FROM app.user_changes WHERE batch_id = p_batch LOOP
        IF r.user_id IS NULL OR r.changed_at IS NULL THEN
            INSERT INTO rejected_user_changes VALUES (r.change_id, r.batch_id, 'user_id or changed_at missing')
            ON CONFLICT DO NOTHING;
        ELSE
            INSERT INTO user_change_log (change_id, batch_id, user_id, name, email, segment, changed_at)
            VALUES (r.change_id, r.batch_id, r.user_id, r.name, r.email, r.segment, r.changed_at)
            ON CONFLICT DO NOTHING;
        END IF;
    END LOOP;

    CREATE TEMP TABLE kept_versions (user_id TEXT, valid_from TIMESTAMPTZ) ON COMMIT DROP;
    FOR r IN
        SELECT l.* FROM user_change_log l
        WHERE l.user_id IN (SELECT user_id FROM app.user_changes WHERE batch_id = p_batch)
          AND NOT EXISTS (SELECT 1 FROM user_change_log n
                          WHERE n.user_id = l.user_id AND n.changed_at = l.changed_at AND n.change_id > l.change_id)
        ORDER BY l.user_id, l.changed_at
    LOOP
        IF last.user_id IS DISTINCT FROM r.user_id
           OR r.name IS DISTINCT FROM last.name
           OR r.email IS DISTINCT FROM last.email
           OR r.segment IS DISTINCT FROM last.segment
        THEN
            IF last.user_id = r.user_id THEN
                UPDATE dim_users SET valid_to = r.changed_at, is_current = FALSE
                WHERE user_id = r.user_id AND valid_from = last.valid_from;
            END IF;
            INSERT INTO dim_users (user_id, name, email, segment, valid_from)
            VALUES (r.user_id, r.name, r.email, r.segment, r.changed_at)
            ON CONFLICT ON CONSTRAINT dim_users_version DO UPDATE
            SET name = excluded.name, email = excluded.email, segment = excluded.segment,
                valid_to = NULL, is_current = TRUE;
            INSERT INTO kept_versions VALUES (r.user_id, r.changed_at);
            last.user_id := r.user_id;
            last.name := r.name;
            last.email := r.email;
            last.segment := r.segment;
            last.valid_from := r.changed_at;
        END IF;
    END LOOP;

    DELETE FROM dim_users d
    WHERE d.user_id IN (SELECT user_id FROM kept_versions)
      AND NOT EXISTS (SELECT 1 FROM kept_versions k WHERE k.user_id = d.user_id AND k.valid_from = d.valid_from);
END
$body$;
-- canary: 48584d07-9657-49eb-bb50-d14c4c0e1b3f
