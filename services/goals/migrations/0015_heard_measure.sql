-- A goal of the school's own approach may be measured by how many felt heard: from which share on each level is reached.
CREATE TABLE heard_measure (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    role text NOT NULL,
    thresholds int[] NOT NULL CONSTRAINT heard_measure_thresholds CHECK (cardinality(thresholds) = 4),
    set_by uuid NOT NULL,
    set_at timestamptz NOT NULL,
    scored_until text,
    CONSTRAINT heard_measure_pk PRIMARY KEY (school, id),
    CONSTRAINT heard_measure_goal FOREIGN KEY (school, id) REFERENCES goal (school, id)
);
COMMENT ON TABLE heard_measure IS 'id is the goal, one of the school itself: what it is measured by is told of ten people or more, and of no child';
COMMENT ON COLUMN heard_measure.thresholds IS 'From which share (0-100) on it is -1, 0, +1 and +2';
COMMENT ON COLUMN heard_measure.scored_until IS 'The month up to which figures were scored last, as 2027-01: each figure is scored once';
SELECT tenant_table('heard_measure');

-- What 0008_conversation.sql reads for the figures, with the goals that are measured by them.
CREATE OR REPLACE FUNCTION read_heard(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'answers', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                               'role', h.role, 'member', h.member, 'conversation', h.conversation, 'answer', h.answer,
                               'month', to_char(h.said_at AT TIME ZONE 'Europe/Amsterdam', 'YYYY-MM')) ORDER BY h.id), '[]')
                      FROM conversation_heard h WHERE h.school = p_args->>'school'),
        'measures', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                                'goal', m.id, 'role', m.role, 'thresholds', m.thresholds, 'scored_until', m.scored_until)
                                ORDER BY m.id), '[]')
                       FROM heard_measure m WHERE m.school = p_args->>'school'));
END $$;

-- For measuring a goal by them, or scoring it so: the goal, its measure, and every answer.
CREATE FUNCTION read_goal_to_measure(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_state jsonb := read_goal_state(p_args);
BEGIN
    IF v_state->'goal' IS NULL THEN
        RETURN v_state;
    END IF;
    RETURN v_state || jsonb_build_object(
        'measure', (SELECT to_jsonb(m) - 'school' FROM heard_measure m
                     WHERE m.school = p_args->>'school' AND m.id = (p_args->>'goal')::uuid),
        'answers', read_heard(p_args)->'answers');
END $$;
