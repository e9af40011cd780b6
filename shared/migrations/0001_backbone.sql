-- The backbone that every service's database has: walls, journal, projection cursors, access, and the one commit.
-- Roles: {login} runs the service and owns nothing; {relay} reads journals across schools; {owner} migrates.

-- Walls ------------------------------------------------------------------------------------------------------------

CREATE FUNCTION current_school() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT NULLIF(current_setting('app.school', true), '') $$;

-- Row-level security for a table with a `school` column: only the rows of the transaction's school exist.
CREATE FUNCTION tenant_policy(p_table regclass) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', p_table);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', p_table);
    EXECUTE format(
        'CREATE POLICY tenant ON %s USING (school = (SELECT current_school())) WITH CHECK (school = (SELECT current_school()))',
        p_table);
END $$;

-- The same, and the two functions through which commit_changes writes the table. The key must be (school, id), beside a
-- `version int`. Call it again after a column was added: the functions list the columns.
CREATE FUNCTION tenant_table(p_table regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_name text := (SELECT relname FROM pg_class WHERE oid = p_table);
    v_columns text;
    v_sources text;
BEGIN
    IF NOT (SELECT relrowsecurity FROM pg_class WHERE oid = p_table) THEN
        PERFORM tenant_policy(p_table);
    END IF;
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum), string_agg('n.' || quote_ident(attname), ', ' ORDER BY attnum)
      INTO v_columns, v_sources
      FROM pg_attribute
     WHERE attrelid = p_table AND attnum > 0 AND NOT attisdropped AND attname NOT IN ('school', 'id', 'version');
    EXECUTE format($make$
        CREATE OR REPLACE FUNCTION %1$I(p_school text, p_rows jsonb) RETURNS SETOF uuid LANGUAGE plpgsql VOLATILE AS $body$
        DECLARE
            v_ids uuid[] := ARRAY(SELECT (r->>'id')::uuid FROM jsonb_array_elements(p_rows) r WHERE (r->>'seen')::int > 0);
        BEGIN
            IF v_ids = '{}' THEN
                RETURN;  -- a new row that is there already breaks its key
            END IF;
            -- A locked row is read as it is after the wait, not as the statement's snapshot had it. No stronger a lock than
            -- the update's own: whoever refers to the row (KEY SHARE) need not wait.
            RETURN QUERY
                WITH found AS MATERIALIZED (
                    SELECT t.id, t.version FROM %2$s t WHERE t.school = p_school AND t.id = ANY (v_ids) ORDER BY t.id FOR NO KEY UPDATE)
                SELECT (r->>'id')::uuid FROM jsonb_array_elements(p_rows) r LEFT JOIN found f ON f.id = (r->>'id')::uuid
                 WHERE (r->>'seen')::int > 0 AND f.version IS DISTINCT FROM (r->>'seen')::int;
        END $body$ $make$, 'stale_' || v_name, p_table);
    EXECUTE format($make$
        CREATE OR REPLACE FUNCTION %1$I(p_school text, p_rows jsonb) RETURNS void LANGUAGE plpgsql VOLATILE AS $body$
        DECLARE
            r jsonb;
        BEGIN
            INSERT INTO %2$s (school, id, version, %3$s)
            SELECT p_school, (x->>'id')::uuid, 1, %4$s
              FROM jsonb_array_elements(p_rows) x, jsonb_populate_record(NULL::%2$s, x->'values') n
             WHERE (x->>'seen')::int = 0;
            FOR r IN SELECT x FROM jsonb_array_elements(p_rows) x WHERE (x->>'seen')::int > 0 LOOP
                IF jsonb_typeof(r->'values') = 'object' THEN
                    UPDATE %2$s t
                       SET (version, %3$s) = (SELECT t.version + 1, %4$s FROM jsonb_populate_record(t, r->'values') n)
                     WHERE t.school = p_school AND t.id = (r->>'id')::uuid;
                ELSE
                    DELETE FROM %2$s t WHERE t.school = p_school AND t.id = (r->>'id')::uuid;
                END IF;
            END LOOP;
        END $body$ $make$, 'write_' || v_name, p_table, v_columns, v_sources);
END $$;

-- Makes the functions that call a table's writers and a command's reader by name. Written out, so that PostgreSQL keeps
-- their plans: dynamic SQL in the commit cost a millisecond a command. The migration runner calls it last.
CREATE FUNCTION make_dispatchers() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_stale text := '';
    v_write text := '';
    v_read text := '';
    v_name text;
BEGIN
    FOR v_name IN
        SELECT substr(proname, 7) FROM pg_proc
         WHERE proname LIKE 'write\_%' AND pronamespace = 'public'::regnamespace
           AND pg_get_function_arguments(oid) = 'p_school text, p_rows jsonb' AND proname <> 'write_rows'
         ORDER BY 1
    LOOP
        v_stale := v_stale || format('WHEN %L THEN RETURN ARRAY(SELECT %I(p_school, p_rows)); ', v_name, 'stale_' || v_name);
        v_write := v_write || format('WHEN %L THEN PERFORM %I(p_school, p_rows); ', v_name, 'write_' || v_name);
    END LOOP;
    FOR v_name IN
        SELECT proname FROM pg_proc
         WHERE proname LIKE 'read\_%' AND pronamespace = 'public'::regnamespace
           AND pg_get_function_arguments(oid) = 'p_args jsonb'
         ORDER BY 1
    LOOP
        v_read := v_read || format('WHEN %L THEN RETURN %I(p_args); ', v_name, v_name);
    END LOOP;
    EXECUTE format($make$
        CREATE OR REPLACE FUNCTION stale_rows(p_table text, p_school text, p_rows jsonb) RETURNS uuid[]
        LANGUAGE plpgsql VOLATILE AS $body$ BEGIN CASE p_table %s END CASE; END $body$ $make$, v_stale);
    EXECUTE format($make$
        CREATE OR REPLACE FUNCTION write_rows(p_table text, p_school text, p_rows jsonb) RETURNS void
        LANGUAGE plpgsql VOLATILE AS $body$ BEGIN CASE p_table %s END CASE; END $body$ $make$, v_write);
    EXECUTE format($make$
        CREATE OR REPLACE FUNCTION call_reader(p_reader text, p_args jsonb) RETURNS jsonb
        LANGUAGE plpgsql VOLATILE AS $body$ BEGIN CASE p_reader WHEN '' THEN RETURN NULL; %s END CASE; END $body$ $make$, v_read);
END $$;

-- Journal: outbox, history and replay source in one ----------------------------------------------------------------

CREATE TABLE journal_head (
    school text NOT NULL,
    epoch int NOT NULL,
    seq bigint NOT NULL,
    hash text NOT NULL,
    CONSTRAINT journal_head_pk PRIMARY KEY (school)
);
CREATE TABLE journal (
    school text NOT NULL,
    seq bigint NOT NULL,
    epoch int NOT NULL,
    type text NOT NULL,
    about uuid NOT NULL,
    recorded_at timestamptz NOT NULL,
    hash text NOT NULL,
    event text NOT NULL,
    CONSTRAINT journal_pk PRIMARY KEY (school, seq)
);
CREATE INDEX journal_access ON journal (school, seq DESC) WHERE type = 'nl.samenkracht.network.access.changed.v1';
CREATE TABLE relay_cursor (
    school text NOT NULL,
    epoch int NOT NULL,
    seq bigint NOT NULL,
    CONSTRAINT relay_cursor_pk PRIMARY KEY (school)
);
SELECT tenant_policy('journal_head');
SELECT tenant_policy('journal');
SELECT tenant_policy('relay_cursor');
CREATE POLICY relay_reads ON journal_head FOR SELECT TO {relay} USING (true);
CREATE POLICY relay_reads ON journal FOR SELECT TO {relay} USING (true);
CREATE POLICY relay_moves ON relay_cursor TO {relay} USING (true) WITH CHECK (true);
GRANT SELECT ON journal_head, journal TO {relay};
GRANT SELECT, INSERT, UPDATE ON relay_cursor TO {relay};
REVOKE UPDATE, DELETE, TRUNCATE ON journal FROM {login};
REVOKE INSERT, UPDATE, DELETE ON relay_cursor FROM {login};

-- Appends events (an array of {type, about, body}) to the school's journal. Takes the head's lock, held to commit: seq is
-- dense and its order is the commit order. Each event's bytes are finished here, with its number and its predecessor's
-- hash. p_epoch and p_seq are network's position that they were judged by; an event's own `judged` [epoch, seq] goes
-- before it. Returns the last seq. Call it last in a transaction, and once.
CREATE FUNCTION append_events(p_school text, p_events jsonb, p_at timestamptz, p_epoch int, p_seq bigint)
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_head journal_head;
    v_tail text := ',"recordedat":"' || to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '","networkepoch":';
    v_event jsonb;
    v_text text;
    v_seqs bigint[] := '{}';
    v_hashes text[] := '{}';
    v_texts text[] := '{}';
BEGIN
    SELECT * INTO v_head FROM journal_head WHERE school = p_school FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO journal_head VALUES (p_school, 1, 0, repeat('0', 64)) ON CONFLICT DO NOTHING;
        SELECT * INTO v_head FROM journal_head WHERE school = p_school FOR UPDATE;
    END IF;
    FOR v_event IN SELECT jsonb_array_elements(p_events) LOOP
        v_head.seq := v_head.seq + 1;
        v_text := left(v_event->>'body', -1) || ',"epoch":' || v_head.epoch || ',"seq":' || v_head.seq
                  || ',"prevhash":"' || v_head.hash || '"' || v_tail || coalesce(v_event->'judged'->>0, p_epoch::text)
                  || ',"networkseq":' || coalesce(v_event->'judged'->>1, p_seq::text) || '}';
        IF octet_length(v_text) > 900000 THEN  -- the broker takes a megabyte: a larger one would hold up all behind it
            RAISE EXCEPTION 'an event of % bytes is too large', octet_length(v_text) USING ERRCODE = 'data_exception';
        END IF;
        v_head.hash := encode(sha256(convert_to(v_text, 'UTF8')), 'hex');
        v_seqs := v_seqs || v_head.seq;
        v_hashes := v_hashes || v_head.hash;
        v_texts := v_texts || v_text;
    END LOOP;
    INSERT INTO journal (school, seq, epoch, type, about, recorded_at, hash, event)
    SELECT p_school, n.seq, v_head.epoch, e->>'type', (e->>'about')::uuid, p_at, n.hash, n.event
      FROM jsonb_array_elements(p_events) WITH ORDINALITY AS x (e, i)
      JOIN unnest(v_seqs, v_hashes, v_texts) WITH ORDINALITY AS n (seq, hash, event, i) USING (i);
    UPDATE journal_head SET seq = v_head.seq, hash = v_head.hash WHERE school = p_school;
    RETURN v_head.seq;
END $$;

-- Projections --------------------------------------------------------------------------------------------------------

CREATE TABLE projection_cursor (
    school text NOT NULL,
    producer text NOT NULL,
    epoch int NOT NULL,
    seq bigint NOT NULL,
    hash text NOT NULL,
    CONSTRAINT projection_cursor_pk PRIMARY KEY (school, producer)
);
CREATE TABLE dead_letter (
    school text NOT NULL,
    producer text NOT NULL,
    seq bigint NOT NULL,
    about uuid NOT NULL,
    event text NOT NULL,
    state text NOT NULL CONSTRAINT dead_letter_state CHECK (state IN ('parked', 'waiting', 'blocking')),
    code text NOT NULL,
    tries int NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT dead_letter_pk PRIMARY KEY (school, producer, seq)
);
CREATE INDEX dead_letter_about ON dead_letter (school, producer, about, seq);
SELECT tenant_policy('projection_cursor');
SELECT tenant_policy('dead_letter');

-- Opens a lane for a batch: sets the school, takes the exclusive locks of the subjects whose access it may change, in
-- key order, then the lane's cursor. Returns the cursor, and the subjects that wait behind a parked event.
CREATE FUNCTION open_lane(p_school text, p_producer text, p_subjects uuid[])
RETURNS TABLE (epoch int, seq bigint, hash text, parked uuid[], blocked boolean, domain_now timestamptz) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_key bigint;
BEGIN
    PERFORM set_config('app.school', p_school, true);
    FOR v_key IN SELECT DISTINCT access_key(p_school, s) FROM unnest(p_subjects) s ORDER BY 1 LOOP
        PERFORM pg_advisory_xact_lock(v_key);
    END LOOP;
    PERFORM 1 FROM projection_cursor c WHERE c.school = p_school AND c.producer = p_producer FOR UPDATE;
    IF NOT FOUND THEN
        INSERT INTO projection_cursor VALUES (p_school, p_producer, 0, 0, repeat('0', 64)) ON CONFLICT DO NOTHING;
        PERFORM 1 FROM projection_cursor c WHERE c.school = p_school AND c.producer = p_producer FOR UPDATE;
    END IF;
    RETURN QUERY
        SELECT c.epoch, c.seq, c.hash,
               (SELECT array_agg(DISTINCT d.about) FROM dead_letter d
                 WHERE d.school = p_school AND d.producer = p_producer AND d.state <> 'blocking'),
               EXISTS (SELECT FROM dead_letter d
                        WHERE d.school = p_school AND d.producer = p_producer AND d.state = 'blocking'),
               clock_timestamp() + (SELECT shift FROM time_shift)
          FROM projection_cursor c WHERE c.school = p_school AND c.producer = p_producer;
END $$;

-- Access -------------------------------------------------------------------------------------------------------------

CREATE TABLE access (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    grants jsonb NOT NULL,
    epoch int NOT NULL,
    seq bigint NOT NULL,
    lease_reading timestamptz,
    lease_generation text,
    CONSTRAINT access_pk PRIMARY KEY (school, id)
);
COMMENT ON TABLE access IS 'A subject''s grants as network last told them: id is the subject, version the revision, grants an object of lists keyed by member';
CREATE TABLE access_lease (
    school text NOT NULL,
    reading timestamptz NOT NULL,
    generation text NOT NULL,
    epoch int NOT NULL,
    seq bigint NOT NULL,
    CONSTRAINT access_lease_pk PRIMARY KEY (school, reading)
);
CREATE TABLE under_review (
    school text NOT NULL,
    id uuid NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT under_review_pk PRIMARY KEY (school, id)
);
COMMENT ON TABLE under_review IS 'Subjects named in a tail that `samen recover` took back: denied until a person has looked';
CREATE TABLE access_generation (
    only_row boolean NOT NULL DEFAULT true CONSTRAINT access_generation_one CHECK (only_row),
    generation text NOT NULL,
    rebuilding boolean NOT NULL,
    read_at timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT access_generation_pk PRIMARY KEY (only_row)
);
COMMENT ON COLUMN access_generation.read_at IS 'The latest reading for a lease: a clock that shows less has stepped back';
INSERT INTO access_generation VALUES (true, gen_random_uuid()::text, false);
SELECT tenant_table('access');
SELECT tenant_policy('access_lease');
SELECT tenant_policy('under_review');

CREATE FUNCTION access_key(p_school text, p_subject uuid) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT hashtextextended(p_school || '/' || p_subject::text, 0) $$;

-- The projection's generation, with the server's timeline: new after a rebuild, a restore or a failover.
CREATE FUNCTION generation_now() RETURNS text LANGUAGE sql VOLATILE AS
$$ SELECT generation || '@' || left(pg_walfile_name(pg_current_wal_lsn()), 8) FROM access_generation $$;

-- Tells whether a lease stands behind the school's whole projection at p_now.
CREATE FUNCTION leased(p_school text, p_now timestamptz) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM access_lease l
          LEFT JOIN projection_cursor c ON c.school = l.school AND c.producer = 'network'
         WHERE l.school = p_school AND l.reading <= p_now AND p_now < l.reading + interval '5 seconds'
           AND l.generation = generation_now() AND coalesce(c.seq, 0) >= l.seq);
END $$;

-- Reads the clock and the generation for leases. A clock that shows less than the last reading has stepped back by
-- `stepped`: every lease would hold that much longer than it may, so a new generation voids them all.
CREATE FUNCTION read_for_lease(OUT reading timestamptz, OUT generation text, OUT stepped interval) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_before timestamptz;
BEGIN
    SELECT g.read_at INTO v_before FROM access_generation g FOR UPDATE;
    reading := clock_timestamp();
    IF reading < v_before THEN
        stepped := v_before - reading;
        UPDATE access_generation g SET read_at = reading, generation = gen_random_uuid()::text;
    ELSE
        PERFORM set_config('synchronous_commit', 'off', true);
        UPDATE access_generation g SET read_at = reading;
    END IF;
    generation := generation_now();
END $$;

-- Stores network's answer to "where does your access stand?" as leases. p_reading and p_generation were read before the
-- question was asked; a generation that has changed since makes the answer worthless.
CREATE FUNCTION store_leases(p_reading timestamptz, p_generation text, p_heads jsonb) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text;
    v_head jsonb;
BEGIN
    IF generation_now() <> p_generation THEN
        RETURN;
    END IF;
    PERFORM set_config('synchronous_commit', 'off', true);
    FOR v_school, v_head IN SELECT * FROM jsonb_each(p_heads) LOOP
        PERFORM set_config('app.school', v_school, true);
        INSERT INTO access_lease VALUES (v_school, p_reading, p_generation, (v_head->>0)::int, (v_head->>1)::bigint)
        ON CONFLICT DO NOTHING;
        -- By the clock now, not by p_reading: this process may have slept, and another replica's lease be newer.
        DELETE FROM access_lease l
         WHERE l.school = v_school
           AND (l.reading <= clock_timestamp() - interval '5 seconds' OR l.reading > clock_timestamp());
    END LOOP;
END $$;

-- Stores network's answer about one subject, unless it is older than what is here, as a lease of that row alone.
CREATE FUNCTION store_vouched(
    p_school text, p_subject uuid, p_revision int, p_grants jsonb, p_epoch int, p_seq bigint, p_reading timestamptz, p_generation text)
RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('app.school', p_school, true);
    PERFORM pg_advisory_xact_lock(access_key(p_school, p_subject));
    INSERT INTO access AS a VALUES (p_school, p_subject, p_revision, p_grants, p_epoch, p_seq, p_reading, p_generation)
    ON CONFLICT (school, id) DO UPDATE
       SET version = excluded.version, grants = excluded.grants, epoch = excluded.epoch, seq = excluded.seq,
           lease_reading = excluded.lease_reading, lease_generation = excluded.lease_generation
     WHERE a.version <= excluded.version;
END $$;

-- network's side of the question: the row that a lease-giving read writes and commits, so that a primary that was cut
-- off from its synchronous standbys cannot answer.
CREATE TABLE lease_question (
    only_row boolean NOT NULL DEFAULT true CONSTRAINT lease_question_one CHECK (only_row),
    asked bigint NOT NULL,
    CONSTRAINT lease_question_pk PRIMARY KEY (only_row)
);
INSERT INTO lease_question VALUES (true, 0);
GRANT SELECT, UPDATE ON lease_question TO {relay};

-- What network answers to questions about subjects (an array of {school, subject}), in their order: grants, and the
-- position that they were read at. One transaction reads, writes and is durable: on a primary that was cut off it does not
-- return. The write comes last, so that its lock is held for the commit alone.
CREATE FUNCTION vouch(p_asked jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_asked jsonb;
    v_told jsonb[] := '{}';
BEGIN
    FOR v_asked IN SELECT jsonb_array_elements(p_asked) LOOP
        PERFORM set_config('app.school', v_asked->>'school', true);
        v_told := v_told || coalesce(
            (SELECT jsonb_build_object('revision', a.version, 'grants', a.grants, 'epoch', h.epoch, 'seq', h.seq)
               FROM access a JOIN journal_head h ON h.school = a.school
              WHERE a.school = v_asked->>'school' AND a.id = (v_asked->>'subject')::uuid),
            '{"revision": null}');
    END LOOP;
    PERFORM set_config('synchronous_commit', 'on', true), set_config('lock_timeout', '1s', true);  -- taking turns with heads
    UPDATE lease_question SET asked = asked + 1;
    RETURN to_jsonb(v_told);
END $$;

-- Snapshot and commit ------------------------------------------------------------------------------------------------

CREATE TABLE idempotency (
    school text NOT NULL,
    actor uuid NOT NULL,
    key text NOT NULL,
    hash text NOT NULL,
    reply jsonb NOT NULL,
    permits jsonb NOT NULL,
    about uuid,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT idempotency_pk PRIMARY KEY (school, actor, key)
);
COMMENT ON COLUMN idempotency.permits IS 'What the request was permitted (subject, action, category, purpose): whoever asks again must be permitted it again';
COMMENT ON COLUMN idempotency.about IS 'The one child that all of it is about; NULL: it is permitted on several, on none, or on the school, and may name anybody';
CREATE INDEX idempotency_age ON idempotency (school, at);
CREATE INDEX idempotency_about ON idempotency (school, about);
SELECT tenant_policy('idempotency');

CREATE TABLE time_shift (
    only_row boolean NOT NULL DEFAULT true CONSTRAINT time_shift_one CHECK (only_row),
    shift interval NOT NULL,
    CONSTRAINT time_shift_pk PRIMARY KEY (only_row)
);
COMMENT ON TABLE time_shift IS 'Added to domain time (never to leases); only {owner} may set it, and production refuses it';
INSERT INTO time_shift VALUES (true, interval '0');
REVOKE INSERT, UPDATE, DELETE ON time_shift, access_generation FROM {login};
GRANT UPDATE (generation, rebuilding, read_at) ON access_generation TO {login};

-- Reads the snapshots of several requests of one school (an array of {actor, key, reader, args}): of each the reader's
-- state, the actor's access to each subject that the reader named, and a stored reply. What is read here is only looked
-- at: the commit checks it again. Rows are looked up one by one here and below: a plan that was made while a table was
-- small must not scan it when it is large.
CREATE FUNCTION read_snapshots(p_school text, p_authority boolean, p_asked jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_now timestamptz;
    v_leased boolean;
    v_asked jsonb;
    v_actor uuid;
    v_state jsonb;
    v_subject uuid;
    v_access access;
    v_views jsonb;
    v_repeat jsonb;
    v_found jsonb[] := '{}';
BEGIN
    PERFORM set_config('app.school', p_school, true);
    v_now := clock_timestamp();
    v_leased := p_authority OR leased(p_school, v_now);
    FOR v_asked IN SELECT jsonb_array_elements(p_asked) LOOP
        v_actor := (v_asked->>'actor')::uuid;
        v_state := call_reader(v_asked->>'reader', v_asked->'args');
        v_views := '[]';
        FOR v_subject IN SELECT s::uuid FROM jsonb_array_elements_text(v_state->'subjects') s LOOP
            SELECT * INTO v_access FROM access a WHERE a.school = p_school AND a.id = v_subject;
            v_views := v_views || jsonb_build_object(
                'subject', v_subject,
                'revision', CASE WHEN NOT reviewing(p_school, v_subject) THEN v_access.version END,
                'grants', coalesce(v_access.grants->(v_actor::text), '[]'),
                'fresh', v_leased OR row_leased(v_access, v_now));
        END LOOP;
        v_repeat := NULL;
        IF v_asked->>'key' IS NOT NULL THEN
            SELECT jsonb_build_object('hash', i.hash, 'reply', i.reply, 'permits', i.permits) INTO v_repeat FROM idempotency i
             WHERE i.school = p_school AND i.actor = v_actor AND i.key = v_asked->>'key';
        END IF;
        v_found := v_found || jsonb_build_object('state', v_state, 'views', v_views, 'repeat', v_repeat);
    END LOOP;
    RETURN jsonb_build_object(
        'clock', v_now,
        'now', v_now + (SELECT shift FROM time_shift),
        'leased', v_leased,
        'rebuilding', (SELECT rebuilding FROM access_generation),
        'found', v_found);
END $$;

-- Tells whether a subject is closed since a recovery.
CREATE FUNCTION reviewing(p_school text, p_subject uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM under_review r WHERE r.school = p_school AND r.id = p_subject);
END $$;

-- Tells whether network itself vouched for this one row in the last seconds.
CREATE FUNCTION row_leased(p_row access, p_now timestamptz) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN p_row.lease_reading IS NOT NULL
       AND p_row.lease_reading <= p_now AND p_now < p_row.lease_reading + interval '5 seconds'
       AND p_row.lease_generation = generation_now();
END $$;

-- Commits the Changes of one school that can be committed, in one transaction, and says of each how it went: done, or
-- repeat (its key was used), access (the re-check failed), row (a version moved on). Their parts come apart, each with the
-- `place` of its Change (1..p_count); p_rows is an object of lists by table. No two Changes share a row or a key.
-- Order of locks: subjects (advisory, by key), idempotency keys, rows (by table and id), journal head.
CREATE FUNCTION commit_changes(
    p_school text, p_authority boolean, p_count int, p_locks jsonb, p_checks jsonb, p_keys jsonb, p_rows jsonb, p_events jsonb)
RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_now timestamptz;
    v_leased boolean;
    v_closed boolean;
    v_epoch int;
    v_seq bigint;
    v_lock record;
    v_part jsonb;
    v_access access;
    v_status text[] := array_fill('done'::text, ARRAY[p_count]);
    v_taken int[];
    v_table text;
    v_rows jsonb;
    v_moved uuid[];
    v_events jsonb;
    v_ahead jsonb := '{}';
BEGIN
    PERFORM set_config('app.school', p_school, true);
    FOR v_lock IN
        SELECT access_key(p_school, s.subject) AS key, bool_or(s.exclusive) AS exclusive
          FROM (SELECT (x->>'subject')::uuid AS subject, false AS exclusive FROM jsonb_array_elements(p_checks) x
                UNION ALL
                SELECT x::uuid, true FROM jsonb_array_elements_text(p_locks) x) s
         GROUP BY 1 ORDER BY 1
    LOOP
        IF v_lock.exclusive THEN
            PERFORM pg_advisory_xact_lock(v_lock.key);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(v_lock.key);
        END IF;
    END LOOP;

    -- From here every statement sees what the locks waited for.
    v_now := clock_timestamp();
    v_leased := p_authority OR leased(p_school, v_now);
    v_closed := (SELECT rebuilding FROM access_generation);
    IF p_authority THEN
        SELECT epoch, seq INTO v_epoch, v_seq FROM journal_head WHERE school = p_school;
    ELSE
        SELECT epoch, seq INTO v_epoch, v_seq FROM projection_cursor WHERE school = p_school AND producer = 'network';
    END IF;
    FOR v_part IN SELECT jsonb_array_elements(p_checks) LOOP
        SELECT * INTO v_access FROM access a WHERE a.school = p_school AND a.id = (v_part->>'subject')::uuid;
        IF v_access.version IS DISTINCT FROM (v_part->>'revision')::int
           OR v_closed
           OR NOT (v_leased OR row_leased(v_access, v_now))
           OR reviewing(p_school, v_access.id)
           OR (v_part->>'from')::timestamptz > v_now
           OR (v_part->>'until')::timestamptz < v_now + interval '2 seconds'
        THEN
            v_status[(v_part->>'place')::int] := 'access';
        ELSIF NOT p_authority AND v_access.seq > coalesce(v_seq, 0) THEN  -- vouched for, or freshly rebuilt
            v_ahead := v_ahead || jsonb_build_object(
                concat(v_part->>'place', '/', v_access.id), jsonb_build_array(v_access.epoch, v_access.seq));
        END IF;
    END LOOP;

    IF jsonb_array_length(p_keys) > 0 THEN
        WITH taken AS (
            INSERT INTO idempotency (school, actor, key, hash, reply, permits, about)
            SELECT p_school, (k->>'actor')::uuid, k->>'key', k->>'hash', k->'reply', k->'permits', (k->>'about')::uuid
              FROM jsonb_array_elements(p_keys) k
             WHERE v_status[(k->>'place')::int] = 'done' ORDER BY 2, 3
            ON CONFLICT DO NOTHING RETURNING actor, key)
        SELECT array_agg((k->>'place')::int) INTO v_taken
          FROM jsonb_array_elements(p_keys) k JOIN taken t ON t.actor = (k->>'actor')::uuid AND t.key = k->>'key';
        FOR v_part IN SELECT jsonb_array_elements(p_keys) LOOP
            IF v_status[(v_part->>'place')::int] = 'done' AND NOT (v_part->>'place')::int = ANY (coalesce(v_taken, '{}')) THEN
                v_status[(v_part->>'place')::int] := 'repeat';
            END IF;
        END LOOP;
    END IF;

    FOR v_table, v_rows IN SELECT * FROM jsonb_each(p_rows) LOOP
        v_rows := places_done(v_rows, v_status);
        v_moved := stale_rows(v_table, p_school, v_rows);
        CONTINUE WHEN v_moved = '{}';
        FOR v_part IN SELECT r FROM jsonb_array_elements(v_rows) r WHERE (r->>'id')::uuid = ANY (v_moved) LOOP
            v_status[(v_part->>'place')::int] := 'row';
            DELETE FROM idempotency i USING jsonb_array_elements(p_keys) k
             WHERE k->'place' = v_part->'place' AND i.school = p_school
               AND i.actor = (k->>'actor')::uuid AND i.key = k->>'key';
        END LOOP;
    END LOOP;
    FOR v_table, v_rows IN SELECT * FROM jsonb_each(p_rows) LOOP
        PERFORM write_rows(v_table, p_school, places_done(v_rows, v_status));
    END LOOP;

    SET CONSTRAINTS ALL IMMEDIATE;  -- a foreign key waits for the row it names here, not at COMMIT, when the head is held
    v_events := places_done(p_events, v_status);
    IF v_events = '[]' THEN
        v_seq := NULL;
    ELSE
        IF v_ahead <> '{}' THEN  -- what is told of such a subject was judged by its row, the rest by the cursor
            v_events := (
                SELECT jsonb_agg(x || jsonb_build_object('judged', v_ahead->concat(x->>'place', '/', x->>'about')) ORDER BY n)
                  FROM jsonb_array_elements(v_events) WITH ORDINALITY AS e (x, n));
        END IF;
        v_seq := append_events(p_school, v_events, v_now, coalesce(v_epoch, 0), coalesce(v_seq, 0));
    END IF;
    RETURN jsonb_build_object('status', v_status, 'seq', v_seq, 'at', v_now);
END $$;

-- Keeps the parts whose Change goes in; mostly all do, and then they stay as they came.
CREATE FUNCTION places_done(p_parts jsonb, p_status text[]) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF 'done' = ALL (p_status) THEN
        RETURN p_parts;
    END IF;
    RETURN coalesce((SELECT jsonb_agg(x ORDER BY n) FROM jsonb_array_elements(p_parts) WITH ORDINALITY AS p (x, n)
                      WHERE p_status[(x->>'place')::int] = 'done'), '[]');
END $$;

-- Every school that this database knows, for background tasks: slugs only. It looks past the walls as {owner}.
CREATE POLICY owner_lists ON journal_head FOR SELECT TO {owner} USING (true);
CREATE POLICY owner_lists ON projection_cursor FOR SELECT TO {owner} USING (true);
CREATE FUNCTION list_schools() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT school FROM journal_head UNION SELECT school FROM projection_cursor ORDER BY 1 $$;

-- Every lane's position, across schools: positions only.
CREATE FUNCTION list_cursors()
RETURNS TABLE (producer text, school text, epoch int, seq bigint, hash text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT producer, school, epoch, seq, hash FROM projection_cursor $$;

-- Takes back the tail of a school's journal that this database lost: the events' own bytes, which must continue the
-- chain. What is appended from now on carries a new epoch. Children named in the tail are denied until reviewed.
CREATE FUNCTION take_back(p_school text, p_events text[], p_spared uuid) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_head journal_head;
    v_text text;
    v_event jsonb;
BEGIN
    PERFORM set_config('app.school', p_school, true);
    INSERT INTO journal_head VALUES (p_school, 1, 0, repeat('0', 64)) ON CONFLICT DO NOTHING;
    SELECT * INTO v_head FROM journal_head WHERE school = p_school FOR UPDATE;
    FOREACH v_text IN ARRAY p_events LOOP
        v_event := v_text::jsonb;
        IF (v_event->>'seq')::bigint <> v_head.seq + 1 OR v_event->>'prevhash' <> v_head.hash
           OR v_event->>'school' <> p_school THEN
            RAISE EXCEPTION 'event % does not follow %', v_event->>'seq', v_head.seq USING ERRCODE = 'data_exception';
        END IF;
        v_head.epoch := (v_event->>'epoch')::int;
        v_head.seq := v_head.seq + 1;
        v_head.hash := encode(sha256(convert_to(v_text, 'UTF8')), 'hex');
        INSERT INTO journal (school, seq, epoch, type, about, recorded_at, hash, event)
        VALUES (p_school, v_head.seq, v_head.epoch, v_event->>'type', (v_event->>'subject')::uuid,
                (v_event->>'recordedat')::timestamptz, v_head.hash, v_text);
        INSERT INTO under_review (school, id) SELECT p_school, (v_event->>'subject')::uuid
         WHERE (v_event->>'subject')::uuid <> p_spared ON CONFLICT DO NOTHING;
    END LOOP;
    UPDATE journal_head SET epoch = v_head.epoch + 1, seq = v_head.seq, hash = v_head.hash WHERE school = p_school;
END $$;
