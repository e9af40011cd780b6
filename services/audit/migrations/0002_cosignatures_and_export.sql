-- What witnesses signed (C2SP tlog-cosignature), and which checkpoints enough of them signed: never changed or deleted, as
-- the log itself. Then what proofs, and the auditor's pack, are made of.

CREATE TABLE cosignature (
    school text NOT NULL,
    size bigint NOT NULL,
    witness text NOT NULL,
    line text NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT cosignature_pk PRIMARY KEY (school, size, witness)
);
COMMENT ON COLUMN cosignature.witness IS 'Its key, as <name>+<key id>: two keys may have one name';
COMMENT ON COLUMN cosignature.line IS 'The signature line of the note, its newline included';
CREATE INDEX cosignature_newest ON cosignature (school, witness, size DESC);

CREATE TABLE endorsement (
    school text NOT NULL,
    size bigint NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT endorsement_pk PRIMARY KEY (school, size)
);
COMMENT ON TABLE endorsement IS 'Checkpoints that as many witnesses signed as the policy of that moment asks';

SELECT tenant_policy('cosignature');
SELECT tenant_policy('endorsement');
REVOKE UPDATE, DELETE, TRUNCATE ON cosignature, endorsement FROM {login};
CREATE TRIGGER cosignature_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON cosignature FOR EACH STATEMENT EXECUTE FUNCTION keep_log();
CREATE TRIGGER endorsement_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON endorsement FOR EACH STATEMENT EXECUTE FUNCTION keep_log();
ALTER TABLE cosignature ENABLE ALWAYS TRIGGER cosignature_kept;
ALTER TABLE endorsement ENABLE ALWAYS TRIGGER endorsement_kept;

-- An event's id holds its moment (RFC 9562, UUIDv7), so a line is found by it without an index over all ids: one range of
-- moments a block range, that costs next to nothing when lines are added.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX line_at ON line USING brin (occurred_at) WITH (autosummarize = on);

-- A checkpoint with all cosignatures behind its own signature.
CREATE FUNCTION full_note(p_school text, p_size bigint) RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT c.note || coalesce((
        SELECT string_agg(s.line, '' ORDER BY s.witness) FROM cosignature s WHERE s.school = p_school AND s.size = p_size), '')
      FROM checkpoint c WHERE c.school = p_school AND c.size = p_size
$$;

-- The newest checkpoint of at least p_least lines that enough witnesses signed; without one, the newest of all.
CREATE FUNCTION best_checkpoint(p_school text, p_least bigint) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_size bigint;
BEGIN
    SELECT max(size) INTO v_size FROM endorsement WHERE school = p_school AND size >= p_least;
    IF v_size IS NULL THEN
        SELECT max(size) INTO v_size FROM checkpoint WHERE school = p_school;
    END IF;
    RETURN CASE WHEN v_size IS NOT NULL THEN jsonb_build_object('size', v_size, 'note', full_note(p_school, v_size)) END;
END $$;

-- One line, by its number or its event, a checkpoint, and what proves that the one is under the other.
CREATE FUNCTION read_line_proof(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_event uuid := (p_args->>'event')::uuid;
    v_at timestamptz;
    v_idx bigint := (p_args->>'idx')::bigint;
    v_about uuid;
    v_entry text;
    v_over jsonb;
BEGIN
    IF v_idx IS NULL THEN
        v_at := uuid_extract_timestamp(v_event);
        SELECT l.idx INTO v_idx FROM line l
         WHERE l.school = v_school AND l.occurred_at >= v_at AND l.occurred_at < v_at + interval '1 millisecond'
           AND l.entry::jsonb->>'event' = v_event::text LIMIT 1;
    END IF;
    -- What is held back from a child's family is to them as a line about somebody else.
    SELECT l.about, l.entry INTO v_about, v_entry FROM line l
     WHERE l.school = v_school AND l.idx = v_idx AND may_be_proven(p_args, v_idx);
    v_over := best_checkpoint(v_school, v_idx + 1);
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, v_about), 'about', v_about, 'idx', v_idx, 'entry', v_entry, 'checkpoint', v_over,
        'nodes', CASE WHEN v_entry IS NOT NULL AND v_idx < (v_over->>'size')::bigint
                      THEN read_nodes(v_school, ARRAY[v_idx], (v_over->>'size')::bigint) ELSE '[]' END);
END $$;

-- A checkpoint, and what proves that the log of `since` lines is its beginning.
CREATE FUNCTION read_growth(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_since bigint := (p_args->>'since')::bigint;
    v_over jsonb := best_checkpoint(v_school, v_since);
BEGIN
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, NULL), 'checkpoint', v_over,
        'nodes', CASE WHEN v_since < (v_over->>'size')::bigint
                      THEN read_nodes(v_school, ARRAY[v_since], (v_over->>'size')::bigint) ELSE '[]' END);
END $$;

-- Schools whose newest checkpoint not all of these witnesses have signed: slugs only. It looks past the walls as {owner}.
CREATE POLICY owner_lists ON cosignature FOR SELECT TO {owner} USING (true);
CREATE FUNCTION list_uncosigned(p_witnesses text[]) RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT h.school FROM log_head h
      CROSS JOIN LATERAL (SELECT max(c.size) AS size FROM checkpoint c WHERE c.school = h.school) newest
     WHERE newest.size IS NOT NULL
       AND EXISTS (SELECT FROM unnest(p_witnesses) w WHERE NOT EXISTS (
               SELECT FROM cosignature s WHERE s.school = h.school AND s.size = newest.size AND s.witness = w))
     ORDER BY 1
$$;

-- The newest checkpoint, what this witness signed last, with its note, and what proves that p_old lines are its beginning.
CREATE FUNCTION read_for_witness(p_school text, p_witness text, p_old bigint) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_size bigint := (SELECT max(size) FROM checkpoint WHERE school = p_school);
    v_last bigint := (SELECT max(size) FROM cosignature WHERE school = p_school AND witness = p_witness);
    v_old bigint := coalesce(p_old, v_last, 0);
BEGIN
    RETURN jsonb_build_object(
        'size', v_size, 'note', full_note(p_school, v_size), 'old', v_old, 'held', full_note(p_school, v_last),
        'nodes', CASE WHEN v_old > 0 AND v_old < v_size THEN read_nodes(p_school, ARRAY[v_old], v_size) ELSE '[]' END);
END $$;

-- How far each witness has signed, and how long the oldest checkpoint that too few signed has waited, in seconds.
CREATE FUNCTION read_witnesses(p_school text) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_endorsed bigint := (SELECT max(size) FROM endorsement WHERE school = p_school);
BEGIN
    RETURN jsonb_build_object(
        'size', (SELECT max(size) FROM checkpoint WHERE school = p_school),
        'endorsed', v_endorsed,
        'waits_s', (SELECT extract(epoch FROM clock_timestamp() - min(signed_at))::float FROM checkpoint
                     WHERE school = p_school AND size > coalesce(v_endorsed, 0)),
        'witnesses', (SELECT coalesce(jsonb_object_agg(witness, size), '{}') FROM (
            SELECT witness, max(size) AS size FROM cosignature WHERE school = p_school GROUP BY witness) w));
END $$;
-- What an auditor's pack is made of, page by page; a page stays below what one answer carries.

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX line_recorded ON line USING brin (recorded_at) WITH (autosummarize = on);

-- The checkpoint that the pack is under, and the lines from the first to the last recorded in a period.
CREATE FUNCTION read_export(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_since timestamptz := (p_args->>'since')::timestamptz;
    v_until timestamptz := (p_args->>'until')::timestamptz;
    v_over jsonb := best_checkpoint(v_school, 1);
    v_first bigint := 0;
    v_end bigint := (v_over->>'size')::bigint;
BEGIN
    IF v_since IS NOT NULL OR v_until IS NOT NULL THEN
        SELECT min(idx), max(idx) + 1 INTO v_first, v_end FROM line
         WHERE school = v_school AND idx < (v_over->>'size')::bigint
           AND recorded_at >= coalesce(v_since, '-infinity') AND recorded_at < coalesce(v_until, 'infinity');
    END IF;
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, NULL), 'checkpoint', v_over, 'first', v_first, 'end', v_end);
END $$;

CREATE FUNCTION read_export_lines(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_first bigint := (p_args->>'first')::bigint;
BEGIN
    RETURN jsonb_build_object('subjects', log_subjects(v_school, NULL), 'lines', coalesce((
        SELECT jsonb_agg(entry ORDER BY idx) FROM (
            SELECT idx, entry, sum(octet_length(entry) + 60) OVER (ORDER BY idx) AS room FROM (
                SELECT idx, entry FROM line WHERE school = v_school AND idx >= v_first AND idx < (p_args->>'end')::bigint
                 ORDER BY idx LIMIT 1000) page) sized
         WHERE room < 400000 OR idx = v_first), '[]'));
END $$;

CREATE FUNCTION read_export_hashes(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_first bigint := (p_args->>'first')::bigint;
BEGIN
    RETURN jsonb_build_object('subjects', log_subjects(v_school, NULL), 'hashes', coalesce((
        SELECT encode(string_agg(leaf_hash, '' ORDER BY idx), 'hex') FROM line
         WHERE school = v_school AND idx >= v_first AND idx < least((p_args->>'end')::bigint, v_first + 8192)), ''));
END $$;

CREATE FUNCTION read_export_checkpoints(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
BEGIN
    RETURN jsonb_build_object('subjects', log_subjects(v_school, NULL), 'checkpoints', coalesce((
        SELECT jsonb_agg(jsonb_build_object('size', size, 'note', full_note(v_school, size)) ORDER BY size) FROM (
            SELECT size FROM checkpoint
             WHERE school = v_school AND size > (p_args->>'after')::bigint AND size <= (p_args->>'until')::bigint
             ORDER BY size LIMIT 300) page), '[]'));
END $$;
