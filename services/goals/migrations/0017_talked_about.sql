-- What was talked about counts also when nobody had put it on the agenda: named when the conversation was held, or what an
-- outcome became.

-- What 0012_suggestion.sql reads for holding it, with the open suggestions of goals that are named as talked about too, and
-- which of those are not goals of this subject.
CREATE OR REPLACE FUNCTION read_conversation_to_hold(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_state jsonb := read_conversation(p_args);
    v_named uuid[] := ARRAY(SELECT g::uuid FROM jsonb_array_elements_text(coalesce(p_args->'goals', '[]')) g);
BEGIN
    RETURN v_state || jsonb_build_object(
        'strange_goals', (
            SELECT coalesce(jsonb_agg(n ORDER BY n), '[]') FROM unnest(v_named) n
             WHERE NOT EXISTS (SELECT FROM goal g WHERE g.school = v_school AND g.id = n
                                  AND g.about = (v_state->'conversation'->>'about')::uuid)),
        'suggestions', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('goal', s.id) || suggestion_of(s.school, s.id) ORDER BY s.id), '[]')
              FROM talk_suggestion s
             WHERE s.school = v_school AND s.settled IS NULL
               AND s.id IN (SELECT (x->>'goal')::uuid FROM jsonb_array_elements(
                                coalesce(v_state->'points', '[]') || coalesce(v_state->'conversation', '{}')) x
                             UNION SELECT unnest(v_named))));
END $$;

-- What 0008_conversation.sql reads for settling an outcome, with the suggestion of the goal that it became.
CREATE FUNCTION read_outcome_to_settle(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_state jsonb := read_outcome(p_args);
BEGIN
    RETURN v_state || jsonb_build_object('suggestion', CASE WHEN v_state->'known' = 'true' AND v_state->'outcome'->>'kind' = 'goal'
        THEN suggestion_of(p_args->>'school', (p_args->>'became')::uuid) END);
END $$;
