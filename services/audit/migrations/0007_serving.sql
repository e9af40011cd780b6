-- Who is or was of a child's family here exports no log of the school, nor reads it as files: what is held back from a family could not
-- be left out of it, and a refusal that only some get would tell them that something is.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX line_family ON line (school, ((event::jsonb)->'data'->'fact'->>'member'))
 WHERE type = 'nl.samenkracht.network.member.added.v1' AND ((event::jsonb)->'data'->'fact'->>'role') IN ('guardian', 'child');

CREATE FUNCTION has_child_here(p_args jsonb) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM line
         WHERE school = p_args->>'school' AND type = 'nl.samenkracht.network.member.added.v1'
           AND ((event::jsonb)->'data'->'fact'->>'role') IN ('guardian', 'child')
           AND ((event::jsonb)->'data'->'fact'->>'member') = p_args->>'actor');
END $$;

-- Before anything of a log is exported.
CREATE FUNCTION read_export_begins(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object('subjects', log_subjects(p_args->>'school', NULL), 'family', has_child_here(p_args));
END $$;

-- The same readers as in 0002, each with whether the reader has a child here.
-- squawk-ignore renaming-object
ALTER FUNCTION read_export(jsonb) RENAME TO export_begun;
CREATE FUNCTION read_export(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN export_begun(p_args) || read_export_begins(p_args);
END $$;
-- squawk-ignore renaming-object
ALTER FUNCTION read_export_lines(jsonb) RENAME TO export_lines;
CREATE FUNCTION read_export_lines(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN export_lines(p_args) || read_export_begins(p_args);
END $$;

-- Findings, newest line first; of a child's family not those on lines that are held back from it.
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
                 ORDER BY idx DESC, code, part FETCH FIRST ((p_args->>'limit')::int) ROWS WITH TIES) f), '[]'));
END $$;
CREATE FUNCTION is_kept(p_school text, p_idx bigint, p_kept uuid[]) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM line WHERE school = p_school AND idx = p_idx AND about = ANY (p_kept))
       AND line_held_back(p_school, p_idx);
END $$;

-- What is judged anew for a reader: which of the page's lines are held back from them.
CREATE OR REPLACE FUNCTION read_judged(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_limit int := (p_args->>'limit')::int;
    v_kept uuid[] := kept_from(p_args);
    v_first bigint := coalesce((p_args->>'first')::bigint, (
        SELECT max(size) FROM checkpoint
         WHERE school = v_school AND signed_at < (p_args->>'since')::timestamptz), 0);
BEGIN
    RETURN jsonb_build_object('subjects', log_subjects(v_school, NULL), 'kept', coalesce((
            SELECT jsonb_agg(idx) FROM line
             WHERE school = v_school AND idx >= v_first AND idx < v_first + v_limit AND about = ANY (v_kept)
               AND line_held_back(v_school, idx)), '[]'))
        || judge_evidence(v_school, v_first, v_limit);
END $$;
