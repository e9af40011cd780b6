-- More channels than mail, states with reasons, urgent ones first; people's own addresses, and what stops one.

ALTER TABLE delivery
    -- squawk-ignore ban-drop-constraint
    DROP CONSTRAINT delivery_channel,
    -- squawk-ignore ban-drop-constraint
    DROP CONSTRAINT delivery_state,
    ADD COLUMN urgent boolean NOT NULL DEFAULT false,
    ADD COLUMN doubts int NOT NULL DEFAULT 0,
    ADD CONSTRAINT delivery_channel CHECK (channel IN ('mail', 'push', 'other')) NOT VALID,
    ADD CONSTRAINT delivery_state
        CHECK (state IN ('queued', 'claimed', 'deferred', 'sent', 'failed', 'cancelled')) NOT VALID;
COMMENT ON COLUMN delivery.doubts IS 'Tries that may have arrived without our knowing: a later one may be a repeat';
COMMENT ON COLUMN delivery.next_try_at IS 'Queued or deferred: when to try. Claimed: when the claim lapses and another may claim';
SELECT tenant_table('delivery');
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX delivery_waiting ON delivery (school, channel, urgent DESC, next_try_at) WHERE state IN ('queued', 'deferred', 'claimed');
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX delivery_due;

-- Where a member wants to be reached, besides the school's own record of mail addresses (network's).
CREATE TABLE address (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    member uuid NOT NULL,
    channel text NOT NULL CONSTRAINT address_channel CHECK (channel IN ('mail', 'push', 'other')),
    outlet uuid,
    target text NOT NULL,
    state text NOT NULL CONSTRAINT address_state CHECK (state IN ('unverified', 'verified')),
    code_salt text,
    code_hash text,
    code_until timestamptz,
    code_misses int NOT NULL,
    codes_sent int NOT NULL,
    code_due_at timestamptz,
    added_at timestamptz NOT NULL,
    CONSTRAINT address_pk PRIMARY KEY (school, id)
);
COMMENT ON COLUMN address.target IS 'A mail address, a push subscription as JSON, or what takes the place of {target} in an outlet''s URL';
COMMENT ON COLUMN address.code_due_at IS 'Since when a code waits to be sent there; nothing else is sent before it came back';
CREATE UNIQUE INDEX address_once ON address (school, member, channel, md5(target));
CREATE INDEX address_code_due ON address (school, code_due_at) WHERE code_due_at IS NOT NULL;
SELECT tenant_table('address');

-- What is not sent to any more. Without a digest: a member's whole channel. Never the address itself: of the school's own
-- record there is no copy here.
CREATE TABLE address_stop (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    member uuid NOT NULL,
    channel text NOT NULL CONSTRAINT address_stop_channel CHECK (channel IN ('mail', 'push', 'other')),
    salt text,
    digest text,
    code text NOT NULL,
    stopped_at timestamptz NOT NULL,
    CONSTRAINT address_stop_pk PRIMARY KEY (school, id)
);
CREATE INDEX address_stop_member ON address_stop (school, member);
CREATE UNIQUE INDEX address_stop_whole ON address_stop (school, member, channel) WHERE digest IS NULL;
SELECT tenant_table('address_stop');

-- Channels that the school itself sets up: an Apprise URL, sealed, for it holds secrets.
CREATE TABLE outlet (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    name text NOT NULL,
    scheme text NOT NULL,
    sealed text NOT NULL,
    CONSTRAINT outlet_pk PRIMARY KEY (school, id),
    CONSTRAINT outlet_once UNIQUE (school, name)
);
SELECT tenant_table('outlet');

INSERT INTO erasable VALUES
    ('child', 'address', 12, 't.member = $2'),
    ('child', 'address_stop', 13, 't.member = $2'),
    ('person', 'address', 12, 't.member = $2'),
    ('person', 'address_stop', 13, 't.member = $2');

-- One delivery with its notice, for whoever claims or settles it; and where its member may be reached through its channel.
CREATE OR REPLACE FUNCTION read_delivery(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN coalesce(
        (SELECT jsonb_build_object(
            'subjects', jsonb_build_array(n.about),
            'notice', to_jsonb(n),
            'delivery', to_jsonb(d),
            'addresses', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', a.id, 'target', a.target, 'sealed', o.sealed)
                                                    ORDER BY a.added_at DESC), '[]')
                            FROM address a LEFT JOIN outlet o ON o.school = a.school AND o.id = a.outlet
                           WHERE a.school = n.school AND a.member = n.member AND a.channel = d.channel
                             AND a.state = 'verified' AND (a.outlet IS NULL OR o.id IS NOT NULL)),
            'stops', (SELECT coalesce(jsonb_agg(jsonb_build_object('salt', s.salt, 'digest', s.digest, 'code', s.code)), '[]')
                        FROM address_stop s
                       WHERE s.school = n.school AND s.member = n.member AND s.channel = d.channel))
           FROM delivery d JOIN notice n ON n.school = d.school AND n.id = d.notice
          WHERE d.school = p_args->>'school' AND d.id = (p_args->>'delivery')::uuid),
        '{"subjects": []}');
END $$;

-- A member's own addresses and stops; nobody is the subject.
CREATE FUNCTION read_addresses(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_member uuid := coalesce(p_args->>'member', p_args->>'actor')::uuid;
BEGIN
    RETURN jsonb_build_object(
        'subjects', '[]'::jsonb,
        'addresses', (SELECT coalesce(jsonb_agg(to_jsonb(a) || jsonb_build_object('outlet_name', o.name, 'sealed', o.sealed)
                                                ORDER BY a.id), '[]')
                        FROM address a LEFT JOIN outlet o ON o.school = a.school AND o.id = a.outlet
                       WHERE a.school = v_school AND a.member = v_member),
        'outlets', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', o.id, 'name', o.name) ORDER BY o.name), '[]')
                      FROM outlet o WHERE o.school = v_school),
        'stops', (SELECT coalesce(jsonb_agg(to_jsonb(s) ORDER BY s.id), '[]')
                    FROM address_stop s WHERE s.school = v_school AND s.member = v_member));
END $$;

-- The school's outlets, about the school itself.
CREATE FUNCTION read_outlets(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'outlets', (SELECT coalesce(jsonb_agg(to_jsonb(o) - 'school' ORDER BY o.name), '[]')
                      FROM outlet o WHERE o.school = p_args->>'school'));
END $$;

-- What a bounce is about: the notice, its member's stops, and who may be told of it (the grants on the school itself).
CREATE FUNCTION read_bounce(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
BEGIN
    RETURN coalesce(
        (SELECT jsonb_build_object(
            'subjects', jsonb_build_array(p_args->'about'),
            'notice', to_jsonb(n),
            'deliveries', (SELECT coalesce(jsonb_agg(to_jsonb(d)), '[]') FROM delivery d
                            WHERE d.school = v_school AND d.notice = n.id AND d.channel = p_args->>'channel'),
            'stops', (SELECT coalesce(jsonb_agg(to_jsonb(s)), '[]') FROM address_stop s
                       WHERE s.school = v_school AND s.member = n.member AND s.channel = p_args->>'channel'),
            'addresses', (SELECT coalesce(jsonb_agg(to_jsonb(a)), '[]') FROM address a
                           WHERE a.school = v_school AND a.member = n.member AND a.channel = p_args->>'channel'),
            'grants', (SELECT coalesce(jsonb_agg(g), '[]')
                         FROM access x, jsonb_each(x.grants) e, jsonb_array_elements(e.value) g
                        WHERE x.school = v_school AND x.id = (p_args->>'about')::uuid))
           FROM notice n WHERE n.school = v_school AND n.id = (p_args->>'notice')::uuid),
        '{"subjects": []}');
END $$;
