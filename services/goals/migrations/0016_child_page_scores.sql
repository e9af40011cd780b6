-- What 0014_child_page.sql gives of a child's page, with the scores by goal: each goal's id once, and of each score what is drawn.
CREATE OR REPLACE FUNCTION read_child_page(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_about uuid := (p_args->>'about')::uuid;
    v_state jsonb := read_goals(p_args || '{"statuses": [], "after": null}');
    v_plan plan;
BEGIN
    SELECT * INTO v_plan FROM plan p WHERE p.school = v_school AND p.about = v_about ORDER BY p.id DESC LIMIT 1;
    RETURN v_state || jsonb_build_object(
        'scores', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('goal', y.goal, 'scores', y.scores) ORDER BY y.goal), '[]')
              FROM (SELECT x.goal, json_agg(json_build_object(
                               'setting', x.setting, 'level', x.level, 'observed_on', x.observed_on)
                               ORDER BY x.observed_on, x.recorded_at, x.id) AS scores
                      FROM (SELECT s.*
                              FROM jsonb_array_elements(v_state->'goals') WITH ORDINALITY AS g (goal, place),
                                   LATERAL (SELECT * FROM score s
                                             WHERE s.school = v_school AND s.goal = (g.goal->>'id')::uuid AND s.in_error_at IS NULL
                                             ORDER BY s.observed_on DESC, s.recorded_at DESC, s.id DESC LIMIT 200) s
                             WHERE g.place <= 20
                             ORDER BY s.observed_on DESC, s.recorded_at DESC, s.id DESC LIMIT 200) x
                     GROUP BY x.goal) y),
        'plan', CASE WHEN v_plan.id IS NOT NULL THEN to_jsonb(v_plan) - 'school' END,
        'text', plan_text_at(v_school, v_plan.id, coalesce(v_plan.force_number, v_plan.number)));
END $$;
