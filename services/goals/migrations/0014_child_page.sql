-- For a child's page, in one look: a page of goals as read_goals gives it, the newest 200 scores that count on
-- the first 20 of those (PAGE in queries.py), and the
-- newest plan with its text in force, or its newest. Scores without their words: those are read goal by goal.
CREATE FUNCTION read_child_page(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_about uuid := (p_args->>'about')::uuid;
    v_state jsonb := read_goals(p_args || '{"statuses": [], "after": null}');
    v_plan plan;
BEGIN
    SELECT * INTO v_plan FROM plan p WHERE p.school = v_school AND p.about = v_about ORDER BY p.id DESC LIMIT 1;
    RETURN v_state || jsonb_build_object(
        'scores', (
            SELECT coalesce(jsonb_agg(to_jsonb(x) ORDER BY x.observed_on, x.id), '[]')
              FROM (SELECT s.id, s.goal, s.setting, s.level, s.observed_on
                      FROM jsonb_array_elements(v_state->'goals') WITH ORDINALITY AS g (goal, place),
                           LATERAL (SELECT * FROM score s
                                     WHERE s.school = v_school AND s.goal = (g.goal->>'id')::uuid AND s.in_error_at IS NULL
                                     ORDER BY s.observed_on DESC, s.recorded_at DESC, s.id DESC LIMIT 200) s
                     WHERE g.place <= 20
                     ORDER BY s.observed_on DESC, s.recorded_at DESC, s.id DESC LIMIT 200) x),
        'plan', CASE WHEN v_plan.id IS NOT NULL THEN to_jsonb(v_plan) - 'school' END,
        'text', plan_text_at(v_school, v_plan.id, coalesce(v_plan.force_number, v_plan.number)));
END $$;
