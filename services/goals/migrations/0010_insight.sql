-- For insight: how many children of a school each thing is so for, and the school's own goals by status.
CREATE FUNCTION read_insight(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_own uuid := (p_args->>'about')::uuid;
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
        'heard', read_heard(p_args)->'answers');
END $$;
