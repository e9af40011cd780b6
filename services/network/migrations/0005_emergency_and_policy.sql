-- How a school decides (versions of its policy), disputes between holders, emergency access and its review, and what was
-- told in time. Texts (why an emergency, what a dispute is about) live here and nowhere else.

CREATE TABLE policy_version (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    number int NOT NULL,
    decision text NOT NULL,
    rule text NOT NULL CONSTRAINT policy_version_rule CHECK (rule IN ('all_holders', 'one_unless_objection')),
    starts_at timestamptz NOT NULL,
    set_by uuid NOT NULL,
    CONSTRAINT policy_version_pk PRIMARY KEY (school, id),
    CONSTRAINT policy_version_number UNIQUE (school, decision, number)
);
COMMENT ON TABLE policy_version IS 'Never changed: a new version takes over from its start; where there is none, every holder must say yes';

CREATE TABLE dispute (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    child uuid NOT NULL,
    decision text NOT NULL,
    between uuid[] NOT NULL,
    note text,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    CONSTRAINT dispute_pk PRIMARY KEY (school, id),
    CONSTRAINT dispute_child FOREIGN KEY (school, child) REFERENCES child (school, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX dispute_child ON dispute (school, child);

CREATE TABLE emergency (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    child uuid NOT NULL,
    member uuid NOT NULL,
    role text NOT NULL,
    organisation uuid,
    standing uuid NOT NULL,
    reason text CONSTRAINT emergency_reason CHECK (length(reason) BETWEEN 1 AND 4000),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    outcome text CONSTRAINT emergency_outcome CHECK (outcome IN ('justified', 'not_justified')),
    reviewed_by uuid,
    reviewed_at timestamptz,
    review_reason text,
    operator text,
    CONSTRAINT emergency_pk PRIMARY KEY (school, id),
    CONSTRAINT emergency_lasts CHECK (ends_at <= starts_at + interval '1 hour'),
    CONSTRAINT emergency_reviewer CHECK (reviewed_by <> member),
    CONSTRAINT emergency_child FOREIGN KEY (school, child) REFERENCES child (school, id) DEFERRABLE INITIALLY DEFERRED
);
COMMENT ON COLUMN emergency.operator IS 'Who sat at the command line when it was taken: reviews it under no other name either';
COMMENT ON COLUMN emergency.reason IS 'NULL: lost with an older copy of this database that was put back';
COMMENT ON COLUMN emergency.standing IS 'The membership that let its member ask for it';
CREATE INDEX emergency_lasts ON emergency (school, ends_at);
CREATE INDEX emergency_child ON emergency (school, child);
CREATE INDEX emergency_waits ON emergency (school) WHERE outcome IS NULL;

CREATE TABLE reminder (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    child uuid NOT NULL,
    CONSTRAINT reminder_pk PRIMARY KEY (school, id)
);
COMMENT ON TABLE reminder IS 'What was told because its time had come: the id follows from what and when, so that it is told once';
CREATE INDEX reminder_child ON reminder (school, child);

ALTER TABLE child ADD COLUMN attend_at timestamptz;
COMMENT ON COLUMN child.attend_at IS 'In domain time: when something must be told of this child, or a consent stands differently';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX child_attend ON child (school, attend_at);
-- A curator or mentor follows parental authority, and may be the same person.
ALTER TABLE authority ADD COLUMN role text NOT NULL DEFAULT 'parental';
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX authority_open_role ON authority (school, child, holder, role) WHERE ends_at IS NULL;
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX authority_open;

SELECT tenant_table('policy_version');
SELECT tenant_table('dispute');
SELECT tenant_table('emergency');
SELECT tenant_table('reminder');
SELECT tenant_table('child');
SELECT tenant_table('authority');

-- Facts ----------------------------------------------------------------------------------------------------------------

CREATE FUNCTION policies_of(p_school text) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(jsonb_agg(to_jsonb(p) - ARRAY['school', 'version', 'set_by'] ORDER BY p.decision, p.number), '[]')
      FROM policy_version p WHERE p.school = p_school
$$;

-- What a child's grants follow from gains disputes, emergencies (no texts) and what was told: read in a statement of its
-- own, after the revision.
-- squawk-ignore renaming-object
ALTER FUNCTION child_facts(text, uuid[]) RENAME TO child_circle_facts;
CREATE FUNCTION child_facts(p_school text, p_children uuid[]) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_circles jsonb := child_circle_facts(p_school, p_children);
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(f || jsonb_build_object(
            'attend_at', c.attend_at,
            'disputes', coalesce((SELECT jsonb_agg(to_jsonb(d) - ARRAY['school', 'child', 'note'] ORDER BY d.id) FROM dispute d
                                   WHERE d.school = p_school AND d.child = c.id), '[]'),
            'emergencies', coalesce((
                SELECT jsonb_agg(to_jsonb(e) - ARRAY['school', 'child', 'reason', 'review_reason'] ORDER BY e.id)
                  FROM emergency e WHERE e.school = p_school AND e.child = c.id), '[]'),
            'reminders', coalesce((SELECT jsonb_agg(r.id) FROM reminder r WHERE r.school = p_school AND r.child = c.id), '[]')
            ) ORDER BY c.id), '[]')
          FROM jsonb_array_elements(v_circles) f
          JOIN child c ON c.school = p_school AND c.id = (f->>'id')::uuid);
END $$;

-- The children with emergency access that lasts and ends when a membership of these subjects does: because it rests on
-- one, or because it is about one of these, who may leave.
CREATE FUNCTION resting_facts(p_school text, p_subjects uuid[]) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_children uuid[] := ARRAY(
        SELECT DISTINCT e.child FROM emergency e
         WHERE e.school = p_school AND e.ends_at > (SELECT clock_timestamp() + shift FROM time_shift)
           AND (e.child = ANY (p_subjects)
                OR EXISTS (SELECT FROM membership m
                            WHERE m.school = p_school AND m.id = e.standing AND m.subject = ANY (p_subjects))));
BEGIN
    RETURN child_facts(p_school, v_children);
END $$;

-- The school's facts gain its policy, and whether an emergency waits for its review: reviewers reach that child then.
-- The policy is read after `wide`, never before: a child that is published with a newer policy than its `wide` says only
-- has another turn.
-- squawk-ignore renaming-object
ALTER FUNCTION school_facts(text) RENAME TO school_circle_facts;
CREATE FUNCTION school_facts(p_school text) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_facts jsonb := school_circle_facts(p_school);
BEGIN
    RETURN v_facts || jsonb_build_object(
        'policies', policies_of(p_school),
        'in_review', EXISTS (SELECT FROM emergency e WHERE e.school = p_school AND e.outcome IS NULL));
END $$;

-- The children, at most p_page, who wait for new grants: because those who reach every child or the school's policy
-- changed, for a birthday, or because something must be told of them.
CREATE OR REPLACE FUNCTION list_waiting(p_school text, p_page int) RETURNS uuid[] LANGUAGE sql VOLATILE AS $$
    SELECT ARRAY(SELECT c.id FROM child c
                  WHERE c.school = p_school
                    AND (c.wide < (SELECT s.wide FROM school_profile s WHERE s.school = p_school)
                         OR c.due_on <= (SELECT domain_today())
                         OR c.attend_at <= (SELECT clock_timestamp() + shift FROM time_shift))
                  LIMIT p_page)
$$;

-- Tells whether this withdrawal is one about the whole school, whose children don't all have their new grants yet.
CREATE FUNCTION waits_for_children(p_school text, p_withdrawal uuid) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT EXISTS (
        SELECT FROM withdrawal w JOIN school_profile s ON s.school = w.school AND s.id = w.subject
          JOIN child c ON c.school = s.school AND c.wide < s.wide
         WHERE w.school = p_school AND w.id = p_withdrawal)
$$;

-- Readers --------------------------------------------------------------------------------------------------------------

-- A child, with what is noted of its disputes.
CREATE FUNCTION read_deciders(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN read_child_names(p_args) || jsonb_build_object('notes', (
        SELECT coalesce(jsonb_object_agg(d.id, d.note), '{}') FROM dispute d
         WHERE d.school = p_args->>'school' AND d.child = (p_args->>'child')::uuid));
END $$;

-- The memberships with which `actor` takes part in this school's networks now, those round `child` first.
CREATE FUNCTION own_standings(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_now timestamptz := (SELECT clock_timestamp() + shift FROM time_shift);
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(m), '[]') FROM (
            SELECT to_jsonb(m) - 'school' AS m FROM membership m
             WHERE m.school = p_args->>'school' AND m.person = (p_args->>'actor')::uuid
               AND m.starts_at <= v_now AND (m.ends_at IS NULL OR m.ends_at > v_now) AND m.suspended_at IS NULL
             ORDER BY m.subject <> (p_args->>'child')::uuid, m.ends_at DESC NULLS FIRST, m.id LIMIT 50) x);
END $$;

-- A child, and the memberships with which the asking person takes part in this school's networks now, with the children
-- round whom they are: emergency access rests on one of them, and what ends it at that moment must meet the access.
CREATE FUNCTION read_emergency(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_first jsonb := school_facts(v_school);
    v_state jsonb := read_child(p_args);
    v_beside jsonb := child_facts(v_school, ARRAY(
        SELECT x FROM jsonb_array_elements_text(jsonb_path_query_array(own_standings(p_args), '$[*].subject')) x
         WHERE x <> p_args->>'child')::uuid[]);
    v_standings jsonb := (  -- as they are after every revision, round whom one was read
        SELECT coalesce(jsonb_agg(s), '[]') FROM jsonb_array_elements(own_standings(p_args)) s
         WHERE s->>'subject' IN (p_args->>'child', v_first->>'id')
            OR s->>'subject' IN (SELECT b->>'id' FROM jsonb_array_elements(v_beside) b));
BEGIN
    RETURN v_state || jsonb_build_object('school', school_facts_since(v_school, v_first), 'standings', v_standings, 'beside', v_beside,
        'subjects', (
            SELECT coalesce(jsonb_agg(DISTINCT s), '[]') FROM (
                SELECT jsonb_array_elements_text(v_state->'subjects') UNION
                SELECT x->>'subject' FROM jsonb_array_elements(v_standings) x) n (s)));
END $$;

-- A child, with why each emergency access was taken and what was found of it.
CREATE FUNCTION read_emergencies(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN read_child(p_args) || jsonb_build_object('texts', (
        SELECT coalesce(jsonb_object_agg(e.id, jsonb_build_object('reason', e.reason, 'review_reason', e.review_reason)), '{}')
          FROM emergency e WHERE e.school = p_args->>'school' AND e.child = (p_args->>'child')::uuid));
END $$;
