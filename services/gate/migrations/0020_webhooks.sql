-- Tools that are told by webhook: where, signed with what; and what was given a number and is not delivered yet.

CREATE TABLE webhook (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    url text NOT NULL,
    keys jsonb NOT NULL,
    set_at timestamptz NOT NULL,
    CONSTRAINT webhook_pk PRIMARY KEY (school, id),
    CONSTRAINT webhook_tool_fk FOREIGN KEY (school, id) REFERENCES tool (school, id)
);
COMMENT ON COLUMN webhook.id IS 'The tool''s';
COMMENT ON COLUMN webhook.keys IS '[{secret, until}]: all that count sign; until null: until it is replaced. Told to nobody again';
SELECT tenant_table('webhook');

-- How its receiver fares, apart from the settings: it moves with its luck.
CREATE TABLE receiver (
    school text NOT NULL,
    id uuid NOT NULL,
    failures int NOT NULL,
    openings int NOT NULL,
    until timestamptz,
    failing_since timestamptz,
    code text,
    CONSTRAINT receiver_pk PRIMARY KEY (school, id),
    CONSTRAINT receiver_tool_fk FOREIGN KEY (school, id) REFERENCES tool (school, id)
);
COMMENT ON COLUMN receiver.until IS 'The breaker is open until then; null: it is closed';
SELECT tenant_policy('receiver');

-- No child stands in it: what lies under the number is in put_out or marker, or nothing any more.
CREATE TABLE parcel (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    tool uuid NOT NULL,
    seq bigint NOT NULL,
    tries int NOT NULL,
    first_at timestamptz NOT NULL,
    next_at timestamptz NOT NULL,
    aside_at timestamptz,
    code text,
    CONSTRAINT parcel_pk PRIMARY KEY (school, id),
    CONSTRAINT parcel_tool_fk FOREIGN KEY (school, tool) REFERENCES tool (school, id)
);
COMMENT ON TABLE parcel IS 'A number that a webhook''s receiver has not confirmed: it goes when it is delivered';
COMMENT ON COLUMN parcel.aside_at IS 'It failed for too long: it goes again by command only, and what follows no longer waits for it';
CREATE UNIQUE INDEX parcel_number ON parcel (school, tool, seq);
CREATE INDEX parcel_due ON parcel (school, tool, next_at) WHERE aside_at IS NULL;
SELECT tenant_table('parcel');

-- A child's own line in the queue of a tool.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX put_out_line ON put_out (school, tool, about, turn) WHERE seq IS NULL;

-- What a tool's courier may take next, at most one of a child: what is due again, then the first in the queue of each child
-- of whom nothing is on its way. `open`: numbers that were given elsewhere (a replay, a recovery) and are no parcels yet.
CREATE FUNCTION read_parcels(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
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
               coalesce(o.void, m.id IS NULL) AS void, h.event, m.id AS withdrawal, m.taken_out
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

-- Withdrawals that a tool with a webhook is not told of yet, each with the numbers that it never got and never will.
CREATE FUNCTION read_untold_parcels(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_tool uuid := (p_args->>'tool')::uuid;
BEGIN
    RETURN jsonb_build_object(
        'subjects', '[]'::jsonb,
        'tool', (SELECT to_jsonb(t) - 'label' FROM tool t WHERE t.school = v_school AND t.id = v_tool),
        'outlet', (SELECT to_jsonb(o) - 'school' - 'id' FROM outlet o WHERE o.school = v_school AND o.id = v_tool),
        'epoch', coalesce((SELECT epoch FROM journal_head WHERE school = v_school), 1),
        'markers', coalesce((
            SELECT jsonb_agg(to_jsonb(m) || jsonb_build_object('undelivered', (
                       SELECT coalesce(jsonb_agg(p.seq ORDER BY p.seq), '[]')
                         FROM put_out p JOIN parcel e ON e.school = v_school AND e.tool = v_tool AND e.seq = p.seq
                        WHERE p.school = v_school AND p.about = m.about AND p.tool = v_tool AND p.category = m.category)))
              FROM (SELECT * FROM marker WHERE school = v_school AND tool = v_tool AND told_at IS NULL
                     ORDER BY network_seq, id LIMIT 100) m), '[]'));
END $$;

-- Parcels that were under way, and the first number of the tool that is still undelivered beside them.
CREATE FUNCTION read_settling(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_tool uuid := (p_args->>'tool')::uuid;
    v_seqs bigint[] := ARRAY(SELECT (x->>'seq')::bigint FROM jsonb_array_elements(p_args->'results') x);
BEGIN
    RETURN jsonb_build_object(
        'subjects', '[]'::jsonb,
        'outlet', (SELECT to_jsonb(o) - 'school' - 'id' FROM outlet o WHERE o.school = v_school AND o.id = v_tool),
        'parcels', coalesce((SELECT jsonb_agg(to_jsonb(p)) FROM parcel p
                              WHERE p.school = v_school AND p.tool = v_tool AND p.seq = ANY (v_seqs)), '[]'),
        'next', (SELECT min(p.seq) FROM parcel p WHERE p.school = v_school AND p.tool = v_tool AND p.seq <> ALL (v_seqs)));
END $$;

-- A tool's webhook for whoever keeps the school's records: its secrets are for nobody.
CREATE FUNCTION read_webhook(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_tool uuid := (p_args->>'tool')::uuid;
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'tool', (SELECT tool_shown(t) FROM tool t WHERE t.school = v_school AND t.id = v_tool),
        'webhook', (SELECT to_jsonb(w) FROM webhook w WHERE w.school = v_school AND w.id = v_tool),
        'receiver', (SELECT to_jsonb(r) - 'school' - 'id' FROM receiver r WHERE r.school = v_school AND r.id = v_tool),
        'waiting', (SELECT count(*) FROM parcel p WHERE p.school = v_school AND p.tool = v_tool AND p.aside_at IS NULL),
        'aside', coalesce((SELECT jsonb_agg(to_jsonb(p) - 'school' - 'tool' ORDER BY p.seq) FROM (
            SELECT * FROM parcel WHERE school = v_school AND tool = v_tool AND aside_at IS NOT NULL
               AND seq >= coalesce((p_args->>'from_sequence')::bigint, 0) ORDER BY seq LIMIT 200) p), '[]'));
END $$;
