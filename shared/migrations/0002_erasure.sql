-- Erasing a child: which rows of which table are the child's own, and the mark that it is gone for good.

CREATE TABLE erased (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT erased_pk PRIMARY KEY (school, id)
);
COMMENT ON TABLE erased IS 'Children that were erased: denied for ever, whatever grants a rebuild or a replay brings back';
SELECT tenant_table('erased');

-- A subject that is under review since a recovery, or erased, is closed: no grant counts.
CREATE OR REPLACE FUNCTION reviewing(p_school text, p_subject uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM under_review r WHERE r.school = p_school AND r.id = p_subject)
        OR EXISTS (SELECT FROM erased e WHERE e.school = p_school AND e.id = p_subject);
END $$;

-- Every table with rows about one child (or one person who is left without any child) names here which they are: a
-- condition on t, $2 being the id. Rows go in order of place, what refers to others first. Migrations fill it.
CREATE TABLE erasable (
    kind text NOT NULL CONSTRAINT erasable_kind CHECK (kind IN ('child', 'person')),
    name text NOT NULL,
    place int NOT NULL,
    condition text NOT NULL,
    CONSTRAINT erasable_pk PRIMARY KEY (kind, name)
);
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON erasable FROM {login};

INSERT INTO erasable VALUES
    ('child', 'dead_letter', 900, 't.about = $2 AND t.state <> ''blocking'''),
    ('child', 'under_review', 901, 't.id = $2'),
    -- Stored replies are many. Those about one child are found by it; any other name could only stand in the few that are
    -- about none or several, which are read whole. (What the walls hide from a condition's index is looked up beside it.)
    ('child', 'idempotency', 902,
     '(t.actor, t.key) IN (
          SELECT i.actor, i.key FROM idempotency i WHERE i.school = $1 AND i.about = $2
           UNION SELECT i.actor, i.key FROM idempotency i WHERE i.school = $1 AND i.actor = $2
           UNION SELECT i.actor, i.key FROM idempotency i WHERE i.school = $1 AND i.about IS NULL
             AND (i.permits @> jsonb_build_array(jsonb_build_object(''subject'', $2)) OR strpos(i.reply::text, $2::text) > 0))'),
    ('person', 'idempotency', 902,
     '(t.actor, t.key) IN (
          SELECT i.actor, i.key FROM idempotency i WHERE i.school = $1 AND i.actor = $2
           UNION SELECT i.actor, i.key FROM idempotency i WHERE i.school = $1 AND i.about IS NULL
             AND strpos(i.reply::text, $2::text) > 0)');

-- How many rows of each table would go.
CREATE FUNCTION erasable_counts(p_kind text, p_school text, p_id uuid) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_one erasable;
    v_count bigint;
    v_counts jsonb := '{}';
BEGIN
    FOR v_one IN SELECT * FROM erasable WHERE kind = p_kind ORDER BY place, name LOOP
        EXECUTE format('SELECT count(*) FROM %I t WHERE t.school = $1 AND (%s)', v_one.name, v_one.condition)
           INTO v_count USING p_school, p_id;
        IF v_count > 0 THEN
            v_counts := v_counts || jsonb_build_object(v_one.name, v_count);
        END IF;
    END LOOP;
    RETURN v_counts;
END $$;

-- Deletes at most about p_most of those rows, and the stored replies that name any of them (one about the child goes with it). Returns how many of each
-- table went: '{}' when nothing is left. Two at once, or the same again, do no harm.
CREATE FUNCTION erase_rows(p_kind text, p_school text, p_id uuid, p_most int) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_one erasable;
    v_left bigint := p_most;
    v_count bigint;
    v_ids text[];
    v_all text[] := '{}';
    v_gone jsonb := '{}';
BEGIN
    FOR v_one IN SELECT * FROM erasable WHERE kind = p_kind ORDER BY place, name LOOP
        EXIT WHEN v_left <= 0;
        EXECUTE format(
            'WITH page AS MATERIALIZED (SELECT t.ctid AS at FROM %1$I t WHERE t.school = $1 AND (%2$s) LIMIT $3),
                  gone AS (DELETE FROM %1$I t USING page WHERE t.ctid = page.at RETURNING to_jsonb(t)->>''id'' AS id)
             SELECT count(*), coalesce(array_agg(id) FILTER (WHERE id IS NOT NULL), ''{}'') FROM gone',
            v_one.name, v_one.condition) INTO v_count, v_ids USING p_school, p_id, v_left;
        IF v_count > 0 THEN
            v_gone := v_gone || jsonb_build_object(v_one.name, v_count);
            v_all := v_all || v_ids;
            v_left := v_left - v_count;
        END IF;
    END LOOP;
    DELETE FROM idempotency i
     WHERE i.school = p_school AND i.about IS NULL AND v_all <> '{}'
       AND EXISTS (SELECT FROM regexp_matches(i.reply::text, '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}', 'g') m
                    WHERE m[1] IN (SELECT unnest(v_all)));
    GET DIAGNOSTICS v_count = ROW_COUNT;
    IF v_count > 0 THEN
        v_gone := v_gone || jsonb_build_object('idempotency', coalesce((v_gone->>'idempotency')::bigint, 0) + v_count);
    END IF;
    RETURN v_gone;
END $$;

CREATE FUNCTION read_erasure_preview(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'child'),
        'rows', erasable_counts('child', p_args->>'school', (p_args->>'child')::uuid));
END $$;
