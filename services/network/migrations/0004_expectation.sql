-- What members expect of each other, what they answer, and what they commit themselves to. All words live here.

CREATE TABLE expectation (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    subject uuid NOT NULL,
    promise boolean NOT NULL,
    author uuid NOT NULL,
    for_school boolean NOT NULL,
    words text NOT NULL CONSTRAINT expectation_words CHECK (length(words) BETWEEN 1 AND 2000),
    why text CONSTRAINT expectation_why CHECK (length(why) BETWEEN 1 AND 2000),
    talk_on date,
    by_on date,
    review_on date,
    open boolean NOT NULL,
    voiced_at timestamptz NOT NULL,
    CONSTRAINT expectation_pk PRIMARY KEY (school, id)
);
COMMENT ON COLUMN expectation.promise IS 'The author commits himself, instead of asking';
COMMENT ON COLUMN expectation.for_school IS 'Voiced in the name of the school: its team round the child is the side, whoever is in it';
COMMENT ON COLUMN expectation.open IS 'The author lets the whole network read the words';
CREATE INDEX expectation_subject ON expectation (school, subject);

CREATE TABLE dialogue (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    expectation uuid NOT NULL,
    subject uuid NOT NULL,
    member uuid,
    setting text,
    state text NOT NULL CONSTRAINT dialogue_state CHECK (state IN ('open', 'agreed', 'declined', 'withdrawn', 'closed')),
    turn_of text,
    last int NOT NULL,
    proposal int NOT NULL,
    before_state text,
    before_proposal int,
    companions jsonb NOT NULL,
    commitment uuid,
    CONSTRAINT dialogue_pk PRIMARY KEY (school, id),
    CONSTRAINT dialogue_expectation FOREIGN KEY (school, expectation) REFERENCES expectation (school, id)
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT dialogue_asked CHECK ((member IS NULL) = (setting IS NOT DISTINCT FROM 'school')),
    CONSTRAINT dialogue_turn CHECK ((state = 'open') = (turn_of IS NOT NULL))
);
COMMENT ON TABLE dialogue IS 'An expectation between its author and one asked side: a member, or the team (setting school, no member)';
COMMENT ON COLUMN dialogue.proposal IS 'The number of the turn that stands as proposal; 0: the expectation itself';
COMMENT ON COLUMN dialogue.before_state IS 'Where the dialogue goes back to when the asked side takes its counter-proposal back';
COMMENT ON COLUMN dialogue.companions IS 'Who else is wanted in it, and by which sides: [{member, by}]; both sides: is in it';
CREATE INDEX dialogue_expectation ON dialogue (school, expectation);
CREATE INDEX dialogue_subject ON dialogue (school, subject, id);
CREATE INDEX dialogue_live ON dialogue (school, subject, id) WHERE state IN ('open', 'agreed');

CREATE TABLE turn (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    dialogue uuid NOT NULL,
    subject uuid NOT NULL,
    number int NOT NULL,
    party text,
    person uuid NOT NULL,
    kind text NOT NULL,
    words text CONSTRAINT turn_words CHECK (length(words) BETWEEN 1 AND 2000),
    by_on date,
    review_on date,
    outcome text,
    open boolean NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT turn_pk PRIMARY KEY (school, id),
    CONSTRAINT turn_number UNIQUE (school, dialogue, number),
    CONSTRAINT turn_dialogue FOREIGN KEY (school, dialogue) REFERENCES dialogue (school, id)
        DEFERRABLE INITIALLY DEFERRED
);
COMMENT ON COLUMN turn.party IS 'asking or asked; NULL: someone whom both sides let in';

CREATE TABLE commitment (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    dialogue uuid NOT NULL,
    subject uuid NOT NULL,
    proposal int NOT NULL,
    carrier text NOT NULL,
    by_on date NOT NULL,
    review_on date NOT NULL,
    state text NOT NULL CONSTRAINT commitment_state CHECK (state IN ('standing', 'withdrawn', 'closed')),
    asking text,
    asked text,
    reminded text NOT NULL CONSTRAINT commitment_reminded CHECK (reminded IN ('not', 'due', 'overdue')),
    next_on date,
    made_at timestamptz NOT NULL,
    CONSTRAINT commitment_pk PRIMARY KEY (school, id),
    CONSTRAINT commitment_dialogue FOREIGN KEY (school, dialogue) REFERENCES dialogue (school, id)
        DEFERRABLE INITIALLY DEFERRED
);
COMMENT ON COLUMN commitment.asking IS 'How it went, as the asking side sees it; asked: as the asked side does';
COMMENT ON COLUMN commitment.next_on IS 'The day on which the review falls due or becomes overdue; NULL: nothing is left to tell';
CREATE INDEX commitment_dialogue ON commitment (school, dialogue);
CREATE INDEX commitment_next ON commitment (school, next_on) WHERE next_on IS NOT NULL;

SELECT tenant_table('expectation');
SELECT tenant_table('dialogue');
SELECT tenant_table('turn');
SELECT tenant_table('commitment');

-- Dialogues with their expectation, turns and commitments; not p_whole: of the turns only the proposal that stands.
CREATE FUNCTION dialogue_facts(p_school text, p_dialogues uuid[], p_whole boolean) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN coalesce((
        SELECT jsonb_agg(to_jsonb(d) - 'school' || jsonb_build_object(
            'voice', (SELECT to_jsonb(e) - 'school' FROM expectation e WHERE e.school = p_school AND e.id = d.expectation),
            'spoke', (SELECT coalesce(jsonb_agg(DISTINCT t.person), '[]') FROM turn t
                       WHERE t.school = p_school AND t.dialogue = d.id),
            'turns', (SELECT coalesce(jsonb_agg(to_jsonb(t) - 'school' ORDER BY t.number), '[]') FROM turn t
                       WHERE t.school = p_school AND t.dialogue = d.id AND (p_whole OR t.number = d.proposal)),
            'commitments', (SELECT coalesce(jsonb_agg(to_jsonb(c) - 'school' ORDER BY c.id), '[]') FROM commitment c
                             WHERE c.school = p_school AND c.dialogue = d.id AND (p_whole OR c.id = d.commitment)))
            ORDER BY d.id)
          FROM dialogue d WHERE d.school = p_school AND d.id = ANY (p_dialogues)), '[]');
END $$;

-- Who is or was a guardian of each subject, and with p_grants who may do what: {subject: {guardians, grants}}.
CREATE FUNCTION circles(p_school text, p_subjects uuid[], p_grants boolean) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_object_agg(s, jsonb_build_object(
        'grants', coalesce((SELECT a.grants FROM access a WHERE p_grants AND a.school = p_school AND a.id = s), '{}'),
        'guardians', (SELECT coalesce(jsonb_agg(DISTINCT m.person), '[]') FROM membership m
                       WHERE m.school = p_school AND m.subject = s AND m.role = 'guardian'))), '{}')
              FROM unnest(p_subjects) s WHERE s IS NOT NULL);
END $$;

CREATE FUNCTION names_in_dialogues(p_school text, p_dialogues jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT coalesce(jsonb_object_agg(p.id, concat_ws(' ', p.given_name, p.family_name)), '{}') FROM person p
             WHERE p.school = p_school AND p.id IN (
                 SELECT (x #>> '{}')::uuid FROM (
                     SELECT jsonb_path_query(p_dialogues, '$[*].member')
                      UNION SELECT jsonb_path_query(p_dialogues, '$[*].subject')
                      UNION SELECT jsonb_path_query(p_dialogues, '$[*].voice.author')
                      UNION SELECT jsonb_path_query(p_dialogues, '$[*].turns[*].person')
                      UNION SELECT jsonb_path_query(p_dialogues, '$[*].companions[*].member')) n (x)));
END $$;

-- For a new expectation about `about`, a child or the school itself.
CREATE FUNCTION read_circle(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_subjects uuid[] := ARRAY(SELECT c.id FROM child c WHERE c.school = v_school AND c.id = (p_args->>'about')::uuid
                                UNION ALL SELECT s.id FROM school_profile s
                                           WHERE s.school = v_school AND s.id = (p_args->>'about')::uuid);
BEGIN
    RETURN jsonb_build_object('subjects', to_jsonb(v_subjects), 'circles', circles(v_school, v_subjects, true));
END $$;

-- One dialogue as a whole.
CREATE FUNCTION read_dialogue(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_found jsonb := dialogue_facts(v_school, ARRAY[(p_args->>'dialogue')::uuid], true);
BEGIN
    RETURN jsonb_build_object(
        'subjects', coalesce(jsonb_path_query_array(v_found, '$[*].subject'), '[]'),
        'circles', circles(v_school, ARRAY[(v_found->0->>'subject')::uuid], true),
        'dialogues', v_found);
END $$;

-- The same, with the facts that the subject's grants follow from.
CREATE FUNCTION read_dialogue_facts(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_state jsonb := read_dialogue(p_args);
    v_children jsonb := child_facts(p_args->>'school', ARRAY[(v_state->'subjects'->>0)::uuid]);
BEGIN
    RETURN v_state || jsonb_build_object('school', school_facts(p_args->>'school'), 'children', v_children);
END $$;

-- Whether p_person must learn nothing of a dialogue: a guardian, of what another guardian speaks or is addressed in.
CREATE FUNCTION is_walled(p_dialogue dialogue, p_author uuid, p_person uuid) RETURNS boolean LANGUAGE sql VOLATILE AS $$
    SELECT EXISTS (SELECT FROM membership m WHERE m.school = p_dialogue.school AND m.subject = p_dialogue.subject
                      AND m.role = 'guardian' AND m.person = p_person)
       AND EXISTS (SELECT FROM membership m WHERE m.school = p_dialogue.school AND m.subject = p_dialogue.subject
                      AND m.role = 'guardian' AND m.person <> p_person
                      AND (m.person = p_author OR m.person = p_dialogue.member
                           OR EXISTS (SELECT FROM turn t WHERE t.school = p_dialogue.school
                                         AND t.dialogue = p_dialogue.id AND t.person = m.person)
                           OR EXISTS (SELECT FROM jsonb_array_elements(p_dialogue.companions) c
                                       WHERE c->>'member' = m.person::text AND jsonb_array_length(c->'by') = 2)))
$$;

-- The subjects, of these, about which p_person may answer as one of the school's team.
CREATE FUNCTION teams_of(p_school text, p_subjects uuid[], p_person uuid) RETURNS uuid[] LANGUAGE sql VOLATILE AS $$
    SELECT ARRAY(SELECT a.id FROM access a
                  WHERE a.school = p_school AND a.id = ANY (p_subjects)
                    AND EXISTS (SELECT FROM jsonb_array_elements(a.grants->p_person::text) g
                                 WHERE g->'actions' ? 'answer' AND g->'categories' ? 'expectations'
                                   AND g->>'role' IN ('teacher', 'internal_coordinator', 'school_social_worker',
                                                      'psychologist', 'support_committee', 'school_leader')))
$$;

-- A page of the dialogues about `about` that the asking person may read something of, newest first, before `after`. What
-- is read of them the decision says; others are left out here, so that no page begins or ends with one of them.
CREATE FUNCTION read_expectations(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_about uuid := (p_args->>'about')::uuid;
    v_actor uuid := (p_args->>'actor')::uuid;
    v_teams uuid[] := teams_of(v_school, ARRAY[v_about], v_actor);
    v_page uuid[] := ARRAY(SELECT d.id FROM dialogue d JOIN expectation e ON e.school = d.school AND e.id = d.expectation
                            WHERE d.school = v_school AND d.subject = v_about
                              AND d.id < coalesce((p_args->>'after')::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
                              AND (v_actor IN (e.author, d.member) OR e.open
                                   OR d.companions @> jsonb_build_array(jsonb_build_object('member', v_actor))
                                   OR (e.for_school OR d.member IS NULL) AND d.subject = ANY (v_teams))
                              AND NOT is_walled(d, e.author, v_actor)
                            ORDER BY d.id DESC LIMIT 50);
    v_found jsonb := dialogue_facts(v_school, v_page, true);
BEGIN
    RETURN read_circle(p_args) || jsonb_build_object(
        'dialogues', v_found, 'full', cardinality(v_page) = 50, 'names', names_in_dialogues(v_school, v_found));
END $$;

-- What is live, about the children round whom the asking person is and about the school, and may be that person's: a
-- page in order of id, behind `after`.
CREATE FUNCTION read_my_expectations(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_actor uuid := (p_args->>'actor')::uuid;
    v_own uuid[] := ARRAY(SELECT DISTINCT m.subject FROM membership m
                           WHERE m.school = v_school AND m.person = v_actor
                             AND (m.ends_at IS NULL OR m.ends_at > (SELECT clock_timestamp() + shift FROM time_shift)));
    v_teams uuid[] := teams_of(v_school, v_own, v_actor);
    v_page uuid[] := ARRAY(SELECT d.id FROM dialogue d JOIN expectation e ON e.school = d.school AND e.id = d.expectation
                            WHERE d.school = v_school AND d.subject = ANY (v_own) AND d.state IN ('open', 'agreed')
                              AND d.id > coalesce((p_args->>'after')::uuid, '00000000-0000-0000-0000-000000000000')
                              AND (v_actor IN (e.author, d.member)
                                   OR (e.for_school OR d.member IS NULL) AND d.subject = ANY (v_teams))
                              AND NOT is_walled(d, e.author, v_actor)
                            ORDER BY d.id LIMIT 100);
    v_found jsonb := dialogue_facts(v_school, v_page, false);
    v_subjects uuid[] := ARRAY(SELECT DISTINCT (x #>> '{}')::uuid FROM jsonb_path_query(v_found, '$[*].subject') x
                                UNION (SELECT s FROM unnest(v_own) s ORDER BY s LIMIT 20));
BEGIN
    RETURN jsonb_build_object(
        'subjects', to_jsonb(v_subjects),
        'circles', circles(v_school, v_subjects, false),
        'dialogues', v_found, 'full', cardinality(v_page) = 100, 'names', names_in_dialogues(v_school, v_found));
END $$;

-- Reviews whose day has come: a page of commitments with their dialogues.
CREATE FUNCTION list_reviews(p_school text, p_page int) RETURNS uuid[] LANGUAGE sql VOLATILE AS $$
    SELECT ARRAY(SELECT c.dialogue FROM commitment c
                  WHERE c.school = p_school AND c.next_on <= (SELECT domain_today()) ORDER BY c.next_on, c.id LIMIT p_page)
$$;

CREATE FUNCTION read_reviews(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_found jsonb := dialogue_facts(v_school, list_reviews(v_school, (p_args->>'page')::int), true);
BEGIN
    RETURN jsonb_build_object(
        'subjects', '[]'::jsonb,
        'circles', circles(v_school, ARRAY(SELECT DISTINCT (x #>> '{}')::uuid FROM jsonb_path_query(v_found, '$[*].subject') x), true),
        'dialogues', v_found);
END $$;
