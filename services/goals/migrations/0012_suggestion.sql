-- Where settings see a goal two levels apart or more, a conversation is suggested: one a goal, open until it was talked about
-- or the scores meet again. Points on an agenda may be about a goal.

CREATE TABLE talk_suggestion (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    opened_at timestamptz NOT NULL,
    settled text CONSTRAINT talk_suggestion_settled CHECK (settled IN ('talked', 'met', 'goal_over')),
    settled_at timestamptz,
    conversation uuid,
    CONSTRAINT talk_suggestion_pk PRIMARY KEY (school, id),
    CONSTRAINT talk_suggestion_goal FOREIGN KEY (school, id) REFERENCES goal (school, id),
    CONSTRAINT talk_suggestion_end CHECK ((settled IS NULL) = (settled_at IS NULL)
                                          AND (conversation IS NOT NULL) <= coalesce(settled = 'talked', false))
);
COMMENT ON TABLE talk_suggestion IS 'id is the goal: what diverges while one is open is part of it. Apart from progress, as few scores open or settle one';
COMMENT ON COLUMN talk_suggestion.conversation IS 'In which it was talked about';
CREATE INDEX talk_suggestion_open ON talk_suggestion (school, about) WHERE settled IS NULL;
SELECT tenant_table('talk_suggestion');
INSERT INTO erasable VALUES ('child', 'talk_suggestion', 0, 't.about = $2');

ALTER TABLE conversation_point ADD COLUMN goal uuid;
COMMENT ON COLUMN conversation_point.goal IS 'The goal that it is about, of the same subject';
SELECT tenant_table('conversation_point');

-- A goal's suggestion, open or not, or NULL.
CREATE FUNCTION suggestion_of(p_school text, p_goal uuid) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT jsonb_build_object('version', s.version, 'opened_at', s.opened_at, 'open', s.settled IS NULL)
      FROM talk_suggestion s WHERE s.school = p_school AND s.id = p_goal
$$;

-- What 0001_goals.sql gives a command of one goal, with its suggestion.
CREATE OR REPLACE FUNCTION goal_state(p_school text, p_goal uuid) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT jsonb_build_object(
        'id', g.id, 'about', g.about, 'version', g.version, 'status', g.status, 'achievement', g.achievement,
        'progress', coalesce(p.version, 0), 'latest', coalesce(p.latest, '{}'), 'suggestion', suggestion_of(p_school, p_goal))
      FROM goal g LEFT JOIN progress p ON p.school = g.school AND p.id = g.id
     WHERE g.school = p_school AND g.id = p_goal
$$;

-- What 0001_goals.sql gives people of a page of goals, with the moment since which a conversation is suggested.
CREATE OR REPLACE FUNCTION read_goals(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_about uuid := (p_args->>'about')::uuid;
    v_after uuid := (p_args->>'after')::uuid;
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'goals', (
            SELECT coalesce(jsonb_agg(to_jsonb(g) - '{school,ladder}'::text[] || jsonb_build_object(
                                'latest', coalesce(p.latest, '{}'), 'talk_suggested_at', s.opened_at) ORDER BY g.id DESC), '[]')
              FROM (SELECT * FROM goal g
                     WHERE g.school = v_school AND g.about = v_about AND (v_after IS NULL OR g.id < v_after)
                       AND CASE WHEN jsonb_array_length(p_args->'statuses') > 0 THEN p_args->'statuses' ? g.status
                                ELSE g.status <> 'entered_in_error' END
                     ORDER BY g.id DESC LIMIT 21) g
              LEFT JOIN progress p ON p.school = g.school AND p.id = g.id
              LEFT JOIN talk_suggestion s ON s.school = g.school AND s.id = g.id AND s.settled IS NULL),
        'weighed', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'id', g.id, 'weight', g.weight, 'baseline', g.baseline, 'latest', coalesce(p.latest, '{}'))
                       ORDER BY g.id), '[]')
              FROM goal g LEFT JOIN progress p ON p.school = g.school AND p.id = g.id
             WHERE g.school = v_school AND g.about = v_about AND g.status IN ('active', 'on_hold', 'completed')));
END $$;

-- What 0008_conversation.sql reads for a new conversation, with the suggestion of the goal that it is about.
CREATE OR REPLACE FUNCTION read_conversation_subject(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_about uuid := (p_args->>'about')::uuid;
    v_goal uuid := (p_args->>'goal')::uuid;
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'strangers', strangers(v_school, v_about, p_args->'invited'),
        'plan', EXISTS (SELECT FROM plan p WHERE p.school = v_school AND p.about = v_about AND p.id = (p_args->>'plan')::uuid),
        'goal', EXISTS (SELECT FROM goal g WHERE g.school = v_school AND g.about = v_about AND g.id = v_goal),
        'suggestion', suggestion_of(v_school, v_goal));
END $$;

-- For a point on the agenda: the conversation, and whether the goal that it names is of the same subject.
CREATE FUNCTION read_point(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_state jsonb := read_conversation(p_args);
BEGIN
    RETURN v_state || jsonb_build_object('goal_known', EXISTS (
        SELECT FROM goal g WHERE g.school = p_args->>'school' AND g.id = (p_args->>'goal')::uuid
           AND g.about = (v_state->'conversation'->>'about')::uuid));
END $$;

-- For holding it: the conversation, and the open suggestions of the goals on its agenda.
CREATE FUNCTION read_conversation_to_hold(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_state jsonb := read_conversation(p_args);
BEGIN
    RETURN v_state || jsonb_build_object('suggestions', (
        SELECT coalesce(jsonb_agg(jsonb_build_object('goal', s.id) || suggestion_of(s.school, s.id) ORDER BY s.id), '[]')
          FROM talk_suggestion s
         WHERE s.school = p_args->>'school' AND s.settled IS NULL
           AND s.id IN (SELECT (x->>'goal')::uuid FROM jsonb_array_elements(
                            coalesce(v_state->'points', '[]') || coalesce(v_state->'conversation', '{}')) x)));
END $$;

-- What 0008_conversation.sql gives people of a page of conversations; with the first one what is suggested to talk about, and
-- in which conversations to come it is on the agenda.
CREATE OR REPLACE FUNCTION read_conversations(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_about uuid := (p_args->>'about')::uuid;
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'all', conversations_of(p_args, NULL),
        'own', conversations_of(p_args, (p_args->>'actor')::uuid),
        'suggested', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'goal', g.id, 'statement', g.statement, 'since', s.opened_at, 'latest', p.latest,
                       'planned', (
                           SELECT coalesce(jsonb_agg(jsonb_build_object(
                                      'conversation', t.id, 'starts_at', t.starts_at, 'people', t.invited || t.invited_by)
                                      ORDER BY t.starts_at, t.id), '[]')
                             FROM conversation t
                            WHERE t.school = v_school AND t.about = v_about AND t.status = 'planned'
                              AND (t.goal = g.id OR EXISTS (
                                   SELECT FROM conversation_point x
                                    WHERE x.school = v_school AND x.conversation = t.id AND x.goal = g.id))))
                   ORDER BY s.opened_at, g.id), '[]')
              FROM talk_suggestion s
              JOIN goal g ON g.school = s.school AND g.id = s.id
              JOIN progress p ON p.school = s.school AND p.id = s.id
             WHERE s.school = v_school AND s.about = v_about AND s.settled IS NULL AND p_args->>'before' IS NULL));
END $$;

-- What 0001_goals.sql reads for a correction, with the score that took this one's place.
CREATE OR REPLACE FUNCTION read_score(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_score score;
    v_goal jsonb;
BEGIN
    SELECT * INTO v_score FROM score WHERE school = p_args->>'school' AND id = (p_args->>'score')::uuid;
    IF NOT FOUND THEN
        RETURN '{"subjects": []}';
    END IF;
    v_goal := goal_state(v_score.school, v_score.goal);
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(v_goal->'about'),
        'goal', v_goal,
        'score', jsonb_build_object(
            'version', v_score.version, 'setting', v_score.setting, 'observed_on', v_score.observed_on,
            'scored_by', v_score.scored_by, 'in_error_at', v_score.in_error_at),
        'replaced_by', (SELECT s.id FROM score s WHERE s.school = v_score.school AND s.replaces = v_score.id),
        'before', (
            SELECT jsonb_build_object(
                'score', s.id, 'level', s.level, 'observed_on', s.observed_on, 'recorded_at', s.recorded_at)
              FROM score s
             WHERE s.school = v_score.school AND s.goal = v_score.goal AND s.setting = v_score.setting
               AND s.id <> v_score.id AND s.in_error_at IS NULL
             ORDER BY s.observed_on DESC, s.recorded_at DESC, s.id DESC LIMIT 1));
END $$;
