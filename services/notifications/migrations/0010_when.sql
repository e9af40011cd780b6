-- When: what waits for its moment, what goes as one message, what was folded, and what each person and school has set.

-- squawk-ignore adding-not-nullable-field
ALTER TABLE delivery
    ADD COLUMN member uuid,
    ADD COLUMN about uuid,
    ADD COLUMN round int NOT NULL DEFAULT 0,
    ADD COLUMN bundle uuid,
    ADD COLUMN pace text NOT NULL DEFAULT 'now',
    ADD COLUMN period text,
    ADD COLUMN release_at timestamptz,
    ADD COLUMN due_at timestamptz,
    ADD COLUMN why text;
COMMENT ON COLUMN delivery.member IS 'The notice''s own, as is about: found without it';
COMMENT ON COLUMN delivery.round IS '0 as it was told first, 1 and up as a reminder';
COMMENT ON COLUMN delivery.bundle IS 'What goes with others as one message to one member: a digest';
COMMENT ON COLUMN delivery.period IS 'The day or week whose digest it is for (2026-11-30, 2026-W49)';
COMMENT ON COLUMN delivery.release_at IS 'Held: until this moment of domain time';
COMMENT ON COLUMN delivery.due_at IS 'When it was first free to go, by the database''s clock: from then on trying has an end';
COMMENT ON COLUMN delivery.why IS 'What held it back, as a code (quiet_hours, days_off, digest)';
-- Past the walls, which hide every school's rows from the owner too.
ALTER TABLE delivery NO FORCE ROW LEVEL SECURITY;
ALTER TABLE notice NO FORCE ROW LEVEL SECURITY;
UPDATE delivery d SET member = n.member, about = n.about, due_at = n.queued_at
  FROM notice n WHERE n.school = d.school AND n.id = d.notice;
ALTER TABLE delivery FORCE ROW LEVEL SECURITY;
ALTER TABLE notice FORCE ROW LEVEL SECURITY;

-- squawk-ignore ban-drop-constraint
ALTER TABLE delivery DROP CONSTRAINT delivery_state;
-- squawk-ignore ban-drop-constraint
ALTER TABLE delivery DROP CONSTRAINT delivery_once;
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE delivery ADD CONSTRAINT delivery_state
    CHECK (state IN ('held', 'queued', 'claimed', 'deferred', 'sent', 'failed', 'cancelled'));
-- squawk-ignore constraint-missing-not-valid
ALTER TABLE delivery ADD CONSTRAINT delivery_held CHECK (state <> 'held' OR release_at IS NOT NULL);
-- squawk-ignore disallowed-unique-constraint, constraint-missing-not-valid
ALTER TABLE delivery ADD CONSTRAINT delivery_once UNIQUE (school, notice, channel, round);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX delivery_held ON delivery (school, release_at) WHERE state = 'held';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX delivery_open ON delivery (school, about) WHERE state IN ('held', 'queued', 'deferred');
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX delivery_bundle ON delivery (school, bundle) WHERE bundle IS NOT NULL;
SELECT tenant_table('delivery');

-- squawk-ignore adding-not-nullable-field
ALTER TABLE notice
    ADD COLUMN urgent boolean NOT NULL DEFAULT false,
    ADD COLUMN told jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN fold text,
    ADD COLUMN folded_into uuid,
    ADD COLUMN folds int NOT NULL DEFAULT 0,
    ADD COLUMN answered boolean NOT NULL DEFAULT false,
    ADD COLUMN remind_at timestamptz,
    ADD COLUMN reminded int NOT NULL DEFAULT 0;
COMMENT ON COLUMN notice.told IS 'By which rule and which grant it was made: what `why` tells';
COMMENT ON COLUMN notice.fold IS 'Unread ones of a member that share it are shown as one, the newest';
COMMENT ON COLUMN notice.folded_into IS 'The newer one that is shown in its place';
COMMENT ON COLUMN notice.remind_at IS 'When its member is reminded, by domain time, if it still waits for an answer';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX notice_fold ON notice (school, member, fold)
 WHERE fold IS NOT NULL AND folded_into IS NULL AND state = 'unread';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX notice_remind ON notice (school, remind_at) WHERE remind_at IS NOT NULL;
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX notice_thing ON notice (school, thing) WHERE thing IS NOT NULL;
SELECT tenant_table('notice');

-- A digest that went out: one a member, channel and period, for ever.
CREATE TABLE digest (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL DEFAULT 1,
    member uuid NOT NULL,
    channel text NOT NULL,
    pace text NOT NULL,
    period text NOT NULL,
    released_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT digest_pk PRIMARY KEY (school, id),
    CONSTRAINT digest_once UNIQUE (school, member, channel, pace, period)
);
SELECT tenant_table('digest');

-- What a person wants: quiet hours, language, how soon through which channel. One row a person.
CREATE TABLE preference (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    settings jsonb NOT NULL,
    set_at timestamptz NOT NULL,
    CONSTRAINT preference_pk PRIMARY KEY (school, id)
);
COMMENT ON COLUMN preference.id IS 'The member';
SELECT tenant_table('preference');

-- How a school has adjusted a rule: every version stays, the one with the highest number holds.
CREATE TABLE notice_rule (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    kind text NOT NULL,
    number int NOT NULL CONSTRAINT notice_rule_number CHECK (number > 0),
    settings jsonb NOT NULL,
    set_by uuid NOT NULL,
    set_at timestamptz NOT NULL,
    CONSTRAINT notice_rule_pk PRIMARY KEY (school, id),
    CONSTRAINT notice_rule_once UNIQUE (school, kind, number)
);
SELECT tenant_table('notice_rule');

-- The days on which nobody is at school, as goals told them. One row a school: id is the school's own subject.
CREATE TABLE days_off (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    years jsonb NOT NULL,
    CONSTRAINT days_off_pk PRIMARY KEY (school, id)
);
COMMENT ON COLUMN days_off.years IS 'By the year in which the school year ends: a list of [first day, last day]';
SELECT tenant_table('days_off');

-- An event that had a rule, and who round its subject was not told of it, and why: codes.
CREATE TABLE notice_cause (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    thing uuid,
    kind text NOT NULL,
    occurred_at timestamptz NOT NULL,
    untold jsonb NOT NULL,
    CONSTRAINT notice_cause_pk PRIMARY KEY (school, id)
);
COMMENT ON COLUMN notice_cause.id IS 'The event''s';
COMMENT ON COLUMN notice_cause.untold IS 'Member to code';
CREATE INDEX notice_cause_about ON notice_cause (school, about, occurred_at DESC);
SELECT tenant_table('notice_cause');

INSERT INTO erasable VALUES
    ('child', 'notice_cause', 12, 't.about = $2'),
    ('child', 'preference', 13, 't.id = $2'),
    ('child', 'digest', 13, 't.member = $2'),
    ('person', 'notice_cause', 12, 't.untold ? $2::text'),
    ('person', 'preference', 13, 't.id = $2'),
    ('person', 'digest', 13, 't.member = $2');

-- One delivery with its notice, for whoever claims or settles it; those that go with it as one message (`parts`, up to 200:
-- more than a message can be about); where its member may be reached through its channel; and what its member wants.
CREATE OR REPLACE FUNCTION read_delivery(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_one delivery;
    v_notice notice;
    v_parts jsonb;
BEGIN
    SELECT * INTO v_one FROM delivery d WHERE d.school = v_school AND d.id = (p_args->>'delivery')::uuid;
    SELECT * INTO v_notice FROM notice n WHERE n.school = v_school AND n.id = v_one.notice;
    IF v_notice.id IS NULL THEN
        RETURN '{"subjects": []}';
    END IF;
    IF v_one.bundle IS NOT NULL THEN
        SELECT jsonb_agg(jsonb_build_object('notice', to_jsonb(n), 'delivery', to_jsonb(d)) ORDER BY n.occurred_at, n.id)
          INTO v_parts
          FROM (SELECT * FROM delivery b WHERE b.school = v_school AND b.bundle = v_one.bundle AND b.state <> 'held'
                 ORDER BY (b.state IN ('queued', 'deferred', 'claimed')) DESC, b.id LIMIT 200) d
          JOIN notice n ON n.school = d.school AND n.id = d.notice;
    END IF;
    RETURN jsonb_build_object(
        'subjects', coalesce((SELECT jsonb_agg(DISTINCT p->'notice'->'about') FROM jsonb_array_elements(v_parts) p),
                             jsonb_build_array(v_notice.about)),
        'notice', to_jsonb(v_notice),
        'delivery', to_jsonb(v_one),
        'parts', v_parts,
        'preference', (SELECT p.settings FROM preference p WHERE p.school = v_school AND p.id = v_notice.member),
        'days_off', (SELECT y.years FROM days_off y WHERE y.school = v_school LIMIT 1),
        'addresses', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', a.id, 'target', a.target, 'sealed', o.sealed)
                                                ORDER BY a.added_at DESC), '[]')
                        FROM address a LEFT JOIN outlet o ON o.school = a.school AND o.id = a.outlet
                       WHERE a.school = v_school AND a.member = v_notice.member AND a.channel = v_one.channel
                         AND a.state = 'verified' AND (a.outlet IS NULL OR o.id IS NOT NULL)),
        'stops', (SELECT coalesce(jsonb_agg(jsonb_build_object('salt', s.salt, 'digest', s.digest, 'code', s.code)), '[]')
                    FROM address_stop s
                   WHERE s.school = v_school AND s.member = v_notice.member AND s.channel = v_one.channel));
END $$;

-- The asking member's own notices in the wanted states, newest first, those after `before` if it is given. What was
-- folded into a newer one is shown by its number there.
CREATE OR REPLACE FUNCTION read_inbox(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_notices jsonb;
BEGIN
    SELECT jsonb_agg(to_jsonb(n) ORDER BY n.occurred_at DESC, n.id DESC) INTO v_notices
      FROM (SELECT n.* FROM notice n
             WHERE n.school = p_args->>'school' AND n.member = (p_args->>'actor')::uuid AND n.folded_into IS NULL
               AND p_args->'states' ? n.state
               AND (p_args->>'before' IS NULL OR (n.occurred_at, n.id) < (
                    SELECT b.occurred_at, b.id FROM notice b
                     WHERE b.school = p_args->>'school' AND b.id = (p_args->>'before')::uuid
                       AND b.member = (p_args->>'actor')::uuid))
             ORDER BY n.occurred_at DESC, n.id DESC LIMIT (p_args->>'limit')::int) n;
    RETURN jsonb_build_object(
        'subjects', coalesce((SELECT jsonb_agg(DISTINCT n->'about') FROM jsonb_array_elements(v_notices) n), '[]'),
        'notices', coalesce(v_notices, '[]'),
        'language', (SELECT p.settings->>'language' FROM preference p
                      WHERE p.school = p_args->>'school' AND p.id = (p_args->>'actor')::uuid));
END $$;

CREATE FUNCTION read_preference(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', '[]'::jsonb,
        'preference', (SELECT to_jsonb(p) FROM preference p
                        WHERE p.school = p_args->>'school' AND p.id = (p_args->>'actor')::uuid));
END $$;

-- The newest version of each rule that the school has adjusted; about the school itself.
CREATE FUNCTION read_rules(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'rules', (SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]')
                    FROM (SELECT DISTINCT ON (n.kind) n.* FROM notice_rule n WHERE n.school = p_args->>'school'
                           ORDER BY n.kind, n.number DESC) r));
END $$;

-- How much waits, since when and until when: counts by state, channel and reason; about the school itself.
CREATE FUNCTION read_queue(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'waiting', (SELECT coalesce(jsonb_agg(to_jsonb(q) ORDER BY q.state, q.channel, q.why), '[]')
                      FROM (SELECT d.state, d.channel, coalesce(CASE WHEN d.state = 'held' THEN d.why END, d.code) AS why,
                                   count(*) AS number, count(*) FILTER (WHERE d.urgent) AS urgent,
                                   min(d.due_at) AS since, min(d.release_at) FILTER (WHERE d.state = 'held') AS release_at,
                                   min(d.next_try_at) FILTER (WHERE d.state <> 'held') AS next_try_at
                              FROM delivery d
                             WHERE d.school = p_args->>'school' AND d.state IN ('held', 'queued', 'claimed', 'deferred')
                             GROUP BY 1, 2, 3) q));
END $$;

-- What is known of one event (or of all about a child lately) and one member: notices with their deliveries, and the
-- events that they were not told of.
CREATE FUNCTION read_why(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_member uuid := coalesce(p_args->>'member', p_args->>'actor')::uuid;
    v_about uuid := (p_args->>'about')::uuid;
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(v_about),
        'notices', (SELECT coalesce(jsonb_agg(to_jsonb(n) || jsonb_build_object(
                               'deliveries', (SELECT coalesce(jsonb_agg(to_jsonb(d) ORDER BY d.round, d.channel), '[]')
                                                FROM delivery d WHERE d.school = v_school AND d.notice = n.id))
                           ORDER BY n.occurred_at DESC), '[]')
                      FROM (SELECT * FROM notice x
                             WHERE x.school = v_school AND x.member = v_member AND x.about = v_about
                               AND (p_args->>'kind' IS NULL OR x.kind = p_args->>'kind')
                             ORDER BY x.occurred_at DESC LIMIT 50) n),
        'causes', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                              'source', c.id, 'kind', c.kind, 'thing', c.thing, 'occurred_at', c.occurred_at,
                              'code', c.untold->>(v_member::text)) ORDER BY c.occurred_at DESC), '[]')
                     FROM (SELECT * FROM notice_cause x
                            WHERE x.school = v_school AND x.about = v_about AND x.untold ? v_member::text
                              AND (p_args->>'kind' IS NULL OR x.kind = p_args->>'kind')
                            ORDER BY x.occurred_at DESC LIMIT 50) c),
        'events', (SELECT count(*) FROM notice_cause x
                    WHERE x.school = v_school AND x.about = v_about
                      AND (p_args->>'kind' IS NULL OR x.kind = p_args->>'kind')),
        'rules', (SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]') FROM notice_rule r WHERE r.school = v_school));
END $$;
