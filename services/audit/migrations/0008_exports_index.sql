-- Exports are found by the text of the entry: an index over the parsed one has every line that is added parsed for it. In
-- canonical JSON these characters stand for that member and nothing else: within a text each quote has a backslash before it.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX line_exported ON line (school, occurred_at DESC, idx DESC) WHERE strpos(entry, '"action":"export"') > 0;

-- As in 0005, by that index.
CREATE OR REPLACE FUNCTION read_exports(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_since timestamptz := coalesce((p_args->>'since')::timestamptz, '-infinity');
    v_until timestamptz := coalesce((p_args->>'until')::timestamptz, 'infinity');
    v_kept uuid[] := kept_from(p_args);
    v_at timestamptz := 'infinity';
    v_idx bigint := (p_args->>'before')::bigint;
BEGIN
    IF v_idx IS NOT NULL THEN
        SELECT occurred_at INTO v_at FROM line WHERE school = v_school AND idx = v_idx;
    END IF;
    RETURN jsonb_build_object('subjects', log_subjects(v_school, NULL), 'lines', coalesce((
        SELECT jsonb_agg(to_jsonb(n)) FROM (
            SELECT idx, entry::jsonb AS entry FROM line
             WHERE school = v_school AND strpos(entry, '"action":"export"') > 0
               AND NOT (about = ANY (v_kept) AND line_held_back(v_school, idx))
               AND occurred_at >= v_since AND occurred_at < v_until AND (occurred_at, idx) < (v_at, coalesce(v_idx, 0))
               AND (p_args->>'who' IS NULL OR actor = (p_args->>'who')::uuid)
               AND (p_args->>'category' IS NULL OR category = p_args->>'category')
             ORDER BY occurred_at DESC, idx DESC LIMIT (p_args->>'limit')::int) n), '[]'));
END $$;
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX line_exports;
