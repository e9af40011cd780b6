-- The child's voice, evaluations of a plan, and how its actions ended.

CREATE TABLE child_voice (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    plan uuid NOT NULL,
    number int NOT NULL,
    moment text NOT NULL CONSTRAINT child_voice_moment CHECK (moment IN ('drafting', 'changing', 'evaluating')),
    channel text CONSTRAINT child_voice_channel CHECK (channel IN ('direct', 'through_parent', 'through_other', 'drawing')),
    words text,
    influence text,
    told_back_on date,
    not_heard_because text,
    recorded_by uuid NOT NULL,
    recorded_at timestamptz NOT NULL,
    CONSTRAINT child_voice_pk PRIMARY KEY (school, id),
    CONSTRAINT child_voice_plan FOREIGN KEY (school, plan) REFERENCES plan (school, id),
    CONSTRAINT child_voice_whole CHECK ((channel IS NULL) = (words IS NULL) AND (channel IS NULL) = (influence IS NULL)
                                        AND (channel IS NULL) <> (not_heard_because IS NULL))
);
COMMENT ON TABLE child_voice IS 'How a child chose to be heard, what it said in its own words and what that changed; or why it was not heard';
CREATE INDEX child_voice_of ON child_voice (school, plan, id DESC);
CREATE INDEX child_voice_about ON child_voice (school, about);

CREATE TABLE evaluation (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    plan uuid NOT NULL,
    number int NOT NULL,
    held_on date NOT NULL,
    findings text NOT NULL,
    attended uuid[] NOT NULL,
    without_holders_because text,
    voice uuid,
    evaluated_by uuid NOT NULL,
    evaluated_at timestamptz NOT NULL,
    CONSTRAINT evaluation_pk PRIMARY KEY (school, id),
    CONSTRAINT evaluation_plan FOREIGN KEY (school, plan) REFERENCES plan (school, id),
    CONSTRAINT evaluation_voice FOREIGN KEY (school, voice) REFERENCES child_voice (school, id)
);
CREATE INDEX evaluation_of ON evaluation (school, plan, id DESC);
CREATE INDEX evaluation_about ON evaluation (school, about);
CREATE INDEX evaluation_voice_is ON evaluation (school, voice);

CREATE TABLE action_end (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    plan uuid NOT NULL,
    action uuid NOT NULL,
    outcome text NOT NULL CONSTRAINT action_end_outcome CHECK (outcome IN ('done', 'partly', 'not_done')),
    note text,
    ended_by uuid NOT NULL,
    ended_at timestamptz NOT NULL,
    CONSTRAINT action_end_pk PRIMARY KEY (school, id),
    CONSTRAINT action_end_plan FOREIGN KEY (school, plan) REFERENCES plan (school, id)
);
CREATE INDEX action_end_of ON action_end (school, plan, action, id DESC);
CREATE INDEX action_end_about ON action_end (school, about);

SELECT tenant_table('child_voice');
SELECT tenant_table('evaluation');
SELECT tenant_table('action_end');

-- A plan's records of the child's voice, oldest first.
CREATE FUNCTION plan_voices(p_school text, p_plan uuid) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(jsonb_agg(to_jsonb(v) - '{school,about,plan}'::text[] ORDER BY v.id), '[]')
      FROM (SELECT * FROM child_voice v WHERE v.school = p_school AND v.plan = p_plan ORDER BY v.id DESC LIMIT 100) v
$$;

-- What 0003_plan.sql reads for a command, with the child's voice, the last evaluation and the actions that ended.
CREATE FUNCTION read_plan_records(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_state jsonb := read_plan_state(p_args);
    v_school text := p_args->>'school';
    v_plan uuid := (p_args->>'plan')::uuid;
BEGIN
    IF v_state->'plan' IS NULL THEN
        RETURN v_state;
    END IF;
    RETURN v_state || jsonb_build_object(
        'voices', plan_voices(v_school, v_plan),
        'ended', (SELECT coalesce(jsonb_agg(DISTINCT e.action), '[]') FROM action_end e
                   WHERE e.school = v_school AND e.plan = v_plan),
        'evaluated_at', (SELECT max(e.evaluated_at) FROM evaluation e WHERE e.school = v_school AND e.plan = v_plan),
        'held_on', (SELECT e.held_on FROM evaluation e WHERE e.school = v_school AND e.plan = v_plan
                     ORDER BY e.id DESC LIMIT 1));
END $$;

-- For people: what 0003_plan.sql shows of one plan, with these records.
CREATE FUNCTION read_plan_whole(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_state jsonb := read_plan(p_args);
    v_school text := p_args->>'school';
    v_plan uuid := (p_args->>'plan')::uuid;
BEGIN
    IF v_state->'plan' IS NULL THEN
        RETURN v_state;
    END IF;
    RETURN v_state || jsonb_build_object(
        'voices', plan_voices(v_school, v_plan),
        'evaluations', (SELECT coalesce(jsonb_agg(to_jsonb(e) - '{school,version,about,plan}'::text[] ORDER BY e.id), '[]')
                          FROM evaluation e WHERE e.school = v_school AND e.plan = v_plan),
        'ends', (SELECT coalesce(jsonb_agg(to_jsonb(e) - '{school,version,about,plan}'::text[] ORDER BY e.id), '[]')
                   FROM action_end e WHERE e.school = v_school AND e.plan = v_plan));
END $$;
