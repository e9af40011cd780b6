-- For a plan as a document: what 0004_voice.sql shows of it and, when asked with scores, how the ladder of each of its goals went:
-- the baseline and its newest 200 scores, oldest first.
CREATE FUNCTION read_plan_to_export(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_state jsonb := read_plan_whole(p_args);
    v_school text := p_args->>'school';
BEGIN
    IF v_state->'plan' IS NULL OR NOT (p_args->>'scores')::boolean THEN
        RETURN v_state;
    END IF;
    RETURN v_state || jsonb_build_object('ladders', (
        SELECT coalesce(jsonb_object_agg(g.id, jsonb_build_object(
                   'baseline', g.baseline,
                   'older', (SELECT count(*) FROM score s WHERE s.school = g.school AND s.goal = g.id) - jsonb_array_length(x.scores),
                   'scores', x.scores)), '{}')
          FROM goal g, LATERAL (
               SELECT coalesce(jsonb_agg(jsonb_build_object(
                          'setting', s.setting, 'level', s.level, 'observed_on', s.observed_on, 'in_error_at', s.in_error_at)
                          ORDER BY s.observed_on, s.recorded_at, s.id), '[]') AS scores
                 FROM (SELECT * FROM score s WHERE s.school = g.school AND s.goal = g.id
                        ORDER BY s.observed_on DESC, s.recorded_at DESC, s.id DESC LIMIT 200) s) x
         WHERE g.school = v_school AND g.about = (v_state->'plan'->>'about')::uuid
           AND g.id IN (SELECT (i->>'item')::uuid FROM jsonb_array_elements(
                            coalesce(v_state->'force'->'items', v_state->'text'->'items')) i WHERE i->>'kind' = 'goal')));
END $$;
