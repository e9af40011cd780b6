-- Where a period ends in the log: the place after the last line of any lane that was recorded before p_until. A lane is in the
-- order in which it was recorded (but for what a command takes: one minute more), and may come into the log long after another.
CREATE FUNCTION period_end(p_school text, p_until timestamptz) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_producer text := '';
    v_end bigint := 0;
    v_before bigint;
    v_after bigint;
    v_seq bigint;
BEGIN
    LOOP
        SELECT producer INTO v_producer FROM line WHERE school = p_school AND producer > v_producer ORDER BY producer LIMIT 1;
        EXIT WHEN NOT FOUND;
        v_before := 0;
        SELECT seq + 1 INTO v_after FROM line WHERE school = p_school AND producer = v_producer ORDER BY seq DESC LIMIT 1;
        WHILE v_after - v_before > 1 LOOP
            v_seq := (v_before + v_after) / 2;
            IF (SELECT recorded_at < p_until + interval '1 minute' FROM line
                 WHERE school = p_school AND producer = v_producer AND seq = v_seq) THEN
                v_before := v_seq;
            ELSE
                v_after := v_seq;
            END IF;
        END LOOP;
        v_end := greatest(v_end, (SELECT idx + 1 FROM line WHERE school = p_school AND producer = v_producer AND seq = v_before));
    END LOOP;
    RETURN v_end;
END $$;

-- As in 0012, up to where the period ends.
CREATE OR REPLACE FUNCTION read_judged(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_kept uuid[] := kept_from(p_args);
    v_first bigint := coalesce((p_args->>'first')::bigint, (
        SELECT max(size) FROM checkpoint
         WHERE school = v_school AND signed_at < (p_args->>'since')::timestamptz), 0);
    v_end bigint := period_end(v_school, (p_args->>'until')::timestamptz);
    v_limit int := greatest(least((p_args->>'limit')::int, v_end - v_first), 0);
BEGIN
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, NULL),
        'end', v_end,
        'told_at', (SELECT occurred_at FROM line WHERE school = v_school AND producer = 'network' ORDER BY seq DESC LIMIT 1),
        'kept', coalesce((
            SELECT jsonb_agg(idx) FROM line
             WHERE school = v_school AND idx >= v_first AND idx < v_first + v_limit AND about = ANY (v_kept)
               AND line_held_back(v_school, idx)), '[]'))
        || judge_evidence(v_school, v_first, v_limit);
END $$;

-- What was found and not told of yet goes with the judge's position: whoever dies in between leaves it to the next.
ALTER TABLE judge_position ADD COLUMN untold text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN judge_position.untold IS 'Findings that no alarm was raised for yet: "<idx> <code>"';
