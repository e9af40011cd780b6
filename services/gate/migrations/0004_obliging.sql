-- What those who keep a school's records ask of its tools, and what tools confirm.


-- A withdrawal that the asking tool must confirm.
CREATE FUNCTION read_marker(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object('subjects', '[]'::jsonb, 'marker', (
        SELECT to_jsonb(m) FROM marker m
         WHERE m.school = p_args->>'school' AND m.id = (p_args->>'withdrawal')::uuid AND m.tool = (p_args->>'actor')::uuid));
END $$;

-- Deletions that are not confirmed in time, and were not told yet.
CREATE FUNCTION read_overdue(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object('subjects', '[]'::jsonb, 'markers', coalesce((
        SELECT jsonb_agg(to_jsonb(m) ORDER BY m.due_at, m.id) FROM (
            SELECT * FROM marker
             WHERE school = p_args->>'school' AND confirmed_at IS NULL AND overdue_at IS NULL AND told_at IS NOT NULL
               AND due_at <= clock_timestamp() ORDER BY due_at, id LIMIT 100) m), '[]'));
END $$;

-- The school's tools, or one of them, and how far each has come.
CREATE FUNCTION read_tool_lag(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object('subjects', jsonb_build_array(p_args->'about'), 'tools', coalesce((
        SELECT jsonb_agg(jsonb_build_object(
                   'tool', t.id, 'label', t.label, 'state', t.state, 'channel', t.channel,
                   'epoch', coalesce(o.epoch, 1), 'sequence', coalesce(o.seq, 0), 'acked', coalesce(o.acked, 0),
                   'outlet', coalesce(o.version, 0),
                   'queued', (SELECT count(*) FROM (SELECT FROM put_out p WHERE p.school = t.school AND p.tool = t.id AND p.seq IS NULL LIMIT 10000) n),
                   'oldest_unacked_at', (SELECT p.queued_at FROM put_out p
                                          WHERE p.school = t.school AND p.tool = t.id AND p.seq > coalesce(o.acked, 0)
                                          ORDER BY p.seq LIMIT 1),
                   'withdrawals_untold', (SELECT count(*) FROM marker m WHERE m.school = t.school AND m.tool = t.id AND m.told_at IS NULL),
                   'deletions_open', (SELECT count(*) FROM marker m WHERE m.school = t.school AND m.tool = t.id
                                       AND m.told_at IS NOT NULL AND m.confirmed_at IS NULL)) ORDER BY t.id)
          FROM tool t LEFT JOIN outlet o ON o.school = t.school AND o.id = t.id
         WHERE t.school = p_args->>'school' AND (p_args->>'tool' IS NULL OR t.id = (p_args->>'tool')::uuid)), '[]'));
END $$;

-- The row of numbers of a tool that is to be put out to again.
CREATE FUNCTION read_replay(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object('subjects', jsonb_build_array(p_args->'about'), 'outlet', (
        SELECT to_jsonb(o) - 'school' - 'id' FROM outlet o
         WHERE o.school = p_args->>'school' AND o.id = (p_args->>'tool')::uuid));
END $$;
