-- Findings, newest line first: a page ends with a whole line, whatever its limit, for the next one begins below it. By the whole
-- key there are no ties, and the rest of a line's findings fell between two pages.
CREATE OR REPLACE FUNCTION read_findings(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_before bigint := coalesce((p_args->>'before')::bigint, 9223372036854775807);
    v_kept uuid[] := kept_from(p_args);
BEGIN
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, NULL),
        'judged', coalesce((SELECT idx FROM judge_position WHERE school = v_school), 0),
        'size', coalesce((SELECT size FROM log_head WHERE school = v_school), 0),
        'findings', coalesce((
            SELECT jsonb_agg(to_jsonb(f) ORDER BY f.idx DESC, f.code, f.part) FROM (
                SELECT idx, code, part, says, shows, found_at FROM finding n
                 WHERE school = v_school AND idx < v_before AND (p_args->>'code' IS NULL OR code = p_args->>'code')
                   AND NOT (v_kept <> '{}' AND is_kept(v_school, n.idx, v_kept))
                 ORDER BY idx DESC FETCH FIRST ((p_args->>'limit')::int) ROWS WITH TIES) f), '[]'));
END $$;

-- As in 0007, with when the newest of network's events that the log holds happened: what is due by then is overdue.
CREATE OR REPLACE FUNCTION read_judged(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_limit int := (p_args->>'limit')::int;
    v_kept uuid[] := kept_from(p_args);
    v_first bigint := coalesce((p_args->>'first')::bigint, (
        SELECT max(size) FROM checkpoint
         WHERE school = v_school AND signed_at < (p_args->>'since')::timestamptz), 0);
BEGIN
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, NULL),
        'told_at', (SELECT occurred_at FROM line WHERE school = v_school AND producer = 'network' ORDER BY seq DESC LIMIT 1),
        'kept', coalesce((
            SELECT jsonb_agg(idx) FROM line
             WHERE school = v_school AND idx >= v_first AND idx < v_first + v_limit AND about = ANY (v_kept)
               AND line_held_back(v_school, idx)), '[]'))
        || judge_evidence(v_school, v_first, v_limit);
END $$;
