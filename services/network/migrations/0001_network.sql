-- Who is round a child or a school, under whose authority and with which consent. Names, contact data and birth dates
-- live here and nowhere else. Foreign keys wait for the commit, because a command writes its tables in order of name.

CREATE TABLE school_profile (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    name text NOT NULL CONSTRAINT school_profile_name CHECK (length(name) BETWEEN 1 AND 200),
    sourced_id text,
    wide int NOT NULL,
    rules int NOT NULL DEFAULT 0,
    opened_at timestamptz NOT NULL,
    CONSTRAINT school_profile_pk PRIMARY KEY (school, id)
);
COMMENT ON COLUMN school_profile.wide IS 'Goes up when those whose role reaches every child of the school change; a child whose own number is lower waits for new grants';
COMMENT ON COLUMN school_profile.rules IS 'The version of the rules that the grants follow: while it is lower than the code''s, all are to be published anew';

CREATE TABLE organisation (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    name text NOT NULL CONSTRAINT organisation_name CHECK (length(name) BETWEEN 1 AND 200),
    sourced_id text,
    CONSTRAINT organisation_pk PRIMARY KEY (school, id),
    CONSTRAINT organisation_sourced_id UNIQUE (school, sourced_id)
);

CREATE TABLE person (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    sourced_id text,
    given_name text NOT NULL CONSTRAINT person_given_name CHECK (length(given_name) BETWEEN 1 AND 200),
    family_name text NOT NULL CONSTRAINT person_family_name CHECK (length(family_name) BETWEEN 1 AND 200),
    email text,
    phone text,
    organisation uuid,
    CONSTRAINT person_pk PRIMARY KEY (school, id),
    CONSTRAINT person_sourced_id UNIQUE (school, sourced_id),
    CONSTRAINT person_organisation FOREIGN KEY (school, organisation) REFERENCES organisation (school, id)
        DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE child (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    born_on date,
    wide int NOT NULL,
    due_on date,
    CONSTRAINT child_pk PRIMARY KEY (school, id),
    CONSTRAINT child_person FOREIGN KEY (school, id) REFERENCES person (school, id) DEFERRABLE INITIALLY DEFERRED
);
COMMENT ON TABLE child IS 'A person who is a pupil: the id is the person''s';
COMMENT ON COLUMN child.due_on IS 'The day before the next birthday that changes grants: they are published anew then';
CREATE INDEX child_wide ON child (school, wide);
CREATE INDEX child_due ON child (school, due_on);

CREATE TABLE membership (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    subject uuid NOT NULL,
    person uuid NOT NULL,
    role text NOT NULL,
    organisation uuid,
    on_behalf_of uuid,
    source text NOT NULL CONSTRAINT membership_source CHECK (source IN ('roster', 'hand')),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    ended_by_hand boolean NOT NULL DEFAULT false,
    CONSTRAINT membership_pk PRIMARY KEY (school, id),
    CONSTRAINT membership_person FOREIGN KEY (school, person) REFERENCES person (school, id)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT membership_organisation FOREIGN KEY (school, organisation) REFERENCES organisation (school, id)
        DEFERRABLE INITIALLY DEFERRED
);
COMMENT ON COLUMN membership.ends_at IS 'The first moment at which it no longer holds';
COMMENT ON COLUMN membership.ended_by_hand IS 'A command gave it its end: a roster that still lists it does not take it up again';
CREATE INDEX membership_subject ON membership (school, subject);
CREATE INDEX membership_person ON membership (school, person);
CREATE UNIQUE INDEX membership_open ON membership (school, subject, person, role) WHERE ends_at IS NULL;

CREATE TABLE authority (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    child uuid NOT NULL,
    holder uuid NOT NULL,
    scope text[] NOT NULL,
    source text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    ended_by_hand boolean NOT NULL DEFAULT false,
    CONSTRAINT authority_pk PRIMARY KEY (school, id),
    CONSTRAINT authority_child FOREIGN KEY (school, child) REFERENCES child (school, id) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT authority_holder FOREIGN KEY (school, holder) REFERENCES person (school, id)
        DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX authority_child ON authority (school, child);
CREATE UNIQUE INDEX authority_open ON authority (school, child, holder) WHERE ends_at IS NULL;

CREATE TABLE consent (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    child uuid NOT NULL,
    for_purpose text NOT NULL,
    recipient_kind text NOT NULL,
    recipient uuid NOT NULL,
    categories text[] NOT NULL,
    notice_version int NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    state text NOT NULL,
    answers jsonb NOT NULL,
    renews uuid,
    CONSTRAINT consent_pk PRIMARY KEY (school, id),
    CONSTRAINT consent_one UNIQUE NULLS NOT DISTINCT (school, child, for_purpose, recipient, categories, renews),
    CONSTRAINT consent_child FOREIGN KEY (school, child) REFERENCES child (school, id) DEFERRABLE INITIALLY DEFERRED
);
COMMENT ON COLUMN consent.answers IS 'The latest answer of each holder: [{holder, capacity, answer, at}]';
COMMENT ON COLUMN consent.renews IS 'The consent of the same name that this one carries on: a first one has none, and each is carried on once';

SELECT tenant_table('school_profile');
SELECT tenant_table('organisation');
SELECT tenant_table('person');
SELECT tenant_table('child');
SELECT tenant_table('membership');
SELECT tenant_table('authority');
SELECT tenant_table('consent');

-- Facts ----------------------------------------------------------------------------------------------------------------

-- The school's own facts: its version of who reaches every child, and its memberships that are not long over.
CREATE FUNCTION school_facts(p_school text) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT jsonb_build_object(
        'id', s.id, 'version', s.version, 'wide', s.wide, 'rules', s.rules,
        'revision', coalesce((SELECT a.version FROM access a WHERE a.school = p_school AND a.id = s.id), 0),
        'memberships', coalesce((SELECT jsonb_agg(to_jsonb(m) - 'school' ORDER BY m.id) FROM membership m
                                  WHERE m.school = p_school AND m.subject = s.id
                                    AND (m.ends_at IS NULL OR m.ends_at > clock_timestamp() - interval '1 year')), '[]'))
      FROM school_profile s WHERE s.school = p_school
$$;

-- Everything that the grants on these children follow from.
CREATE FUNCTION child_facts(p_school text, p_children uuid[]) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'id', c.id, 'version', c.version, 'born_on', c.born_on, 'wide', c.wide, 'due_on', c.due_on,
        'revision', coalesce((SELECT a.version FROM access a WHERE a.school = p_school AND a.id = c.id), 0),
        'memberships', coalesce((SELECT jsonb_agg(to_jsonb(m) - 'school' ORDER BY m.id) FROM membership m
                                  WHERE m.school = p_school AND m.subject = c.id), '[]'),
        'authorities', coalesce((SELECT jsonb_agg(to_jsonb(u) - 'school' ORDER BY u.id) FROM authority u
                                  WHERE u.school = p_school AND u.child = c.id), '[]'),
        'consents', coalesce((SELECT jsonb_agg(to_jsonb(k) - 'school' ORDER BY k.id) FROM consent k
                               WHERE k.school = p_school AND k.child = c.id), '[]')) ORDER BY c.id), '[]')
      FROM child c WHERE c.school = p_school AND c.id = ANY (p_children)
$$;

-- The names that a query about these persons may show.
CREATE FUNCTION person_names(p_school text, p_persons uuid[]) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(jsonb_object_agg(p.id, to_jsonb(p) - 'school' || jsonb_build_object('organisation_name', o.name)), '{}')
      FROM person p LEFT JOIN organisation o ON o.school = p.school AND o.id = p.organisation
     WHERE p.school = p_school AND p.id = ANY (p_persons)
$$;

-- The school's facts of now, as of the revision and version of p_first, which were its facts before something was read:
-- nothing that was read since is older than that revision, and no child's grants are made of a school older than the child.
CREATE FUNCTION school_facts_since(p_school text, p_first jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN school_facts(p_school) || jsonb_build_object('revision', p_first->'revision', 'version', p_first->'version');
END $$;

-- Readers --------------------------------------------------------------------------------------------------------------

-- Each statement sees what was committed before it, so the order counts. A subject's revision is read with or before all
-- that its grants are made of: what changed since makes the commit decide anew. The school is read after the children.

CREATE FUNCTION read_school(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_facts jsonb := school_facts(p_args->>'school');
BEGIN
    IF v_facts IS NULL THEN
        RETURN jsonb_build_object('subjects', '[]'::jsonb, 'school', NULL);
    END IF;
    RETURN jsonb_build_object('subjects', jsonb_build_array(v_facts->'id'), 'school', v_facts);
END $$;

-- A child with its facts and the school's; `child` in the body.
CREATE FUNCTION read_child(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_facts jsonb := child_facts(p_args->>'school', ARRAY[(p_args->>'child')::uuid]);
BEGIN
    RETURN jsonb_build_object(
        'subjects', coalesce(jsonb_path_query_array(v_facts, '$[*].id'), '[]'),
        'school', school_facts(p_args->>'school'),
        'children', v_facts);
END $$;

-- The same, with the names of all who are named in the facts and of the recipient that the body names.
CREATE FUNCTION read_child_names(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_state jsonb := read_child(p_args);
    v_persons uuid[];
BEGIN
    SELECT array_agg(DISTINCT x::text::uuid) INTO v_persons FROM (
        SELECT jsonb_path_query(v_state, '$.children[*].memberships[*].person') #>> '{}'
         UNION SELECT jsonb_path_query(v_state, '$.children[*].consents[*].recipient') #>> '{}'
         UNION SELECT jsonb_path_query(v_state, '$.children[*].id') #>> '{}') n (x);
    RETURN v_state || jsonb_build_object(
        'persons', person_names(p_args->>'school', v_persons),
        'organisations', coalesce((SELECT jsonb_object_agg(o.id, o.name) FROM organisation o
                                    WHERE o.school = p_args->>'school'
                                      AND o.id IN (SELECT (jsonb_path_query(v_state, '$.children[*].consents[*].recipient') #>> '{}')::uuid
                                                    UNION SELECT (jsonb_path_query(v_state, '$.children[*].memberships[*].organisation') #>> '{}')::uuid)), '{}'));
END $$;

-- A subject's network for a change of members: `subject` is a child or the school; `person`, `organisation` and
-- `on_behalf_of` must exist. When the school's own members change, up to 200 children come with it.
CREATE FUNCTION read_members(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_first jsonb := school_facts(v_school);
    v_children jsonb;
    v_resting jsonb;
BEGIN
    IF v_first->>'id' = p_args->>'subject' THEN
        v_children := child_facts(v_school, ARRAY(SELECT c.id FROM child c WHERE c.school = v_school ORDER BY c.wide DESC, c.id LIMIT 200));
    ELSE
        v_children := child_facts(v_school, ARRAY[(p_args->>'subject')::uuid]);
    END IF;
    v_resting := resting_facts(v_school, ARRAY[(p_args->>'subject')::uuid]);
    RETURN jsonb_build_object(
        'subjects', CASE WHEN v_first->>'id' = p_args->>'subject' THEN jsonb_build_array(v_first->'id')
                         ELSE jsonb_path_query_array(v_children, '$[*].id') END,
        'school', school_facts_since(v_school, v_first),
        'children', v_children,
        'resting', v_resting,
        'person_known', EXISTS (SELECT FROM person p WHERE p.school = v_school AND p.id = (p_args->>'person')::uuid),
        'behalf_known', EXISTS (SELECT FROM person p WHERE p.school = v_school AND p.id = (p_args->>'on_behalf_of')::uuid),
        'organisation_known', EXISTS (SELECT FROM organisation o
                                       WHERE o.school = v_school AND o.id = (p_args->>'organisation')::uuid));
END $$;

-- The children in whose network the asking person takes part, and the school for those who manage it.
CREATE FUNCTION read_children(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
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
                             ORDER BY c.id LIMIT 500)));
END $$;

CREATE FUNCTION read_person(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN read_school(p_args) || jsonb_build_object('persons', (
        SELECT coalesce(jsonb_agg(to_jsonb(p) - 'school' || jsonb_build_object(
                   'pupil', EXISTS (SELECT FROM child c WHERE c.school = p.school AND c.id = p.id),
                   'memberships', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', m.id, 'version', m.version,
                                          'subject', m.subject, 'role', m.role, 'ends_at', m.ends_at) ORDER BY m.id), '[]')
                                     FROM membership m WHERE m.school = p.school AND m.person = p.id
                                      AND (m.ends_at IS NULL OR m.ends_at > clock_timestamp())))), '[]')
          FROM person p WHERE p.school = p_args->>'school' AND p.sourced_id = p_args->>'sourced_id'));
END $$;

-- Where one member is reached, for a notice about one subject; `grants` are the grants that member has there.
CREATE FUNCTION read_contact(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', '[]'::jsonb,
        'grants', coalesce((SELECT a.grants->(p_args->>'member') FROM access a
                             WHERE a.school = p_args->>'school' AND a.id = (p_args->>'about')::uuid), '[]'),
        'email', (SELECT p.email FROM person p
                   WHERE p.school = p_args->>'school' AND p.id = (p_args->>'member')::uuid));
END $$;

-- What a batch of a roster meets: everyone, every organisation and every child that it names or ends something round.
CREATE FUNCTION read_roster(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_named text[];
    v_persons jsonb;
    v_ids uuid[];
    v_ends uuid[] := ARRAY(SELECT x::uuid FROM jsonb_array_elements_text(p_args->'ends') x);
    v_first jsonb := school_facts(v_school);
    v_children jsonb;
    v_resting jsonb;
BEGIN
    SELECT array_agg(DISTINCT x #>> '{}') INTO v_named FROM (
        SELECT jsonb_path_query(p_args, '$.persons[*].sourced_id') UNION
        SELECT jsonb_path_query(p_args, '$.networks[*].child') UNION
        SELECT jsonb_path_query(p_args, '$.networks[*].links[*].person') UNION
        SELECT jsonb_path_query(p_args, '$.networks[*].holders[*]')) n (x);
    SELECT coalesce(jsonb_agg(to_jsonb(p) - 'school' || jsonb_build_object(
               'child', (SELECT jsonb_build_object('version', c.version, 'born_on', c.born_on) FROM child c
                          WHERE c.school = v_school AND c.id = p.id))), '[]')
      INTO v_persons FROM person p WHERE p.school = v_school AND p.sourced_id = ANY (v_named);
    v_ids := ARRAY(SELECT (jsonb_path_query(v_persons, '$[*].id') #>> '{}')::uuid);
    v_children := child_facts(v_school, ARRAY(
        SELECT unnest(v_ids) UNION
        SELECT m.subject FROM membership m WHERE m.school = v_school AND m.id = ANY (v_ends) UNION
        SELECT u.child FROM authority u WHERE u.school = v_school AND u.id = ANY (v_ends)));
    v_resting := resting_facts(v_school, ARRAY(SELECT (x #>> '{}')::uuid FROM jsonb_path_query(v_children, '$[*].id') x
                                                UNION SELECT (v_first->>'id')::uuid));
    RETURN jsonb_build_object(
        'subjects', CASE WHEN v_first IS NULL THEN '[]' ELSE jsonb_build_array(v_first->'id') END,
        'school', school_facts_since(v_school, v_first),
        'children', v_children,
        'resting', v_resting,
        'persons', v_persons,
        'organisations', (SELECT coalesce(jsonb_agg(to_jsonb(o) - 'school'), '[]') FROM organisation o
                           WHERE o.school = v_school AND o.sourced_id IN (
                                 SELECT jsonb_path_query(p_args, '$.organisations[*].sourced_id') #>> '{}' UNION
                                 SELECT jsonb_path_query(p_args, '$.persons[*].organisation') #>> '{}')),
        -- What a command ended last, of these people round each other and in the school, however long ago.
        'ended_by_hand', (SELECT coalesce(jsonb_agg(jsonb_build_array(l.subject, l.person, l.role)), '[]') FROM (
                SELECT DISTINCT ON (m.subject, m.person, m.role) m.subject, m.person, m.role, m.ended_by_hand FROM membership m
                 WHERE m.school = v_school AND m.person = ANY (v_ids) AND m.ends_at IS NOT NULL
                   AND (m.subject = ANY (v_ids) OR m.subject = (SELECT s.id FROM school_profile s WHERE s.school = v_school))
                 ORDER BY m.subject, m.person, m.role, m.ends_at DESC, m.id DESC) l WHERE l.ended_by_hand));
END $$;

-- The memberships that stand and the roster's records of authority, a page by id, by the ids of the administration.
CREATE FUNCTION read_roster_links(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_after uuid := coalesce((p_args->>'after')::uuid, '00000000-0000-0000-0000-000000000000');
    v_now timestamptz := (SELECT clock_timestamp() + shift FROM time_shift);
BEGIN
    RETURN read_school(p_args) || jsonb_build_object('links', (
        SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'id', l.id, 'person', p.sourced_id, 'child', c.sourced_id, 'role', l.role, 'hand', l.hand) ORDER BY l.id), '[]')
          FROM ((SELECT m.id, m.person, m.subject, m.role, m.source <> 'roster' AS hand FROM membership m
                  WHERE m.school = v_school AND m.id > v_after AND (m.ends_at IS NULL OR m.ends_at > v_now)
                  ORDER BY m.id LIMIT 1000)
                UNION ALL
                (SELECT u.id, u.holder, u.child, 'authority', false FROM authority u
                  WHERE u.school = v_school AND u.id > v_after AND u.source = 'roster'
                    AND (u.ends_at IS NULL OR u.ends_at > v_now)
                  ORDER BY u.id LIMIT 1000)
                ORDER BY 1 LIMIT 1000) l
          JOIN person p ON p.school = v_school AND p.id = l.person
          LEFT JOIN person c ON c.school = v_school AND c.id = l.subject));
END $$;

-- Today in the Netherlands, in domain time.
CREATE FUNCTION domain_today() RETURNS date LANGUAGE sql VOLATILE AS
$$ SELECT ((clock_timestamp() + shift) AT TIME ZONE 'Europe/Amsterdam')::date FROM time_shift $$;

-- The children, at most p_page, who wait for new grants: because those who reach every child changed, or for a birthday.
CREATE FUNCTION list_waiting(p_school text, p_page int) RETURNS uuid[] LANGUAGE sql VOLATILE AS $$
    SELECT ARRAY(SELECT c.id FROM child c
                  WHERE c.school = p_school
                    AND (c.wide < (SELECT s.wide FROM school_profile s WHERE s.school = p_school)
                         OR c.due_on <= (SELECT domain_today()))
                  LIMIT p_page)
$$;

CREATE FUNCTION read_waiting(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_children jsonb := child_facts(p_args->>'school', list_waiting(p_args->>'school', (p_args->>'page')::int));
BEGIN
    RETURN read_school(p_args) || jsonb_build_object('children', v_children);
END $$;
