-- Figures of who felt heard, as they were told: they stay when answers go with a child that is erased, and none of those answers is
-- read again.
CREATE TABLE heard_figure (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    role text NOT NULL,
    until text NOT NULL,
    since timestamptz NOT NULL,
    yes int NOT NULL,
    partly int NOT NULL,
    no int NOT NULL,
    CONSTRAINT heard_figure_pk PRIMARY KEY (school, id)
);
COMMENT ON TABLE heard_figure IS 'The newest that was told of each role: counts of ten people or more';
COMMENT ON COLUMN heard_figure.until IS 'The month up to which answers count, as 2027-01';
COMMENT ON COLUMN heard_figure.since IS 'When that month ended: answers from here on are not in these figures';
SELECT tenant_table('heard_figure');

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX conversation_heard_role ON conversation_heard (school, role, said_at);

-- As in 0015_heard_measure.sql: what was told, and only the answers since, each with the one in those figures that it replaces.
CREATE OR REPLACE FUNCTION read_heard(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'figures', (SELECT coalesce(jsonb_agg(to_jsonb(f) - '{school,id,since}'::text[] ORDER BY f.role), '[]')
                      FROM heard_figure f WHERE f.school = v_school),
        'answers', (
            WITH RECURSIVE known AS (  -- the roles, each found by the index
                SELECT min(role) AS role FROM conversation_heard WHERE school = v_school
                UNION ALL
                SELECT (SELECT min(h.role) FROM conversation_heard h WHERE h.school = v_school AND h.role > k.role)
                  FROM known k WHERE k.role IS NOT NULL)
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'role', h.role, 'member', h.member, 'conversation', h.conversation, 'answer', h.answer,
                       'month', to_char(h.said_at AT TIME ZONE 'Europe/Amsterdam', 'YYYY-MM'), 'before', b.answer) ORDER BY h.id), '[]')
              FROM known k
              LEFT JOIN heard_figure f ON f.school = v_school AND f.role = k.role
              JOIN LATERAL (SELECT * FROM conversation_heard c
                             WHERE c.school = v_school AND c.role = k.role
                               AND c.said_at >= coalesce(f.since, '-infinity')) h ON true
              LEFT JOIN LATERAL (SELECT o.answer FROM conversation_heard o
                                  WHERE o.school = v_school AND o.conversation = h.conversation AND o.member = h.member
                                    AND o.role = h.role AND o.said_at < f.since
                                  ORDER BY o.id DESC LIMIT 1) b ON true),
        'measures', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                'goal', m.id, 'role', m.role, 'thresholds', m.thresholds, 'scored_until', m.scored_until)
                                ORDER BY m.id), '[]')
                       FROM heard_measure m WHERE m.school = v_school));
END $$;

CREATE OR REPLACE FUNCTION read_goal_to_measure(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_state jsonb := read_goal_state(p_args);
    v_heard jsonb;
BEGIN
    IF v_state->'goal' IS NULL THEN
        RETURN v_state;
    END IF;
    v_heard := read_heard(p_args);
    RETURN v_state || jsonb_build_object(
        'measure', (SELECT to_jsonb(m) - 'school' FROM heard_measure m
                     WHERE m.school = p_args->>'school' AND m.id = (p_args->>'goal')::uuid),
        'figures', v_heard->'figures', 'answers', v_heard->'answers');
END $$;

-- As in 0010_insight.sql, with the figures that were told.
CREATE OR REPLACE FUNCTION read_insight(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_own uuid := (p_args->>'about')::uuid;
    v_heard jsonb := read_heard(p_args);
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'children', (
            SELECT coalesce(jsonb_object_agg(x.measure, x.children), '{}') FROM (
                SELECT 'goal_' || g.status AS measure, count(DISTINCT g.about)::int AS children
                  FROM goal g WHERE g.school = v_school AND g.about <> v_own AND g.status <> 'entered_in_error'
                 GROUP BY g.status
                UNION ALL
                SELECT 'plan_' || p.status, count(DISTINCT p.about)::int
                  FROM plan p WHERE p.school = v_school AND p.about <> v_own GROUP BY p.status
                UNION ALL
                SELECT 'overdue_' || c.deadline, count(DISTINCT c.about)::int
                  FROM plan_clock c WHERE c.school = v_school AND c.about <> v_own AND c.told = 'overdue' GROUP BY c.deadline
                UNION ALL
                SELECT 'conversation_' || t.status, count(DISTINCT t.about)::int
                  FROM conversation t WHERE t.school = v_school AND t.about <> v_own GROUP BY t.status) x),
        'own_approach', (
            SELECT coalesce(jsonb_object_agg(x.status, x.goals), '{}')
              FROM (SELECT g.status, count(*)::int AS goals FROM goal g
                     WHERE g.school = v_school AND g.about = v_own AND g.status <> 'entered_in_error' GROUP BY g.status) x),
        'heard', v_heard->'answers', 'figures', v_heard->'figures');
END $$;
