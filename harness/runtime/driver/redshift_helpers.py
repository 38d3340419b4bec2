"""What a database has to have before Redshift's statements can run in it."""

HELPERS = r"""
CREATE SCHEMA redshift;
GRANT USAGE ON SCHEMA redshift TO PUBLIC;

CREATE TABLE redshift.facts (
    relation oid PRIMARY KEY, diststyle text NOT NULL, distkey text, sortstyle text NOT NULL, sortkey text[] NOT NULL,
    encodings jsonb NOT NULL, primary_key text[] NOT NULL
);
CREATE FUNCTION redshift.keys_are_columns() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    key text;
BEGIN
    SELECT k INTO key FROM unnest(NEW.sortkey || NEW.distkey) k WHERE k NOT IN (
        SELECT attname FROM pg_attribute WHERE attrelid = NEW.relation AND attnum > 0 AND NOT attisdropped);
    IF FOUND THEN
        RAISE 'there is no column %: a key can''t do without, and it can''t be renamed here', key;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER keys_are_columns BEFORE INSERT OR UPDATE ON redshift.facts
    FOR EACH ROW EXECUTE FUNCTION redshift.keys_are_columns();
CREATE TABLE redshift.load_errors (
    starttime timestamp NOT NULL DEFAULT statement_timestamp(), tbl oid, filename text, line_number bigint,
    err_reason text
);

CREATE FUNCTION redshift.note(name text, said jsonb, alike text DEFAULT NULL) RETURNS void
LANGUAGE sql SECURITY DEFINER AS $$
    INSERT INTO redshift.facts
    SELECT name::regclass, coalesce(o.diststyle, said ->> 'diststyle'), coalesce(o.distkey, said ->> 'distkey'),
        coalesce(o.sortstyle, said ->> 'sortstyle'),
        coalesce(o.sortkey, ARRAY(SELECT jsonb_array_elements_text(said -> 'sortkey'))),
        coalesce(o.encodings, said -> 'encodings'),
        ARRAY(SELECT jsonb_array_elements_text(said -> 'primary_key'))
    FROM (SELECT) one LEFT JOIN redshift.facts o ON alike IS NOT NULL AND o.relation = alike::regclass
    ON CONFLICT DO NOTHING
$$;
CREATE FUNCTION redshift.alter(name text, said jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER AS $$
    INSERT INTO redshift.facts VALUES (name::regclass, 'AUTO', NULL, 'AUTO', '{}', '{}', '{}') ON CONFLICT DO NOTHING;
    UPDATE redshift.facts SET
        diststyle = coalesce(said ->> 'diststyle', diststyle),
        distkey = CASE WHEN said ? 'distkey' THEN said ->> 'distkey' ELSE distkey END,
        sortstyle = coalesce(said ->> 'sortstyle', sortstyle),
        sortkey = CASE WHEN said ? 'sortkey' THEN ARRAY(SELECT jsonb_array_elements_text(said -> 'sortkey'))
            ELSE sortkey END
    WHERE relation = name::regclass
$$;

CREATE VIEW redshift.svv_table_info AS
SELECT current_database() AS database, n.nspname AS schema, c.oid AS table_id, c.relname AS "table",
    CASE WHEN f.distkey IS NOT NULL THEN 'KEY(' || f.distkey || ')' WHEN f.diststyle = 'AUTO' THEN 'AUTO(EVEN)'
        ELSE coalesce(f.diststyle, 'AUTO(EVEN)') END AS diststyle,
    CASE WHEN f.sortstyle = 'INTERLEAVED' THEN 'INTERLEAVED' WHEN f.sortkey[1] IS NULL THEN 'AUTO(SORTKEY)'
        ELSE f.sortkey[1] END AS sortkey1,
    coalesce(cardinality(f.sortkey), 0) AS sortkey_num
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN redshift.facts f ON f.relation = c.oid
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'redshift');
CREATE VIEW redshift.pg_table_def AS
SELECT n.nspname AS schemaname, c.relname AS tablename, a.attname AS "column",
    format_type(a.atttypid, a.atttypmod) AS type, coalesce(f.encodings ->> a.attname, 'none') AS encoding,
    a.attname = coalesce(f.distkey, '') AS distkey, coalesce(array_position(f.sortkey, a.attname::text), 0) AS sortkey,
    a.attnotnull AS "notnull"
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
LEFT JOIN redshift.facts f ON f.relation = c.oid
WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname = ANY (current_schemas(true))
    AND n.nspname NOT IN ('pg_catalog', 'redshift');
CREATE VIEW redshift.stl_load_errors AS SELECT * FROM redshift.load_errors;
GRANT SELECT ON redshift.svv_table_info, redshift.pg_table_def, redshift.stl_load_errors TO PUBLIC;
GRANT INSERT ON redshift.load_errors TO PUBLIC;

CREATE FUNCTION redshift.getdate() RETURNS timestamp LANGUAGE sql STABLE AS
    $$ SELECT date_trunc('second', statement_timestamp() AT TIME ZONE 'UTC') $$;
CREATE FUNCTION redshift.sysdate() RETURNS timestamp LANGUAGE sql STABLE AS
    $$ SELECT transaction_timestamp() AT TIME ZONE 'UTC' $$;
CREATE FUNCTION redshift.last_copy_count() RETURNS bigint LANGUAGE sql STABLE AS
    $$ SELECT coalesce(nullif(current_setting('redshift.copied', true), ''), '0')::bigint $$;
-- Counts the boundaries between the two, as Redshift does: a second may be a year.
CREATE FUNCTION redshift.datediff(part text, a timestamp, b timestamp) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
        WHEN part IN ('year', 'quarter', 'month') THEN
            ((extract(year FROM b) * 12 + extract(month FROM b) - 1)::int / m - (extract(year FROM a) * 12
            + extract(month FROM a) - 1)::int / m)
        ELSE round(extract(epoch FROM date_trunc(part, b) - date_trunc(part, a))
            / extract(epoch FROM ('1 ' || part)::interval))::bigint END
    FROM (SELECT CASE part WHEN 'year' THEN 12 WHEN 'quarter' THEN 3 ELSE 1 END AS m) months
$$;
CREATE FUNCTION redshift.dateadd(part text, number numeric, moment timestamp) RETURNS timestamp
LANGUAGE sql IMMUTABLE AS $$
    SELECT moment + trunc(number)::int * CASE part WHEN 'quarter' THEN interval '3 months'
        ELSE ('1 ' || part)::interval END
$$;

-- A date is cut to a timestamp, without a time zone.
CREATE FUNCTION redshift.date_trunc(part text, moment timestamp) RETURNS timestamp LANGUAGE sql IMMUTABLE AS
    $$ SELECT date_trunc(part, moment) $$;
CREATE FUNCTION redshift.date_trunc(part text, day date) RETURNS timestamp LANGUAGE sql IMMUTABLE AS
    $$ SELECT date_trunc(part, day::timestamp) $$;
CREATE FUNCTION redshift.date_trunc(part text, moment timestamptz) RETURNS timestamptz LANGUAGE sql STABLE AS
    $$ SELECT date_trunc(part, moment) $$;

-- AVG of whole numbers is a whole number.
CREATE FUNCTION redshift.avg_end(state bigint[]) RETURNS bigint LANGUAGE sql IMMUTABLE AS
    $$ SELECT state[2] / nullif(state[1], 0) $$;
CREATE AGGREGATE redshift.avg(smallint)
    (SFUNC = int2_avg_accum, STYPE = bigint[], INITCOND = '{0,0}', FINALFUNC = redshift.avg_end);
CREATE AGGREGATE redshift.avg(integer)
    (SFUNC = int4_avg_accum, STYPE = bigint[], INITCOND = '{0,0}', FINALFUNC = redshift.avg_end);
CREATE FUNCTION redshift.avg_end(state numeric[]) RETURNS bigint LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE WHEN state[2] > 0 THEN trunc(state[1] / state[2])::bigint END $$;
CREATE FUNCTION redshift.avg_step(state numeric[], value bigint) RETURNS numeric[] LANGUAGE sql IMMUTABLE AS
    $$ SELECT CASE WHEN value IS NULL THEN state ELSE ARRAY[state[1] + value, state[2] + 1] END $$;
CREATE AGGREGATE redshift.avg(bigint)
    (SFUNC = redshift.avg_step, STYPE = numeric[], INITCOND = '{0,0}', FINALFUNC = redshift.avg_end);
CREATE AGGREGATE redshift.avg(numeric)
    (SFUNC = numeric_avg_accum, STYPE = internal, FINALFUNC = numeric_avg);
CREATE AGGREGATE redshift.avg(double precision)
    (SFUNC = float8_accum, STYPE = float8[], INITCOND = '{0,0,0}', FINALFUNC = float8_avg);

-- Loads what stands in pg_temp.redshift_load, which COPY has filled.
CREATE FUNCTION redshift.load(target text, names text[], options jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    relation regclass := target::regclass;
    part record;
    form record;
    raw text;
    named text[] := '{}';
    made text[] := '{}';
    wrong text[] := '{}';
    place int := 0;
    is_json boolean := EXISTS (SELECT FROM pg_temp.redshift_load WHERE jsonb_typeof(record) = 'object');
    problem text;
    bad bigint;
    first text;
    loaded bigint;
BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation AND attidentity <> '' AND cardinality(names) = 0) THEN
        RAISE 'Load into table ''%'' failed: it has an IDENTITY column, so COPY has to name the columns', target;
    END IF;
    FOR part IN
        SELECT a.attname, format_type(a.atttypid, a.atttypmod) AS kind, a.attnotnull, t.typcategory, a.atttypmod,
            t.typname
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
            AND (cardinality(names) = 0 OR a.attname = ANY (names))
        ORDER BY CASE WHEN cardinality(names) > 0 THEN array_position(names, a.attname::text) ELSE a.attnum END
    LOOP
        raw := CASE WHEN is_json THEN format('record ->> %L', part.attname) ELSE format('record ->> %s', place) END;
        place := place + 1;
        raw := format('nullif(%s, %L)', raw, options ->> 'null');
        IF part.typcategory = 'S' THEN
            IF (options ->> 'trimblanks')::boolean THEN raw := format('rtrim(%s)', raw); END IF;
            IF (options ->> 'emptyasnull')::boolean THEN raw := format('nullif(%s, '''')', raw); END IF;
            IF (options ->> 'blanksasnull')::boolean THEN
                raw := format('CASE WHEN btrim(%s) <> '''' OR %1$s = '''' THEN %1$s END', raw);
            END IF;
            IF part.atttypmod > 4 THEN
                wrong := wrong || format('CASE WHEN octet_length(%s) > %s THEN %L END', raw, part.atttypmod - 4,
                    part.attname || ': String length exceeds DDL length');
            END IF;
        ELSE
            raw := format('nullif(btrim(%s), '''')', raw);
            -- PostgreSQL reads more than Redshift does.
            SELECT * INTO form FROM (VALUES
                ('(int2|int4|int8)', '^[+-]?\d+$', 'Invalid digit'),
                ('numeric', '^[+-]?(\d+\.?\d*|\.\d+)$', 'Invalid digit'),
                (CASE WHEN NOT (options ->> 'dateformat')::boolean THEN 'date' END,
                    '^\d{4}-\d{1,2}-\d{1,2}( |$)', 'Invalid date format [YYYY-MM-DD]'),
                (CASE WHEN NOT (options ->> 'timeformat')::boolean THEN 'timestamp(tz)?' END,
                    '^\d{4}-\d{1,2}-\d{1,2}( \d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?([+-]\d{2}(:?\d{2})?)?$',
                    'Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]')
            ) AS known (kind, pattern, said) WHERE part.typname ~ ('^' || kind || '$');
            IF FOUND THEN
                wrong := wrong || format('CASE WHEN %s !~ %L THEN %L END', raw, form.pattern,
                    part.attname || ': ' || form.said);
            END IF;
            IF part.typname = 'numeric' THEN
                -- What is beyond the column's scale is cut off, unless ROUNDEC says otherwise.
                raw := format('CASE WHEN pg_input_is_valid(%s, ''numeric'') THEN trunc((%1$s)::numeric, %s)::text'
                    || ' ELSE %1$s END', raw, (part.atttypmod - 4) & 65535);
            END IF;
        END IF;
        wrong := wrong || format('CASE WHEN NOT pg_input_is_valid(%s, %L) THEN %L END', raw,
            CASE WHEN part.typcategory = 'S' THEN 'text' ELSE part.kind END,
            part.attname || ': Invalid value for ' || part.kind);
        IF part.attnotnull THEN
            wrong := wrong || format('CASE WHEN (%s) IS NULL THEN %L END', raw,
                part.attname || ': Missing data for not-null field');
        END IF;
        named := named || quote_ident(part.attname);
        made := made || format('(%s)::%s', raw, part.kind);
    END LOOP;
    IF cardinality(names) > place THEN
        RAISE 'Load into table ''%'' failed: it has no column of some of these names: %', target, names;
    END IF;
    IF NOT is_json THEN
        wrong := format('CASE WHEN jsonb_array_length(record) > %s THEN ''Extra column(s) found'' END', place)
            || wrong;
        IF NOT (options ->> 'fillrecord')::boolean THEN
            wrong := format('CASE WHEN jsonb_array_length(record) < %s THEN ''Delimiter not found'' END', place)
                || wrong;
        END IF;
    END IF;
    problem := format('coalesce(%s)', array_to_string(wrong, ', '));
    EXECUTE format('SELECT count(*), min(file || '', line '' || line || '': '' || %s) FROM pg_temp.redshift_load'
        || ' WHERE %1$s IS NOT NULL', problem) INTO bad, first;
    IF bad > (options ->> 'maxerror')::bigint THEN
        RAISE 'Load into table ''%'' failed: % line(s) with errors, e.g. %', target, bad, first;
    END IF;
    IF bad > 0 THEN
        EXECUTE format('INSERT INTO redshift.load_errors (tbl, filename, line_number, err_reason)'
            || ' SELECT %s, file, line, %s FROM pg_temp.redshift_load WHERE %2$s IS NOT NULL', relation::oid, problem);
    END IF;
    EXECUTE format('INSERT INTO %s (%s) SELECT %s FROM pg_temp.redshift_load WHERE %s IS NULL ORDER BY file, line',
        relation, array_to_string(named, ', '), array_to_string(made, ', '), problem);
    GET DIAGNOSTICS loaded = ROW_COUNT;
    PERFORM set_config('redshift.copied', loaded::text, false);
    RAISE INFO 'Load into table ''%'' completed, % record(s) loaded successfully.', target, loaded;
    RETURN loaded;
END
$$
"""
