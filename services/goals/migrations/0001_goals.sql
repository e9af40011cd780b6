-- Goals: what people want to reach together, the steps in each goal's life, and what every setting saw of it.
-- `about` is the child, or the school's own subject for its own approach.

CREATE TABLE goal (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    status text NOT NULL CONSTRAINT goal_status CHECK (status IN (
        'proposed', 'accepted', 'active', 'on_hold', 'completed', 'cancelled', 'rejected', 'entered_in_error')),
    achievement text,
    domain text NOT NULL,
    settings text[] NOT NULL CONSTRAINT goal_settings CHECK (cardinality(settings) BETWEEN 1 AND 3),
    statement text NOT NULL,
    wording text NOT NULL,
    ladder text[] NOT NULL CONSTRAINT goal_ladder CHECK (cardinality(ladder) = 5),
    baseline int NOT NULL CONSTRAINT goal_baseline CHECK (baseline BETWEEN -2 AND 2),
    weight int NOT NULL CONSTRAINT goal_weight CHECK (weight >= 0),
    target_on date NOT NULL,
    responsible uuid[] NOT NULL,
    proposed_by uuid NOT NULL,
    proposed_at timestamptz NOT NULL,
    template uuid,
    template_number int,
    CONSTRAINT goal_pk PRIMARY KEY (school, id)
);
COMMENT ON COLUMN goal.ladder IS 'What each level means in words, from -2 to +2';
CREATE INDEX goal_about ON goal (school, about, id DESC);

CREATE TABLE goal_step (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    goal uuid NOT NULL,
    goal_version int NOT NULL,
    status text NOT NULL,
    achievement text,
    reason text,
    changes jsonb,
    taken_by uuid NOT NULL,
    taken_at timestamptz NOT NULL,
    CONSTRAINT goal_step_pk PRIMARY KEY (school, id),
    CONSTRAINT goal_step_once UNIQUE (school, goal, goal_version),
    CONSTRAINT goal_step_goal FOREIGN KEY (school, goal) REFERENCES goal (school, id)
);
COMMENT ON TABLE goal_step IS 'What a goal became at each version, who did it and why; the reason never leaves this service';
COMMENT ON COLUMN goal_step.changes IS 'Of a revision: [{field, before, after}]; NULL of a step in the goal''s life';

CREATE TABLE score (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    goal uuid NOT NULL,
    setting text NOT NULL CONSTRAINT score_setting CHECK (setting IN ('home', 'school', 'care', 'child')),
    level int NOT NULL CONSTRAINT score_level CHECK (level BETWEEN -2 AND 2),
    observed_on date NOT NULL,
    note text,
    scored_by uuid NOT NULL,
    role text NOT NULL,
    recorded_at timestamptz NOT NULL,
    replaces uuid,
    in_error_by uuid,
    in_error_at timestamptz,
    in_error_reason text,
    CONSTRAINT score_pk PRIMARY KEY (school, id),
    CONSTRAINT score_goal FOREIGN KEY (school, goal) REFERENCES goal (school, id),
    CONSTRAINT score_replaces FOREIGN KEY (school, replaces) REFERENCES score (school, id)
);
COMMENT ON TABLE score IS 'What one setting saw on one day. A wrong score is marked in error, never changed';
CREATE INDEX score_of_goal ON score (school, goal, observed_on DESC, recorded_at DESC, id DESC);
CREATE INDEX score_replaced ON score (school, replaces) WHERE replaces IS NOT NULL;

CREATE TABLE progress (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    latest jsonb NOT NULL,
    CONSTRAINT progress_pk PRIMARY KEY (school, id),
    CONSTRAINT progress_goal FOREIGN KEY (school, id) REFERENCES goal (school, id)
);
COMMENT ON TABLE progress IS
'A goal''s latest score per setting (id is the goal). Every score writes it, so two scores at once cannot both miss that
they diverge; apart from goal, so that scoring makes nobody''s view of the goal stale';

SELECT tenant_table('goal');
SELECT tenant_table('goal_step');
SELECT tenant_table('score');
SELECT tenant_table('progress');

-- Readers ------------------------------------------------------------------------------------------------------------

-- What a command has to know of one goal, or NULL.
CREATE FUNCTION goal_state(p_school text, p_goal uuid) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT jsonb_build_object(
        'id', g.id, 'about', g.about, 'version', g.version, 'status', g.status, 'achievement', g.achievement,
        'progress', coalesce(p.version, 0), 'latest', coalesce(p.latest, '{}'))
      FROM goal g LEFT JOIN progress p ON p.school = g.school AND p.id = g.id
     WHERE g.school = p_school AND g.id = p_goal
$$;

-- For proposing: the subject as asked, and which responsible members are not in its network.
CREATE FUNCTION read_subject(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'strangers', (
            SELECT coalesce(jsonb_agg(member), '[]')
              FROM jsonb_array_elements_text(p_args->'responsible') AS member
             WHERE NOT EXISTS (
                SELECT FROM access a
                 WHERE a.school = p_args->>'school' AND a.id = (p_args->>'about')::uuid AND a.grants ? member)));
END $$;

CREATE FUNCTION read_goal_state(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_goal jsonb := goal_state(p_args->>'school', (p_args->>'goal')::uuid);
BEGIN
    IF v_goal IS NULL THEN
        RETURN '{"subjects": []}';
    END IF;
    RETURN jsonb_build_object('subjects', jsonb_build_array(v_goal->'about'), 'goal', v_goal);
END $$;

-- For a batch: the goals of this subject that the entries name. Any other subject's goal is as unknown as none.
CREATE FUNCTION read_goals_to_score(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'goals', (
            SELECT coalesce(jsonb_agg(goal_state(g.school, g.id)), '[]') FROM goal g
             WHERE g.school = p_args->>'school' AND g.about = (p_args->>'about')::uuid
               AND g.id IN (SELECT (e->>'goal')::uuid FROM jsonb_array_elements(p_args->'scores') e)));
END $$;

-- For a correction: the score, its goal, and what that setting's latest score is when this one no longer counts.
CREATE FUNCTION read_score(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
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
        'before', (
            SELECT jsonb_build_object(
                'score', s.id, 'level', s.level, 'observed_on', s.observed_on, 'recorded_at', s.recorded_at)
              FROM score s
             WHERE s.school = v_score.school AND s.goal = v_score.goal AND s.setting = v_score.setting
               AND s.id <> v_score.id AND s.in_error_at IS NULL
             ORDER BY s.observed_on DESC, s.recorded_at DESC, s.id DESC LIMIT 1));
END $$;

-- For people: one goal with its steps and the 200 scores of the latest days.
CREATE FUNCTION read_goal(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_goal goal;
BEGIN
    SELECT * INTO v_goal FROM goal WHERE school = p_args->>'school' AND id = (p_args->>'goal')::uuid;
    IF NOT FOUND THEN
        RETURN '{"subjects": []}';
    END IF;
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(v_goal.about),
        'goal', to_jsonb(v_goal) - 'school',
        'latest', (SELECT p.latest FROM progress p WHERE p.school = v_goal.school AND p.id = v_goal.id),
        'steps', (
            SELECT coalesce(jsonb_agg(to_jsonb(t) - '{school,id,version,goal}'::text[] ORDER BY t.goal_version), '[]')
              FROM (SELECT * FROM goal_step t WHERE t.school = v_goal.school AND t.goal = v_goal.id
                     ORDER BY t.goal_version DESC LIMIT 50) t),
        'scores', (
            SELECT coalesce(jsonb_agg(to_jsonb(s) - '{school,goal}'::text[]
                                      ORDER BY s.observed_on, s.recorded_at, s.id), '[]')
              FROM (SELECT * FROM score s WHERE s.school = v_goal.school AND s.goal = v_goal.id
                     ORDER BY s.observed_on DESC, s.recorded_at DESC, s.id DESC LIMIT 200) s),
        'score_count', (SELECT count(*) FROM score s WHERE s.school = v_goal.school AND s.goal = v_goal.id));
END $$;

-- For people: a page of a subject's goals and one more (PAGE in queries.py), newest first, and of all its goals what a T-score takes.
CREATE FUNCTION read_goals(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_about uuid := (p_args->>'about')::uuid;
    v_after uuid := (p_args->>'after')::uuid;
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'goals', (
            SELECT coalesce(jsonb_agg(to_jsonb(g) - '{school,ladder}'::text[]
                                      || jsonb_build_object('latest', coalesce(p.latest, '{}')) ORDER BY g.id DESC), '[]')
              FROM (SELECT * FROM goal g
                     WHERE g.school = v_school AND g.about = v_about AND (v_after IS NULL OR g.id < v_after)
                       AND CASE WHEN jsonb_array_length(p_args->'statuses') > 0 THEN p_args->'statuses' ? g.status
                                ELSE g.status <> 'entered_in_error' END
                     ORDER BY g.id DESC LIMIT 21) g
              LEFT JOIN progress p ON p.school = g.school AND p.id = g.id),
        'weighed', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                       'id', g.id, 'weight', g.weight, 'baseline', g.baseline, 'latest', coalesce(p.latest, '{}'))
                       ORDER BY g.id), '[]')
              FROM goal g LEFT JOIN progress p ON p.school = g.school AND p.id = g.id
             WHERE g.school = v_school AND g.about = v_about AND g.status IN ('active', 'on_hold', 'completed')));
END $$;
