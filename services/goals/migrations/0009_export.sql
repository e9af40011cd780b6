-- For an export: a subject's newest 200 goals, 1000 scores and 50 plans as they stand, how many there are, and who is round it.
CREATE FUNCTION read_export(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_about uuid := (p_args->>'about')::uuid;
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'grants', plan_deciders(v_school, v_about)->'grants',
        'goals', (SELECT coalesce(jsonb_agg(to_jsonb(g) - 'school' ORDER BY g.id), '[]')
                    FROM (SELECT * FROM goal g WHERE g.school = v_school AND g.about = v_about ORDER BY g.id DESC LIMIT 200) g),
        'scores', (SELECT coalesce(jsonb_agg(to_jsonb(s) - 'school' ORDER BY s.observed_on, s.recorded_at, s.id), '[]')
                     FROM (SELECT s.* FROM score s JOIN goal g ON g.school = s.school AND g.id = s.goal
                            WHERE g.school = v_school AND g.about = v_about
                            ORDER BY s.observed_on DESC, s.recorded_at DESC, s.id DESC LIMIT 1000) s),
        'goals_in_all', (SELECT count(*) FROM goal g WHERE g.school = v_school AND g.about = v_about),
        'plans_in_all', (SELECT count(*) FROM plan p WHERE p.school = v_school AND p.about = v_about),
        'scores_in_all', (SELECT count(*) FROM score s JOIN goal g ON g.school = s.school AND g.id = s.goal
                   WHERE g.school = v_school AND g.about = v_about),
        'plans', (SELECT coalesce(jsonb_agg(to_jsonb(p) - 'school' || jsonb_build_object(
                             'text', plan_text_at(v_school, p.id, coalesce(p.force_number, p.number)),
                             'answers', plan_answers(v_school, p.id),
                             'ends', (SELECT coalesce(jsonb_agg(jsonb_build_object('action', e.action, 'outcome', e.outcome)
                                                                ORDER BY e.id), '[]')
                                        FROM action_end e WHERE e.school = v_school AND e.plan = p.id)) ORDER BY p.id), '[]')
                    FROM (SELECT * FROM plan p WHERE p.school = v_school AND p.about = v_about ORDER BY p.id DESC LIMIT 50) p));
END $$;
