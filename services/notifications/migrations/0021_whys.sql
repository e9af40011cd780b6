-- What `why` tells: by which hours something was held, and, when a person is erased, what it tells others of the same events.

ALTER TABLE delivery ADD COLUMN hours int;
COMMENT ON COLUMN delivery.hours IS 'Held: by which version of the school''s hours, 0: the foundation''s; none: not held, or long ago';
SELECT tenant_table('delivery');

-- Of an event the codes of everyone who was not told of it stand together. An erased person's go out of it; the others' stay.
DELETE FROM erasable WHERE kind = 'person' AND name = 'notice_cause';
CREATE FUNCTION forget_untold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE notice_cause c SET untold = c.untold - g.members, version = c.version + 1
      FROM (SELECT school, about, array_agg(member::text) AS members FROM forgotten GROUP BY 1, 2) g
     WHERE c.school = g.school AND c.about = g.about AND c.untold ?| g.members;
    RETURN NULL;
END $$;
CREATE TRIGGER untold_of_forgotten AFTER DELETE ON untold_of REFERENCING OLD TABLE AS forgotten
    FOR EACH STATEMENT EXECUTE FUNCTION forget_untold();

-- As before, with how the school has adjusted the rule by which who can help is told.
CREATE OR REPLACE FUNCTION read_reminders(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_now timestamptz := clock_timestamp() + (SELECT shift FROM time_shift);
BEGIN
    RETURN jsonb_build_object(
        'subjects', '[]'::jsonb,
        'hours', school_hours_now(v_school),
        'helping', (SELECT to_jsonb(r) FROM notice_rule r
                     WHERE r.school = v_school AND r.kind = 'unanswered' ORDER BY r.number DESC LIMIT 1),
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
