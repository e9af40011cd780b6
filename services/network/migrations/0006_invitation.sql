-- Invitations, mandates, suspension, local tools, ties, confidential contact data, and the notices that consent is asked with.

ALTER TABLE membership ADD COLUMN mandate jsonb, ADD COLUMN suspended_at timestamptz;
COMMENT ON COLUMN membership.mandate IS 'What it is for and when: {code, starts_at, ends_at}';
COMMENT ON COLUMN membership.suspended_at IS 'It gives nothing since then, until it is resumed';

ALTER TABLE person ADD COLUMN agreement text, ADD COLUMN confidential boolean;
COMMENT ON COLUMN person.agreement IS 'A local tool, which is a member like a person: the processing agreement with its maker';
COMMENT ON COLUMN person.confidential IS 'Only those with the category contact see what tells where to find this person';
SELECT tenant_table('membership');
SELECT tenant_table('person');

CREATE TABLE invitation (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    subject uuid NOT NULL,
    role text NOT NULL,
    organisation uuid,
    mandate jsonb,
    secret_hash text NOT NULL CONSTRAINT invitation_secret_hash CHECK (secret_hash ~ '^[0-9a-f]{64}$'),
    invited_by uuid NOT NULL,
    made_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    taken_at timestamptz,
    taken_by uuid,
    revoked_at timestamptz,
    CONSTRAINT invitation_pk PRIMARY KEY (school, id),
    CONSTRAINT invitation_secret UNIQUE (school, secret_hash),
    CONSTRAINT invitation_organisation FOREIGN KEY (school, organisation) REFERENCES organisation (school, id)
        DEFERRABLE INITIALLY DEFERRED
);
COMMENT ON COLUMN invitation.secret_hash IS 'SHA-256 of the secret, which is not kept';
CREATE INDEX invitation_subject ON invitation (school, subject, id);

CREATE TABLE tie (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    child uuid NOT NULL,
    person uuid NOT NULL,
    other uuid NOT NULL,
    strength text NOT NULL CONSTRAINT tie_strength CHECK (strength IN ('strong', 'ordinary', 'weak', 'strained', 'broken')),
    stated_at timestamptz NOT NULL,
    CONSTRAINT tie_pk PRIMARY KEY (school, id)
);
COMMENT ON TABLE tie IS 'How close person says it stands to other: the child, or another member. One row is the latest statement';
CREATE INDEX tie_child ON tie (school, child);

CREATE TABLE tie_version (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    tie uuid NOT NULL,
    number int NOT NULL,
    strength text NOT NULL,
    stated_at timestamptz NOT NULL,
    CONSTRAINT tie_version_pk PRIMARY KEY (school, id),
    CONSTRAINT tie_version_number UNIQUE (school, tie, number)
);
COMMENT ON TABLE tie_version IS 'Every statement there was';

CREATE TABLE consent_notice (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    number int NOT NULL,
    language text NOT NULL,
    text text NOT NULL CONSTRAINT consent_notice_text CHECK (length(text) BETWEEN 1 AND 4000),
    hash text NOT NULL,
    published_at timestamptz NOT NULL,
    CONSTRAINT consent_notice_pk PRIMARY KEY (school, id),
    CONSTRAINT consent_notice_number UNIQUE (school, number, language)
);
COMMENT ON TABLE consent_notice IS 'What was read before consent was given: never changed, a new text is a new number';

SELECT tenant_table('invitation');
SELECT tenant_table('tie');
SELECT tenant_table('tie_version');
SELECT tenant_table('consent_notice');

-- A receipt tells a consent's history from the journal, where it is kept for good.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX journal_consent ON journal (school, about, seq) WHERE type LIKE 'nl.samenkracht.network.consent.%';

CREATE FUNCTION domain_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS
$$ SELECT clock_timestamp() + shift FROM time_shift $$;

-- A subject's network for someone to join: with what `person` is.
CREATE FUNCTION read_joining(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN read_members(p_args) || jsonb_build_object('is_tool', EXISTS (
        SELECT FROM person p WHERE p.school = p_args->>'school' AND p.id = (p_args->>'person')::uuid
           AND p.agreement IS NOT NULL));
END $$;

-- A subject's network (`subject`, or `child`) with its latest invitations: all that are open, never their secrets.
CREATE FUNCTION read_invitations(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_subject uuid := coalesce(p_args->>'subject', p_args->>'child')::uuid;
BEGIN
    RETURN read_members(p_args || jsonb_build_object('subject', v_subject)) || jsonb_build_object('invitations', (
        SELECT coalesce(jsonb_agg(to_jsonb(i) - 'school' - 'secret_hash' ORDER BY i.id), '[]') FROM invitation i
         WHERE i.school = p_args->>'school' AND i.subject = v_subject
           AND (i.taken_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > domain_now()
                OR i.id IN (SELECT l.id FROM invitation l WHERE l.school = p_args->>'school' AND l.subject = v_subject
                             ORDER BY l.id DESC LIMIT 50))));
END $$;

-- A batch of a roster, with the open invitations to the networks of children whose place it ends.
-- squawk-ignore renaming-object
ALTER FUNCTION read_roster(jsonb) RENAME TO read_roster_facts;
CREATE FUNCTION read_roster(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN read_roster_facts(p_args) || jsonb_build_object('invitations', (
        SELECT coalesce(jsonb_agg(to_jsonb(i) - 'school' - 'secret_hash' ORDER BY i.id), '[]') FROM invitation i
         WHERE i.school = p_args->>'school' AND i.taken_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > domain_now()
           AND i.subject IN (
                SELECT m.subject FROM membership m JOIN jsonb_array_elements_text(p_args->'ends') e (id) ON m.id = e.id::uuid
                 WHERE m.school = p_args->>'school' AND m.role = 'child')));
END $$;

-- The invitation whose `secret` this is, while it is open (or was taken by the asking person), with the network it is
-- for. A wrong, used, expired and revoked one read alike: nothing was found, and nothing more is looked at.
CREATE FUNCTION read_invitation(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_found jsonb;
BEGIN
    SELECT to_jsonb(i) - 'school' - 'secret_hash' INTO v_found FROM invitation i
     WHERE i.school = v_school
       AND i.secret_hash = encode(sha256(convert_to(p_args->>'secret', 'UTF8')), 'hex')
       AND i.revoked_at IS NULL
       AND (i.taken_at IS NULL AND i.expires_at > domain_now() OR i.taken_by = (p_args->>'actor')::uuid);
    RETURN read_members(jsonb_build_object('school', v_school, 'subject', v_found->'subject', 'person', p_args->'actor'))
        || jsonb_build_object(
            'invitation', v_found,
            'school_name', (SELECT s.name FROM school_profile s WHERE s.school = v_school),
            'organisation_name', (SELECT o.name FROM organisation o
                                   WHERE o.school = v_school AND o.id = (v_found->>'organisation')::uuid));
END $$;

-- A child's network with names, and what its members said of their ties.
CREATE FUNCTION read_ties(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN read_child_names(p_args) || jsonb_build_object('ties', (
        SELECT coalesce(jsonb_agg(to_jsonb(t) - 'school' ORDER BY t.id), '[]') FROM tie t
         WHERE t.school = p_args->>'school' AND t.child = (p_args->>'child')::uuid));
END $$;

-- A person whose contact data becomes confidential or not, with the children round whom it is, or was a guardian.
CREATE FUNCTION read_own_contact(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_children jsonb := child_facts(p_args->>'school', ARRAY(
        SELECT DISTINCT m.subject FROM membership m
         WHERE m.school = p_args->>'school' AND m.person = (p_args->>'person')::uuid
           AND (m.role = 'guardian' OR m.ends_at IS NULL OR m.ends_at > clock_timestamp()) ORDER BY 1 LIMIT 200));
BEGIN
    RETURN read_school(p_args) || jsonb_build_object(
        'person', (SELECT jsonb_build_object('id', p.id, 'version', p.version, 'confidential', coalesce(p.confidential, false))
                     FROM person p WHERE p.school = p_args->>'school' AND p.id = (p_args->>'person')::uuid),
        'children', v_children);
END $$;

-- A child for a question of consent: is the recipient known, and which versions of the notice were published?
CREATE FUNCTION read_consent(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN read_child(p_args) || jsonb_build_object(
        'organisation_known', EXISTS (SELECT FROM organisation o
                                       WHERE o.school = p_args->>'school' AND o.id = (p_args->>'recipient')::uuid),
        'notices', (SELECT coalesce(jsonb_agg(DISTINCT n.number), '[]') FROM consent_notice n
                     WHERE n.school = p_args->>'school'));
END $$;

-- The notice texts with this number.
CREATE FUNCTION read_notice(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN read_school(p_args) || jsonb_build_object('notices', (
        SELECT coalesce(jsonb_agg(to_jsonb(n) - 'school' ORDER BY n.language), '[]') FROM consent_notice n
         WHERE n.school = p_args->>'school' AND n.number = (p_args->>'number')::int));
END $$;

-- A consent with its child, its notices and its history.
CREATE FUNCTION read_receipt(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_consent uuid := (p_args->>'consent')::uuid;
    v_child uuid;
    v_notice int;
BEGIN
    SELECT k.child, k.notice_version INTO v_child, v_notice FROM consent k WHERE k.school = v_school AND k.id = v_consent;
    RETURN read_child_names(p_args || jsonb_build_object('child', v_child)) || jsonb_build_object(
        'school_name', (SELECT s.name FROM school_profile s WHERE s.school = v_school),
        'notices', read_notice(jsonb_build_object('school', v_school, 'number', v_notice))->'notices',
        'history', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('type', j.type, 'time', j.event::jsonb->'time',
                       'fact', j.event::jsonb->'data'->'fact') ORDER BY j.seq), '[]')
              FROM journal j
             WHERE j.school = v_school AND j.about = v_child AND j.type LIKE 'nl.samenkracht.network.consent.%'
               AND j.event::jsonb->>'thing' = v_consent::text));
END $$;
