-- For a conversation that took place unplanned: the subject as asked, who of those who were there is not in its network, which
-- goals that were talked about are not its, and the open suggestions of those that are.
CREATE FUNCTION read_conversation_to_record(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_about uuid := (p_args->>'about')::uuid;
    v_named uuid[] := ARRAY(SELECT g::uuid FROM jsonb_array_elements_text(p_args->'goals') g);
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'strangers', strangers(v_school, v_about, p_args->'attended'),
        'strange_goals', (
            SELECT coalesce(jsonb_agg(n ORDER BY n), '[]') FROM unnest(v_named) n
             WHERE NOT EXISTS (SELECT FROM goal g WHERE g.school = v_school AND g.id = n AND g.about = v_about)),
        'suggestions', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('goal', s.id) || suggestion_of(s.school, s.id) ORDER BY s.id), '[]')
              FROM talk_suggestion s
             WHERE s.school = v_school AND s.settled IS NULL AND s.id = ANY (v_named)));
END $$;
