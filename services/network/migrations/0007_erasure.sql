-- Erasing a child from network: who asked and who confirmed it, what stands in the way, and which rows go.

CREATE TABLE erasure (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    child uuid NOT NULL,
    reason text NOT NULL,
    state text NOT NULL CONSTRAINT erasure_state CHECK (state IN ('asked', 'declined', 'erasing', 'erased', 'completed')),
    asked_by uuid NOT NULL,
    asked_operator text,
    asked_at timestamptz NOT NULL,
    decided_by uuid,
    decided_at timestamptz,
    withdrawal uuid,
    around uuid[],
    gone jsonb NOT NULL,
    seq bigint,
    completed_at timestamptz,
    CONSTRAINT erasure_pk PRIMARY KEY (school, id)
);
COMMENT ON COLUMN erasure.asked_operator IS 'Who sat at the command line when it was asked: confirms it under no other name either';
COMMENT ON COLUMN erasure.around IS 'Who was round the child, until it is known whom nothing else refers to';
COMMENT ON COLUMN erasure.gone IS 'How many rows of each table of network went';
COMMENT ON COLUMN erasure.seq IS 'The number of network''s event that every other service must have applied';
CREATE UNIQUE INDEX erasure_one ON erasure (school, child) WHERE state <> 'declined';
CREATE INDEX erasure_under_way ON erasure (school, id) WHERE state IN ('erasing', 'erased');
SELECT tenant_table('erasure');

CREATE TABLE legal_hold (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    child uuid NOT NULL,
    reason text NOT NULL,
    placed_by uuid NOT NULL,
    starts_at timestamptz NOT NULL,
    until timestamptz,
    lifted_by uuid,
    lifted_at timestamptz,
    CONSTRAINT legal_hold_pk PRIMARY KEY (school, id)
);
COMMENT ON TABLE legal_hold IS 'A reason why a child''s file stays, whatever its term is: while one holds, nothing of it is erased';
CREATE INDEX legal_hold_child ON legal_hold (school, child);
SELECT tenant_table('legal_hold');

-- What refers to others goes first: each page is a transaction of its own.
INSERT INTO erasable VALUES
    ('child', 'tie_version', 10, 't.tie IN (SELECT x.id FROM tie x WHERE x.school = $1 AND x.child = $2)'),
    ('child', 'tie', 11, 't.child = $2'),
    ('child', 'reminder', 12, 't.child = $2'),
    ('child', 'emergency', 13, 't.child = $2'),
    ('child', 'dispute', 14, 't.child = $2'),
    ('child', 'invitation', 15, 't.subject = $2'),
    ('child', 'commitment', 20, 't.subject = $2'),
    ('child', 'turn', 21, 't.subject = $2'),
    ('child', 'dialogue', 22, 't.subject = $2'),
    ('child', 'expectation', 23, 't.subject = $2'),
    ('child', 'consent', 30, 't.child = $2'),
    ('child', 'authority', 31, 't.child = $2'),
    ('child', 'membership', 32, 't.subject = $2'),
    ('child', 'legal_hold', 40, 't.child = $2'),
    ('child', 'withdrawal', 41,
     't.subject = $2 AND t.id NOT IN (SELECT e.withdrawal FROM erasure e WHERE e.school = $1 AND e.child = $2 AND e.withdrawal IS NOT NULL)'),
    ('child', 'child', 50, 't.id = $2'),
    -- The child's own person too, who may be a guardian here by now: whoever is in another's file stays named there.
    ('person', 'person', 50,
     't.id = $2
      AND NOT EXISTS (SELECT FROM membership m WHERE m.school = $1 AND m.person = $2)
      AND NOT EXISTS (SELECT FROM membership m WHERE m.school = $1 AND m.on_behalf_of = $2)
      AND NOT EXISTS (SELECT FROM authority u WHERE u.school = $1 AND u.holder = $2)
      AND NOT EXISTS (SELECT FROM consent k WHERE k.school = $1 AND k.recipient = $2)
      AND NOT EXISTS (SELECT FROM dialogue d WHERE d.school = $1 AND d.member = $2)
      AND NOT EXISTS (SELECT FROM child c WHERE c.school = $1 AND c.id = $2)');

-- A child that is being erased is no child of network's any more: no reader finds it, nothing is published about it.
-- squawk-ignore renaming-object
ALTER FUNCTION child_facts(text, uuid[]) RENAME TO child_whole_facts;
-- Which those are is read last: who is erased meanwhile is not brought back with the new revision and the old facts.
CREATE FUNCTION child_facts(p_school text, p_children uuid[]) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_facts jsonb := child_whole_facts(p_school, p_children);
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(f ORDER BY n), '[]') FROM jsonb_array_elements(v_facts) WITH ORDINALITY AS x (f, n)
         WHERE NOT EXISTS (SELECT FROM erased e WHERE e.school = p_school AND e.id = (f->>'id')::uuid));
END $$;

CREATE OR REPLACE FUNCTION list_waiting(p_school text, p_page int) RETURNS uuid[] LANGUAGE sql VOLATILE AS $$
    SELECT ARRAY(SELECT c.id FROM child c
                  WHERE c.school = p_school
                    AND (c.wide < (SELECT s.wide FROM school_profile s WHERE s.school = p_school)
                         OR c.due_on <= (SELECT domain_today())
                         OR c.attend_at <= (SELECT clock_timestamp() + shift FROM time_shift))
                    AND NOT EXISTS (SELECT FROM erased e WHERE e.school = p_school AND e.id = c.id)
                  LIMIT p_page)
$$;

CREATE OR REPLACE FUNCTION waits_for_children(p_school text, p_withdrawal uuid) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT EXISTS (
        SELECT FROM withdrawal w JOIN school_profile s ON s.school = w.school AND s.id = w.subject
          JOIN child c ON c.school = s.school AND c.wide < s.wide
         WHERE w.school = p_school AND w.id = p_withdrawal
           AND NOT EXISTS (SELECT FROM erased e WHERE e.school = p_school AND e.id = c.id))
$$;

CREATE OR REPLACE FUNCTION list_reviews(p_school text, p_page int) RETURNS uuid[] LANGUAGE sql VOLATILE AS $$
    SELECT ARRAY(SELECT c.dialogue FROM commitment c
                  WHERE c.school = p_school AND c.next_on <= (SELECT domain_today())
                    AND NOT EXISTS (SELECT FROM erased e WHERE e.school = p_school AND e.id = c.subject)
                  ORDER BY c.next_on, c.id LIMIT p_page)
$$;

-- Names of a child that is being erased are shown to nobody, not even to those who reach every child.
CREATE OR REPLACE FUNCTION read_children(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_own uuid[] := ARRAY(SELECT DISTINCT m.subject FROM membership m JOIN child c ON c.school = m.school AND c.id = m.subject
                           WHERE m.school = v_school AND m.person = (p_args->>'actor')::uuid
                             AND (m.ends_at IS NULL OR m.ends_at > clock_timestamp()) LIMIT 400);
    v_subject uuid := (SELECT s.id FROM school_profile s WHERE s.school = v_school);
BEGIN
    RETURN jsonb_build_object(
        'subjects', to_jsonb(array_remove(v_own || v_subject, NULL)),
        'school', jsonb_build_object('id', v_subject),
        'children', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', p.id, 'sourced_id', p.sourced_id,
                            'given_name', p.given_name, 'family_name', p.family_name) ORDER BY p.id), '[]')
                       FROM person p WHERE p.school = v_school AND p.id IN (
                            SELECT c.id FROM child c
                             WHERE c.school = v_school AND ((p_args->>'everyone')::boolean OR c.id = ANY (v_own))
                               AND c.id > coalesce((p_args->>'after')::uuid, '00000000-0000-0000-0000-000000000000')
                               AND NOT EXISTS (SELECT FROM erased e WHERE e.school = v_school AND e.id = c.id)
                             ORDER BY c.id LIMIT 500)));
END $$;

-- Whether rows of a child still go. Whoever is left after that is somebody's here, and known as anybody is.
CREATE FUNCTION is_being_erased(p_school text, p_id uuid) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT EXISTS (SELECT FROM erased e WHERE e.school = p_school AND e.id = p_id)
       AND (EXISTS (SELECT FROM child c WHERE c.school = p_school AND c.id = p_id)
            OR EXISTS (SELECT FROM erasure x WHERE x.school = p_school AND x.child = p_id AND x.state = 'erasing'))
$$;

-- squawk-ignore renaming-object
ALTER FUNCTION read_person(jsonb) RENAME TO any_person;
CREATE FUNCTION read_person(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_found jsonb := any_person(p_args);
BEGIN
    RETURN v_found || jsonb_build_object('persons', (
        SELECT coalesce(jsonb_agg(p ORDER BY n), '[]') FROM jsonb_array_elements(v_found->'persons') WITH ORDINALITY AS x (p, n)
         WHERE NOT is_being_erased(p_args->>'school', (p->>'id')::uuid)));
END $$;

-- A roster that names such a child while its rows go is told so.
-- squawk-ignore renaming-object
ALTER FUNCTION read_roster(jsonb) RENAME TO read_whole_roster;
CREATE FUNCTION read_roster(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_found jsonb := read_whole_roster(p_args);
BEGIN
    RETURN v_found || jsonb_build_object('persons', (
        SELECT coalesce(jsonb_agg(p || jsonb_build_object(
                   'erasing', is_being_erased(p_args->>'school', (p->>'id')::uuid),
                   'erased', EXISTS (SELECT FROM erased e WHERE e.school = p_args->>'school' AND e.id = (p->>'id')::uuid))
                   ORDER BY n), '[]')
          FROM jsonb_array_elements(v_found->'persons') WITH ORDINALITY AS x (p, n)));
END $$;

-- Readers --------------------------------------------------------------------------------------------------------------

-- The school's erasures, newest first, a page by id: all, those in one state, or one.
CREATE FUNCTION read_erasures(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN read_school(p_args) || jsonb_build_object('erasures', (
        SELECT coalesce(jsonb_agg(to_jsonb(e) - ARRAY['school', 'around', 'asked_operator'] ORDER BY e.id DESC), '[]')
          FROM (SELECT * FROM erasure e
                 WHERE e.school = p_args->>'school'
                   AND e.id < coalesce((p_args->>'before')::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                   AND (p_args->>'state' IS NULL OR e.state = p_args->>'state')
                   AND (p_args->>'erasure' IS NULL OR e.id = (p_args->>'erasure')::uuid)
                 ORDER BY e.id DESC LIMIT 200) e));
END $$;

-- Work -----------------------------------------------------------------------------------------------------------------

-- Erases about p_most rows of a child in network: of itself and, when none is left, of whom nothing else refers to. Any
-- replica does the next page. Returns {gone: rows that went in this page, persons: who went}; done when both are empty.
CREATE FUNCTION erase_page(p_school text, p_erasure uuid, p_most int) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_one erasure;
    v_gone jsonb;
    v_person uuid;
    v_rows jsonb;
    v_persons uuid[] := '{}';
BEGIN
    SELECT * INTO v_one FROM erasure WHERE school = p_school AND id = p_erasure AND state = 'erasing' FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    v_one.around := ARRAY(
        SELECT v_one.child
         UNION SELECT unnest(coalesce(v_one.around, '{}'))
         UNION SELECT m.person FROM membership m WHERE m.school = p_school AND m.subject = v_one.child
         UNION SELECT m.on_behalf_of FROM membership m
                WHERE m.school = p_school AND m.subject = v_one.child AND m.on_behalf_of IS NOT NULL
         UNION SELECT u.holder FROM authority u WHERE u.school = p_school AND u.child = v_one.child);
    v_gone := erase_rows('child', p_school, v_one.child, p_most);
    IF v_gone = '{}' THEN
        FOREACH v_person IN ARRAY v_one.around LOOP
            v_rows := erase_rows('person', p_school, v_person, p_most);
            IF v_rows ? 'person' THEN
                v_persons := v_persons || v_person;
                v_gone := jsonb_build_object('person', coalesce((v_gone->>'person')::int, 0) + 1);
            END IF;
        END LOOP;
    END IF;
    UPDATE erasure e
       SET around = v_one.around,
           gone = (SELECT coalesce(jsonb_object_agg(k, n), '{}') FROM (
                       SELECT k, sum(v::bigint) AS n FROM (
                           SELECT * FROM jsonb_each_text(v_one.gone) UNION ALL SELECT * FROM jsonb_each_text(v_gone)) x (k, v)
                        GROUP BY k) s)
     WHERE e.school = p_school AND e.id = p_erasure;
    RETURN jsonb_build_object('gone', v_gone, 'persons', to_jsonb(v_persons));
END $$;
