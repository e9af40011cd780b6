-- Notices in members' inboxes, and their deliveries through channels. No text: a notice's words follow from its kind.

CREATE TABLE notice (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    member uuid NOT NULL,
    about uuid NOT NULL,
    source uuid NOT NULL,
    thing uuid,
    kind text NOT NULL,
    category text NOT NULL,
    purpose text NOT NULL,
    state text NOT NULL CONSTRAINT notice_state CHECK (state IN ('unread', 'read', 'done')),
    occurred_at timestamptz NOT NULL,
    queued_at timestamptz NOT NULL,
    CONSTRAINT notice_pk PRIMARY KEY (school, id),
    CONSTRAINT notice_once UNIQUE (school, member, source)
);
COMMENT ON COLUMN notice.source IS 'The event that caused it: one notice a member and event, however often the event comes';
COMMENT ON COLUMN notice.occurred_at IS 'Domain time of that event; queued_at is the clock of its producer''s database';
CREATE INDEX notice_inbox ON notice (school, member, occurred_at DESC, id DESC);
SELECT tenant_table('notice');

CREATE TABLE delivery (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    notice uuid NOT NULL,
    channel text NOT NULL CONSTRAINT delivery_channel CHECK (channel IN ('mail')),
    state text NOT NULL CONSTRAINT delivery_state CHECK (state IN ('queued', 'claimed', 'sent', 'failed', 'cancelled')),
    tries int NOT NULL,
    next_try_at timestamptz NOT NULL,
    act jsonb,
    code text,
    CONSTRAINT delivery_pk PRIMARY KEY (school, id),
    CONSTRAINT delivery_once UNIQUE (school, notice, channel),
    CONSTRAINT delivery_notice_fk FOREIGN KEY (school, notice) REFERENCES notice (school, id)
);
COMMENT ON COLUMN delivery.next_try_at IS 'Queued: when to try. Claimed: when the claim lapses and another may claim';
COMMENT ON COLUMN delivery.act IS 'The permit of the last claim: the basis that its disclosure line names';
CREATE INDEX delivery_due ON delivery (school, next_try_at) WHERE state IN ('queued', 'claimed');
SELECT tenant_table('delivery');

-- One delivery with its notice, for whoever claims or settles it.
CREATE FUNCTION read_delivery(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN coalesce(
        (SELECT jsonb_build_object('subjects', jsonb_build_array(n.about), 'notice', to_jsonb(n), 'delivery', to_jsonb(d))
           FROM delivery d JOIN notice n ON n.school = d.school AND n.id = d.notice
          WHERE d.school = p_args->>'school' AND d.id = (p_args->>'delivery')::uuid),
        '{"subjects": []}');
END $$;

-- One notice of the asking member's own; another's is not there.
CREATE FUNCTION read_notice(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN coalesce(
        (SELECT jsonb_build_object('subjects', jsonb_build_array(n.about), 'notice', to_jsonb(n))
           FROM notice n
          WHERE n.school = p_args->>'school' AND n.id = (p_args->>'notice')::uuid
            AND n.member = (p_args->>'actor')::uuid),
        '{"subjects": []}');
END $$;

-- The asking member's own notices in the wanted states, newest first, those after `before` if it is given.
CREATE FUNCTION read_inbox(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_notices jsonb;
BEGIN
    SELECT jsonb_agg(to_jsonb(n) ORDER BY n.occurred_at DESC, n.id DESC) INTO v_notices
      FROM (SELECT n.* FROM notice n
             WHERE n.school = p_args->>'school' AND n.member = (p_args->>'actor')::uuid
               AND p_args->'states' ? n.state
               AND (p_args->>'before' IS NULL OR (n.occurred_at, n.id) < (
                    SELECT b.occurred_at, b.id FROM notice b
                     WHERE b.school = p_args->>'school' AND b.id = (p_args->>'before')::uuid
                       AND b.member = (p_args->>'actor')::uuid))
             ORDER BY n.occurred_at DESC, n.id DESC LIMIT (p_args->>'limit')::int) n;
    RETURN jsonb_build_object(
        'subjects', coalesce((SELECT jsonb_agg(DISTINCT n->'about') FROM jsonb_array_elements(v_notices) n), '[]'),
        'notices', coalesce(v_notices, '[]'));
END $$;
