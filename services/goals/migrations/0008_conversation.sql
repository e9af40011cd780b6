-- Conversations: who is asked, the agenda that they make together, who was there, what came of it, and whether each was heard.
-- `about` is the child, or the school's own subject.

CREATE TABLE conversation (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    kind text NOT NULL CONSTRAINT conversation_kind CHECK (kind IN ('meeting', 'consultation', 'evaluation')),
    status text NOT NULL CONSTRAINT conversation_status CHECK (status IN ('planned', 'held', 'cancelled')),
    sequence int NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    place text,
    why text NOT NULL,
    plan uuid,
    goal uuid,
    invited uuid[] NOT NULL CONSTRAINT conversation_invited CHECK (cardinality(invited) >= 1),
    invited_by uuid NOT NULL,
    invited_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    cancelled_because text,
    attended uuid[],
    notes text,
    CONSTRAINT conversation_pk PRIMARY KEY (school, id),
    CONSTRAINT conversation_plan FOREIGN KEY (school, plan) REFERENCES plan (school, id),
    CONSTRAINT conversation_goal FOREIGN KEY (school, goal) REFERENCES goal (school, id),
    CONSTRAINT conversation_time CHECK (starts_at < ends_at),
    CONSTRAINT conversation_held CHECK ((status = 'held') = (attended IS NOT NULL))
);
COMMENT ON COLUMN conversation.sequence IS 'Rises with each change that calendars must take over; what people saw. version is of the row';
CREATE INDEX conversation_about ON conversation (school, about, id DESC);
CREATE INDEX conversation_plan_is ON conversation (school, plan);
CREATE INDEX conversation_goal_is ON conversation (school, goal);

CREATE TABLE conversation_point (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    conversation uuid NOT NULL,
    words text NOT NULL,
    added_by uuid NOT NULL,
    added_at timestamptz NOT NULL,
    CONSTRAINT conversation_point_pk PRIMARY KEY (school, id),
    CONSTRAINT conversation_point_of FOREIGN KEY (school, conversation) REFERENCES conversation (school, id)
);
CREATE INDEX conversation_point_on ON conversation_point (school, conversation, id);
CREATE INDEX conversation_point_about ON conversation_point (school, about);

CREATE TABLE conversation_reply (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    conversation uuid NOT NULL,
    member uuid NOT NULL,
    answer text NOT NULL CONSTRAINT conversation_reply_answer CHECK (answer IN ('accepted', 'tentative', 'declined')),
    sequence int NOT NULL,
    note text,
    answered_at timestamptz NOT NULL,
    CONSTRAINT conversation_reply_pk PRIMARY KEY (school, id),
    CONSTRAINT conversation_reply_to FOREIGN KEY (school, conversation) REFERENCES conversation (school, id)
);
CREATE INDEX conversation_reply_of ON conversation_reply (school, conversation);
CREATE INDEX conversation_reply_about ON conversation_reply (school, about);

CREATE TABLE conversation_outcome (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    conversation uuid NOT NULL,
    kind text NOT NULL CONSTRAINT conversation_outcome_kind CHECK (kind IN ('goal', 'action', 'commitment')),
    words text NOT NULL,
    point uuid,
    who uuid[] NOT NULL,
    by_on date,
    recorded_by uuid NOT NULL,
    recorded_at timestamptz NOT NULL,
    became uuid,
    dropped_because text,
    settled_by uuid,
    settled_at timestamptz,
    CONSTRAINT conversation_outcome_pk PRIMARY KEY (school, id),
    CONSTRAINT conversation_outcome_of FOREIGN KEY (school, conversation) REFERENCES conversation (school, id),
    CONSTRAINT conversation_outcome_end CHECK (became IS NULL OR dropped_because IS NULL)
);
CREATE INDEX conversation_outcome_from ON conversation_outcome (school, conversation, id);
CREATE INDEX conversation_outcome_about ON conversation_outcome (school, about);

CREATE TABLE conversation_heard (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    conversation uuid NOT NULL,
    member uuid NOT NULL,
    role text NOT NULL,
    answer text NOT NULL CONSTRAINT conversation_heard_answer CHECK (answer IN ('yes', 'partly', 'no')),
    words text,
    said_at timestamptz NOT NULL,
    CONSTRAINT conversation_heard_pk PRIMARY KEY (school, id),
    CONSTRAINT conversation_heard_of FOREIGN KEY (school, conversation) REFERENCES conversation (school, id)
);
COMMENT ON TABLE conversation_heard IS 'Whether a participant felt heard. Its own reads it, the newest counts; the school sees counts of groups of ten or more';
CREATE INDEX conversation_heard_in ON conversation_heard (school, conversation);
CREATE INDEX conversation_heard_about ON conversation_heard (school, about);

CREATE TABLE guidance (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    step text NOT NULL,
    number int NOT NULL,
    prompts text[] NOT NULL,
    examples text[] NOT NULL,
    written_by uuid NOT NULL,
    written_at timestamptz NOT NULL,
    CONSTRAINT guidance_pk PRIMARY KEY (school, id),
    CONSTRAINT guidance_once UNIQUE (school, step, number)
);
COMMENT ON TABLE guidance IS 'The expert team''s words for each step, in versions that never change';

-- Which commitments network told of: rows of the projection, never of a command.
CREATE TABLE known_commitment (
    school text NOT NULL,
    id uuid NOT NULL,
    about uuid NOT NULL,
    CONSTRAINT known_commitment_pk PRIMARY KEY (school, id)
);
CREATE INDEX known_commitment_about ON known_commitment (school, about);

SELECT tenant_table('conversation');
SELECT tenant_table('conversation_point');
SELECT tenant_table('conversation_reply');
SELECT tenant_table('conversation_outcome');
SELECT tenant_table('conversation_heard');
SELECT tenant_table('guidance');
SELECT tenant_policy('known_commitment');

INSERT INTO erasable VALUES
    ('child', 'conversation_heard', 0, 't.about = $2'),
    ('child', 'conversation_outcome', 0, 't.about = $2'),
    ('child', 'conversation_reply', 0, 't.about = $2'),
    ('child', 'conversation_point', 0, 't.about = $2'),
    ('child', 'known_commitment', 0, 't.about = $2'),
    ('child', 'conversation', 1, 't.about = $2');

-- Readers ------------------------------------------------------------------------------------------------------------

-- The newest guidance of a school, by step.
CREATE FUNCTION guidance_of(p_school text) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(jsonb_object_agg(g.step, to_jsonb(g) - '{school,id,version,step}'::text[]), '{}')
      FROM (SELECT DISTINCT ON (step) * FROM guidance WHERE school = p_school ORDER BY step, number DESC) g
$$;

-- For a new one: who of those named is not in the network, and whether the plan and the goal are of this subject.
CREATE FUNCTION read_conversation_subject(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_about uuid := (p_args->>'about')::uuid;
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'strangers', strangers(v_school, v_about, p_args->'invited'),
        'plan', EXISTS (SELECT FROM plan p WHERE p.school = v_school AND p.about = v_about AND p.id = (p_args->>'plan')::uuid),
        'goal', EXISTS (SELECT FROM goal g WHERE g.school = v_school AND g.about = v_about AND g.id = (p_args->>'goal')::uuid),
        'guidance', guidance_of(v_school));
END $$;

-- One conversation with all of it that a command or a person may need.
CREATE FUNCTION conversation_state(p_school text, p_conversation uuid, p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_talk conversation;
BEGIN
    SELECT * INTO v_talk FROM conversation WHERE school = p_school AND id = p_conversation;
    IF NOT FOUND THEN
        RETURN '{"subjects": []}';
    END IF;
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(v_talk.about),
        'conversation', to_jsonb(v_talk) - 'school',
        'strangers', strangers(p_school, v_talk.about,
                               coalesce(p_args->'invited', p_args->'attended', p_args->'who', '[]')),
        'points', (SELECT coalesce(jsonb_agg(to_jsonb(p) - '{school,version,about,conversation}'::text[] ORDER BY p.id), '[]')
                     FROM conversation_point p WHERE p.school = p_school AND p.conversation = v_talk.id),
        'replies', (SELECT coalesce(jsonb_agg(to_jsonb(r) - '{school,id,about,conversation}'::text[] ORDER BY r.member), '[]')
                      FROM conversation_reply r WHERE r.school = p_school AND r.conversation = v_talk.id),
        'outcomes', (SELECT coalesce(jsonb_agg(to_jsonb(o) - '{school,about,conversation}'::text[] ORDER BY o.id), '[]')
                       FROM conversation_outcome o WHERE o.school = p_school AND o.conversation = v_talk.id),
        'heard', (SELECT to_jsonb(h) - '{school,about,conversation,member,role}'::text[] FROM conversation_heard h
                   WHERE h.school = p_school AND h.conversation = v_talk.id AND h.member = (p_args->>'actor')::uuid
                   ORDER BY h.id DESC LIMIT 1),
        'guidance', guidance_of(p_school));
END $$;

CREATE FUNCTION read_conversation(p_args jsonb) RETURNS jsonb LANGUAGE sql VOLATILE AS
$$ SELECT conversation_state(p_args->>'school', (p_args->>'conversation')::uuid, p_args) $$;

-- For settling an outcome: its conversation, the outcome, and whether what it became is known of this subject.
CREATE FUNCTION read_outcome(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_thing uuid := (p_args->>'became')::uuid;
    v_found conversation_outcome;
BEGIN
    SELECT * INTO v_found FROM conversation_outcome WHERE school = v_school AND id = (p_args->>'outcome')::uuid;
    IF NOT FOUND THEN
        RETURN '{"subjects": []}';
    END IF;
    RETURN conversation_state(v_school, v_found.conversation, p_args) || jsonb_build_object(
        'outcome', to_jsonb(v_found) - 'school',
        'known', CASE v_found.kind
            WHEN 'goal' THEN EXISTS (SELECT FROM goal g WHERE g.school = v_school AND g.about = v_found.about AND g.id = v_thing)
            WHEN 'action' THEN EXISTS (
                SELECT FROM plan p JOIN plan_text t ON t.school = p.school AND t.plan = p.id
                 WHERE p.school = v_school AND p.about = v_found.about
                   AND t.items @> jsonb_build_array(jsonb_build_object('item', v_thing, 'kind', 'action')))
            ELSE EXISTS (SELECT FROM known_commitment c
                          WHERE c.school = v_school AND c.about = v_found.about AND c.id = v_thing) END);
END $$;

-- For people: a page of a subject's conversations before `before`, newest first: of all, and of those that the asker takes
-- part in. One more than a page, when there are more.
CREATE FUNCTION conversations_of(p_args jsonb, p_member uuid) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(jsonb_agg(to_jsonb(c) - '{school,version,why,notes,cancelled_because}'::text[] ORDER BY c.id DESC), '[]')
      FROM (SELECT * FROM conversation t
             WHERE t.school = p_args->>'school' AND t.about = (p_args->>'about')::uuid
               AND t.id < coalesce((p_args->>'before')::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
               AND (p_member IS NULL OR p_member = t.invited_by OR p_member = ANY (t.invited) OR p_member = ANY (t.attended))
             ORDER BY t.id DESC LIMIT 51) c
$$;

CREATE FUNCTION read_conversations(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'all', conversations_of(p_args, NULL),
        'own', conversations_of(p_args, (p_args->>'actor')::uuid));
END $$;

CREATE FUNCTION read_guidance(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object('subjects', jsonb_build_array(p_args->'about'), 'guidance', guidance_of(p_args->>'school'));
END $$;

-- How many felt heard, over all the school's conversations: every answer without its words, oldest first.
CREATE FUNCTION read_heard(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'answers', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                               'role', h.role, 'member', h.member, 'conversation', h.conversation, 'answer', h.answer,
                               'month', to_char(h.said_at AT TIME ZONE 'Europe/Amsterdam', 'YYYY-MM')) ORDER BY h.id), '[]')
                      FROM conversation_heard h WHERE h.school = p_args->>'school'));
END $$;
