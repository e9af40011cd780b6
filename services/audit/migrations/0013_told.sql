-- As in 0005, with which restrictions hold something back from this reader, of those that may be told.
CREATE OR REPLACE FUNCTION read_break_glass(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_child uuid := (p_args->>'child')::uuid;
    v_before bigint := coalesce((p_args->>'before')::bigint, 9223372036854775807);
    v_kept uuid[] := kept_from(p_args);
BEGIN
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, v_child),
        'now', (SELECT clock_timestamp() + shift FROM time_shift),
        'held', coalesce((
            SELECT jsonb_agg(h ORDER BY h->>'ends_at') FROM unnest(v_kept) k, jsonb_array_elements(told_restrictions(v_school, k)) h
             WHERE v_child IS NULL OR k = v_child), '[]'),
        'emergencies', coalesce((
            SELECT jsonb_agg(jsonb_build_object('idx', s.idx, 'event', s.event, 'later', coalesce((
                       SELECT jsonb_agg(l.event ORDER BY l.seq) FROM line l
                        WHERE l.school = v_school AND l.about = s.about AND l.thing = s.thing AND l.seq > s.seq AND l.type IN (
                              'nl.samenkracht.network.emergency.ended.v1', 'nl.samenkracht.network.emergency.reviewed.v1')), '[]'))
                   ORDER BY s.seq DESC)
              FROM (SELECT idx, seq, about, thing, event FROM line
                     WHERE school = v_school AND type IN (
                           'nl.samenkracht.network.emergency.started.v1', 'nl.samenkracht.network.emergency.reviewed.v1')
                       AND type = 'nl.samenkracht.network.emergency.started.v1'
                       AND (v_child IS NULL OR about = v_child) AND idx < v_before
                       AND NOT (about = ANY (v_kept) AND held_back(v_school, about, occurred_at, NULL, actor))
                     ORDER BY seq DESC LIMIT (p_args->>'limit')::int) s), '[]'));
END $$;

-- As in 0005, of the category that was asked: another than the log's own is in none of these lines.
CREATE OR REPLACE FUNCTION read_log_looks(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_seq bigint := coalesce((SELECT seq FROM line WHERE school = v_school AND idx = (p_args->>'before')::bigint), 9223372036854775807);
    v_since timestamptz := coalesce((p_args->>'since')::timestamptz, '-infinity');
    v_until timestamptz := coalesce((p_args->>'until')::timestamptz, 'infinity');
    v_kept uuid[] := kept_from(p_args);
BEGIN
    RETURN jsonb_build_object('subjects', log_subjects(v_school, NULL), 'lines', coalesce((
        SELECT jsonb_agg(to_jsonb(n)) FROM (
            SELECT idx, entry::jsonb AS entry FROM line
             WHERE school = v_school AND producer = 'audit' AND seq < v_seq AND look
               AND NOT (about = ANY (v_kept) AND line_held_back(v_school, idx))
               AND occurred_at >= v_since AND occurred_at < v_until
               AND (p_args->>'who' IS NULL OR actor = (p_args->>'who')::uuid)
               AND (p_args->>'category' IS NULL OR category = p_args->>'category')
             ORDER BY seq DESC LIMIT (p_args->>'limit')::int) n), '[]'));
END $$;
