-- A school's own quiet hours, digests and holidays, for who has set nothing. Every version stays, the highest holds.

CREATE TABLE school_hours (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    number int NOT NULL CONSTRAINT school_hours_number CHECK (number > 0),
    settings jsonb NOT NULL,
    set_by uuid NOT NULL,
    set_at timestamptz NOT NULL,
    CONSTRAINT school_hours_pk PRIMARY KEY (school, id),
    CONSTRAINT school_hours_once UNIQUE (school, number)
);
SELECT tenant_table('school_hours');

CREATE FUNCTION school_hours_now(p_school text) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT jsonb_build_object('number', h.number, 'settings', h.settings) FROM school_hours h
             WHERE h.school = p_school ORDER BY h.number DESC LIMIT 1);
END $$;

-- About the school itself.
CREATE FUNCTION read_school_hours(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object('subjects', jsonb_build_array(p_args->'about'), 'hours', school_hours_now(p_args->>'school'));
END $$;

CREATE OR REPLACE FUNCTION read_preference(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', '[]'::jsonb,
        'hours', school_hours_now(p_args->>'school'),
        'preference', (SELECT to_jsonb(p) FROM preference p
                        WHERE p.school = p_args->>'school' AND p.id = (p_args->>'actor')::uuid));
END $$;

-- One delivery with its notice, for whoever claims or settles it; those that go with it as one message (`parts`, up to 200;
-- `more`: there are others, which the message only says; `went`: a message has told some of them already); where its member
-- may be reached through its channel; and what its member wants.
CREATE OR REPLACE FUNCTION read_delivery(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_one delivery;
    v_notice notice;
    v_parts jsonb;
    v_more boolean := false;
    v_went boolean := false;
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
        SELECT count(*) > 200 INTO v_more
          FROM (SELECT FROM delivery b WHERE b.school = v_school AND b.bundle = v_one.bundle
                   AND b.state IN ('queued', 'deferred', 'claimed') LIMIT 201) o;
        v_went := EXISTS (SELECT FROM delivery b WHERE b.school = v_school AND b.bundle = v_one.bundle AND b.state IN ('sent', 'failed'));
    END IF;
    RETURN jsonb_build_object(
        'subjects', coalesce((SELECT jsonb_agg(DISTINCT p->'notice'->'about') FROM jsonb_array_elements(v_parts) p),
                             jsonb_build_array(v_notice.about)),
        'notice', to_jsonb(v_notice),
        'delivery', to_jsonb(v_one),
        'parts', v_parts,
        'more', v_more,
        'went', v_went,
        'preference', (SELECT p.settings FROM preference p WHERE p.school = v_school AND p.id = v_notice.member),
        'hours', school_hours_now(v_school),
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

-- As before, with the school's hours.
CREATE OR REPLACE FUNCTION read_reminders(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_now timestamptz := clock_timestamp() + (SELECT shift FROM time_shift);
BEGIN
    RETURN jsonb_build_object(
        'subjects', '[]'::jsonb,
        'hours', school_hours_now(v_school),
        'days_off', (SELECT y.years FROM days_off y WHERE y.school = v_school LIMIT 1),
        'due', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'notice', to_jsonb(n),
                    'channels', (SELECT coalesce(jsonb_agg(DISTINCT d.channel), '[]') FROM delivery d
                                  WHERE d.school = v_school AND d.notice = n.id),
                    'preference', (SELECT p.settings FROM preference p WHERE p.school = v_school AND p.id = n.member),
                    'rule', (SELECT to_jsonb(r) FROM notice_rule r
                              WHERE r.school = v_school AND r.kind = n.kind ORDER BY r.number DESC LIMIT 1),
                    'grants', (SELECT coalesce(jsonb_agg(g), '[]')
                                 FROM access a, jsonb_each(a.grants) e, jsonb_array_elements(e.value) g
                                WHERE a.school = v_school AND a.id = n.about AND NOT reviewing(v_school, n.about)))
                    ORDER BY n.remind_at, n.id), '[]')
                  FROM (SELECT x.* FROM notice x WHERE x.school = v_school AND x.remind_at <= v_now
                         ORDER BY x.remind_at LIMIT (p_args->>'page')::int) n));
END $$;
