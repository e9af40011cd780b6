-- A withdrawal of a child that was erased names it as its tool knows it already.

CREATE OR REPLACE FUNCTION read_parcels(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_tool uuid := (p_args->>'tool')::uuid;
    v_limit int := (p_args->>'limit')::int;
    v_outlet outlet;
    v_open bigint[];
    v_due jsonb;
    v_queue jsonb;
BEGIN
    SELECT * INTO v_outlet FROM outlet WHERE school = v_school AND id = v_tool;
    v_open := ARRAY(
        SELECT n FROM generate_series(v_outlet.out_seq + 1, least(v_outlet.seq, v_outlet.out_seq + 200)) n
         WHERE NOT EXISTS (SELECT FROM parcel p WHERE p.school = v_school AND p.tool = v_tool AND p.seq = n));
    SELECT coalesce(jsonb_agg(to_jsonb(d) ORDER BY d.next_at, d.seq), '[]') INTO v_due FROM (
        SELECT p.seq, p.id, p.version, p.next_at, coalesce(o.epoch, m.epoch, v_outlet.epoch) AS epoch, o.source,
               coalesce(o.about, m.about) AS about, coalesce(o.category, m.category) AS category,
               coalesce(o.void, m.id IS NULL) AS void, h.event, m.id AS withdrawal, m.taken_out, m.erased
          FROM parcel p
          LEFT JOIN put_out o ON o.school = v_school AND o.tool = v_tool AND o.seq = p.seq
          LEFT JOIN heard h ON h.school = v_school AND h.id = o.source
          LEFT JOIN marker m ON m.school = v_school AND m.tool = v_tool AND m.seq = p.seq
         WHERE p.school = v_school AND p.tool = v_tool AND p.aside_at IS NULL AND p.next_at <= clock_timestamp()
           AND NOT EXISTS (SELECT FROM parcel e JOIN put_out b ON b.school = v_school AND b.tool = v_tool AND b.seq = e.seq
                            WHERE e.school = v_school AND e.tool = v_tool AND e.aside_at IS NULL AND e.seq < p.seq
                              AND b.about = o.about)
         ORDER BY p.next_at, p.seq LIMIT v_limit) d;
    WITH RECURSIVE line AS (
        (SELECT p.about, p.turn FROM put_out p
          WHERE p.school = v_school AND p.tool = v_tool AND p.seq IS NULL ORDER BY p.about, p.turn LIMIT 1)
        UNION ALL
        SELECT n.about, n.turn FROM line l CROSS JOIN LATERAL (
            SELECT p.about, p.turn FROM put_out p
             WHERE p.school = v_school AND p.tool = v_tool AND p.seq IS NULL AND p.about > l.about
             ORDER BY p.about, p.turn LIMIT 1) n)
    SELECT coalesce(jsonb_agg(to_jsonb(q) - 'turn' ORDER BY q.turn), '[]') INTO v_queue FROM (
        SELECT NULL AS seq, p.source, p.about, p.category, false AS void, h.event, p.turn
          FROM line l
          JOIN put_out p ON p.school = v_school AND p.tool = v_tool AND p.about = l.about AND p.turn = l.turn AND p.seq IS NULL
          JOIN heard h ON h.school = v_school AND h.id = p.source
         WHERE NOT reviewing(v_school, p.about)
           AND NOT EXISTS (SELECT FROM parcel e JOIN put_out b ON b.school = v_school AND b.tool = v_tool AND b.seq = e.seq
                            WHERE e.school = v_school AND e.tool = v_tool AND e.aside_at IS NULL AND b.about = p.about)
         ORDER BY p.turn LIMIT greatest(v_limit - jsonb_array_length(v_due), 0)) q;
    RETURN jsonb_build_object(
        'subjects', coalesce((SELECT jsonb_agg(DISTINCT i->'about') FROM jsonb_array_elements(v_due || v_queue) i
                               WHERE i->'event' <> 'null' AND i->'source' <> 'null'), '[]'),
        'tool', (SELECT to_jsonb(t) - 'label' FROM tool t WHERE t.school = v_school AND t.id = v_tool),
        'webhook', (SELECT to_jsonb(w) FROM webhook w WHERE w.school = v_school AND w.id = v_tool),
        'outlet', (SELECT to_jsonb(o) - 'school' - 'id' FROM outlet o WHERE o.school = v_school AND o.id = v_tool),
        'epoch', coalesce((SELECT epoch FROM journal_head WHERE school = v_school), 1),
        'open', to_jsonb(v_open),
        'items', v_due || v_queue);
END $$;
