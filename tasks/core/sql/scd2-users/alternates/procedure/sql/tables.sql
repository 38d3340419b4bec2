SET client_min_messages TO warning;
CREATE TABLE IF NOT EXISTS public.dim_users (
    user_key   BIGSERIAL PRIMARY KEY,
    user_id    VARCHAR(100) NOT NULL,
    name       VARCHAR(255),
    email      VARCHAR(255),
    segment    VARCHAR(50),
    valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
    valid_to   TIMESTAMP WITH TIME ZONE,
    is_current BOOLEAN NOT NULL DEFAULT TRUE,
    loaded_at  TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(),
    CONSTRAINT dim_users_version UNIQUE (user_id, valid_from)
);
CREATE TABLE IF NOT EXISTS public.rejected_user_changes (
    change_id BIGINT PRIMARY KEY,
    batch_id  INT,
    reason    VARCHAR(200)
);
CREATE TABLE IF NOT EXISTS public.user_change_log (LIKE app.user_changes, PRIMARY KEY (change_id));
-- canary: 48584d07-9657-49eb-bb50-d14c4c0e1b3f
