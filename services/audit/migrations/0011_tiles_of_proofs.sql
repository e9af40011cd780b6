-- What proofs are computed from, a tile an element: [level, first, hashes joined in hex]. An element a hash, as read_nodes has it (a
-- witness still asks so), took most of a proof's time.
CREATE FUNCTION read_tiles(p_school text, p_positions bigint[], p_size bigint) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_tiles jsonb[] := '{}';
    v_hashes text;
    v_first bigint;
    v_level int := 0;
BEGIN
    -- At each stored level: the 256-wide tile of each position, and that of the tree's edge.
    WHILE v_level = 0 OR (p_size >> v_level) > 0 LOOP
        FOR v_first IN SELECT DISTINCT (p >> (v_level + 8)) << 8 FROM unnest(p_positions || p_size) p LOOP
            IF v_level = 0 THEN
                SELECT encode(string_agg(leaf_hash, '' ORDER BY idx), 'hex') INTO v_hashes FROM line
                 WHERE school = p_school AND idx >= v_first AND idx < least(v_first + 256, p_size);
            ELSE
                SELECT encode(string_agg(hash, '' ORDER BY idx), 'hex') INTO v_hashes FROM log_node
                 WHERE school = p_school AND level = v_level AND idx >= v_first
                   AND idx < least(v_first + 256, p_size >> v_level);
            END IF;
            IF v_hashes IS NOT NULL THEN
                v_tiles := v_tiles || jsonb_build_array(v_level, v_first, v_hashes);
            END IF;
        END LOOP;
        v_level := v_level + 8;
    END LOOP;
    RETURN to_jsonb(v_tiles);
END $$;

-- As in 0001.
CREATE OR REPLACE FUNCTION read_checkpoint(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_since bigint := (p_args->>'since')::bigint;
    v_newest checkpoint;
BEGIN
    SELECT * INTO v_newest FROM checkpoint WHERE school = v_school ORDER BY size DESC LIMIT 1;
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, NULL),
        'checkpoint', CASE WHEN v_newest.size IS NOT NULL THEN jsonb_build_object('size', v_newest.size, 'note', v_newest.note) END,
        'nodes', CASE WHEN v_since < v_newest.size THEN read_tiles(v_school, ARRAY[v_since], v_newest.size) ELSE '[]' END);
END $$;
-- As in 0001.
CREATE OR REPLACE FUNCTION read_proof(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_idx bigint := (p_args->>'idx')::bigint;
    v_newest checkpoint;
    v_about uuid;
    v_entry text;
BEGIN
    SELECT * INTO v_newest FROM checkpoint WHERE school = v_school ORDER BY size DESC LIMIT 1;
    -- What is held back from a child's family is to them as a line about somebody else.
    SELECT about, entry INTO v_about, v_entry FROM line
     WHERE school = v_school AND idx = v_idx AND may_be_proven(p_args, v_idx);
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, v_about),
        'about', v_about,
        'entry', v_entry,
        'checkpoint', CASE WHEN v_newest.size IS NOT NULL THEN jsonb_build_object('size', v_newest.size, 'note', v_newest.note) END,
        'nodes', CASE WHEN v_entry IS NOT NULL AND v_idx < v_newest.size THEN read_tiles(v_school, ARRAY[v_idx], v_newest.size) ELSE '[]' END);
END $$;
-- As in 0002.
CREATE OR REPLACE FUNCTION read_line_proof(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
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
                      THEN read_tiles(v_school, ARRAY[v_idx], (v_over->>'size')::bigint) ELSE '[]' END);
END $$;
-- As in 0002.
CREATE OR REPLACE FUNCTION read_growth(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_since bigint := (p_args->>'since')::bigint;
    v_over jsonb := best_checkpoint(v_school, v_since);
BEGIN
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, NULL), 'checkpoint', v_over,
        'nodes', CASE WHEN v_since < (v_over->>'size')::bigint
                      THEN read_tiles(v_school, ARRAY[v_since], (v_over->>'size')::bigint) ELSE '[]' END);
END $$;
