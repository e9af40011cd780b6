-- How put-outs leave: what the next batch is, and the one row by which it is committed.

-- The next batch of a tool: what must go (again) under numbers that it has, or else what is queued.
CREATE FUNCTION read_put_outs(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
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
                   'event', h.event, 'withdrawal', m.id, 'taken_out', m.taken_out, 'due_at', m.due_at) ORDER BY n.seq)
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

-- Withdrawals that a tool is not told of yet, each with the numbers that it can fetch no more.
CREATE FUNCTION read_untold(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_tool uuid := (p_args->>'tool')::uuid;
    v_outlet outlet;
BEGIN
    SELECT * INTO v_outlet FROM outlet WHERE school = v_school AND id = v_tool;
    RETURN jsonb_build_object(
        'subjects', '[]'::jsonb,
        'tool', (SELECT to_jsonb(t) - 'label' FROM tool t WHERE t.school = v_school AND t.id = v_tool),
        'version', coalesce(v_outlet.version, 0), 'seq', coalesce(v_outlet.seq, 0),
        'epoch', coalesce((SELECT epoch FROM journal_head WHERE school = v_school), 1),
        'markers', coalesce((
            SELECT jsonb_agg(to_jsonb(m) || jsonb_build_object('fetchable', (
                       SELECT coalesce(jsonb_agg(p.seq ORDER BY p.seq), '[]') FROM put_out p
                        WHERE p.school = v_school AND p.about = m.about AND p.tool = v_tool AND p.category = m.category
                          AND p.seq > coalesce(v_outlet.acked, 0))) ORDER BY m.network_seq, m.id)
              FROM (SELECT * FROM marker WHERE school = v_school AND tool = v_tool AND told_at IS NULL
                     ORDER BY network_seq, id LIMIT (p_args->>'limit')::int) m), '[]'));
END $$;

-- The outlet's row is what a batch is committed by. Its values may carry more than columns: `tool_version` (the tool as it
-- was seen, which must be so still), `numbered` (sources that get the numbers from `first` on), `voided` (numbers that
-- hold nothing any more), `dropped` (sources that left the queue), `requeued` (numbers whose source waits again).
CREATE FUNCTION stale_outlet(p_school text, p_rows jsonb) RETURNS SETOF uuid LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_ids uuid[] := ARRAY(SELECT (r->>'id')::uuid FROM jsonb_array_elements(p_rows) r ORDER BY 1);
BEGIN
    PERFORM 1 FROM tool t WHERE t.school = p_school AND t.id = ANY (v_ids) ORDER BY t.id FOR SHARE;
    PERFORM 1 FROM outlet o WHERE o.school = p_school AND o.id = ANY (v_ids) ORDER BY o.id FOR NO KEY UPDATE;
    RETURN QUERY
        SELECT (r->>'id')::uuid FROM jsonb_array_elements(p_rows) r
          LEFT JOIN outlet o ON o.school = p_school AND o.id = (r->>'id')::uuid
          LEFT JOIN tool t ON t.school = p_school AND t.id = (r->>'id')::uuid
         WHERE coalesce(o.version, 0) <> (r->>'seen')::int
            OR (r->'values' ? 'tool_version' AND t.version IS DISTINCT FROM (r->'values'->>'tool_version')::int);
END $$;

CREATE FUNCTION write_outlet(p_school text, p_rows jsonb) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    r jsonb;
    v jsonb;
    v_tool uuid;
BEGIN
    FOR r IN SELECT x FROM jsonb_array_elements(p_rows) x LOOP
        v_tool := (r->>'id')::uuid;
        v := r->'values';
        INSERT INTO outlet AS o (school, id, version, epoch, seq, out_seq, acked, stream_made, stream_last, stream_since, aside)
        SELECT p_school, v_tool, 1, n.epoch, n.seq, n.out_seq, n.acked, n.stream_made, n.stream_last, n.stream_since, n.aside
          FROM jsonb_populate_record(NULL::outlet, v) n
        ON CONFLICT (school, id) DO UPDATE
           SET version = o.version + 1, epoch = excluded.epoch, seq = excluded.seq, out_seq = excluded.out_seq,
               acked = excluded.acked, stream_made = excluded.stream_made, stream_last = excluded.stream_last,
               stream_since = excluded.stream_since, aside = excluded.aside;
        IF jsonb_array_length(v->'numbered') > 0 THEN
            UPDATE put_out p SET epoch = (v->>'epoch')::int, seq = (v->>'first')::bigint + x.n - 1
              FROM jsonb_array_elements_text(v->'numbered') WITH ORDINALITY x (source, n)
             WHERE p.school = p_school AND p.tool = v_tool AND p.source = x.source::uuid;
        END IF;
        IF jsonb_array_length(v->'voided') > 0 THEN
            UPDATE put_out p SET void = true
             WHERE p.school = p_school AND p.tool = v_tool AND p.seq IN (SELECT x::bigint FROM jsonb_array_elements_text(v->'voided') x);
        END IF;
        IF jsonb_array_length(v->'requeued') > 0 THEN
            UPDATE put_out p SET seq = NULL, epoch = NULL
             WHERE p.school = p_school AND p.tool = v_tool AND p.seq IN (SELECT x::bigint FROM jsonb_array_elements_text(v->'requeued') x);
        END IF;
        IF jsonb_array_length(v->'dropped') > 0 THEN
            DELETE FROM put_out p
             WHERE p.school = p_school AND p.tool = v_tool AND p.seq IS NULL
               AND p.source IN (SELECT x::uuid FROM jsonb_array_elements_text(v->'dropped') x);
        END IF;
    END LOOP;
END $$;

-- Network's positions before the first change that a tool is not told of yet: no cursor beyond is announced.
CREATE POLICY owner_lists ON marker FOR SELECT TO {owner} USING (true);
CREATE FUNCTION list_held() RETURNS TABLE (school text, epoch int, seq bigint, hash text, tools uuid[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT DISTINCT ON (m.school) m.school, m.network_epoch, m.network_seq, m.network_hash,
           ARRAY(SELECT DISTINCT x.tool FROM marker x WHERE x.school = m.school AND x.told_at IS NULL)
      FROM marker m WHERE m.told_at IS NULL ORDER BY m.school, m.network_seq
$$;
