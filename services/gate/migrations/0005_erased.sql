-- The same, and of a withdrawal whether its child was erased: then it is named as the tool knew it.
CREATE OR REPLACE FUNCTION read_put_outs(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_tool uuid := (p_args->>'tool')::uuid;
    v_limit int := (p_args->>'limit')::int;
    v_out bigint := (p_args->'at'->>'out_seq')::bigint;
    v_outlet outlet;
    v_items jsonb;
BEGIN
    SELECT * INTO v_outlet FROM outlet WHERE school = v_school AND id = v_tool;
    IF v_outlet.seq > v_out THEN
        SELECT jsonb_agg(jsonb_build_object(
                   'seq', n.seq, 'epoch', coalesce(p.epoch, m.epoch, v_outlet.epoch), 'source', p.source, 'about', coalesce(p.about, m.about),
                   'category', coalesce(p.category, m.category), 'void', coalesce(p.void, m.id IS NULL),
                   'event', h.event, 'withdrawal', m.id, 'taken_out', m.taken_out, 'erased', m.erased) ORDER BY n.seq)
          INTO v_items
          FROM generate_series(v_out + 1, least(v_outlet.seq, v_out + v_limit)) n (seq)
          LEFT JOIN put_out p ON p.school = v_school AND p.tool = v_tool AND p.seq = n.seq
          LEFT JOIN heard h ON h.school = v_school AND h.id = p.source
          LEFT JOIN marker m ON m.school = v_school AND m.tool = v_tool AND m.seq = n.seq;
    ELSE
        SELECT jsonb_agg(jsonb_build_object(
                   'seq', NULL, 'source', q.source, 'about', q.about, 'category', q.category, 'void', false, 'event', h.event)
                   ORDER BY q.turn)
          INTO v_items
          FROM (SELECT p.* FROM put_out p
                 WHERE p.school = v_school AND p.tool = v_tool AND p.seq IS NULL AND NOT reviewing(v_school, p.about)
                 ORDER BY p.turn LIMIT v_limit) q
          JOIN heard h ON h.school = v_school AND h.id = q.source;
    END IF;
    RETURN jsonb_build_object(
        'subjects', coalesce((SELECT jsonb_agg(DISTINCT i->'about') FROM jsonb_array_elements(v_items) i
                               WHERE i->'event' <> 'null' AND i->'source' <> 'null'), '[]'),
        'tool', (SELECT to_jsonb(t) - 'label' FROM tool t WHERE t.school = v_school AND t.id = v_tool),
        'version', coalesce(v_outlet.version, 0), 'seq', coalesce(v_outlet.seq, 0),
        'epoch', coalesce((SELECT epoch FROM journal_head WHERE school = v_school), 1),
        'items', coalesce(v_items, '[]'));
END $$;
