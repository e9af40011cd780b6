-- Plans of goals and actions: the texts in their versions, who agreed to which of them, and how disagreements go on.
-- `about` is the child, or the school's own subject. A salt lies beside the text that it guards, and goes with it.

CREATE TABLE plan (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    status text NOT NULL CONSTRAINT plan_status CHECK (status IN (
        'draft', 'in_consultation', 'agreed_in_part', 'agreed', 'in_force', 'evaluated', 'closed')),
    number int NOT NULL CONSTRAINT plan_number CHECK (number >= 1),
    force_number int,
    drafted_by uuid NOT NULL,
    drafted_at timestamptz NOT NULL,
    CONSTRAINT plan_pk PRIMARY KEY (school, id),
    CONSTRAINT plan_force CHECK (force_number <= number)
);
COMMENT ON COLUMN plan.version IS 'Of the row: every answer moves it, so that of two at once the second sees the first';
COMMENT ON COLUMN plan.number IS 'The newest version of the text; force_number: the one in force, if any';
CREATE INDEX plan_about ON plan (school, about, id DESC);
CREATE UNIQUE INDEX plan_in_force ON plan (school, about) WHERE status IN ('in_force', 'evaluated');

CREATE TABLE plan_text (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    plan uuid NOT NULL,
    number int NOT NULL,
    outlook text NOT NULL,
    items jsonb NOT NULL,
    salt text NOT NULL,
    hash text NOT NULL,
    why text,
    written_by uuid NOT NULL,
    written_at timestamptz NOT NULL,
    CONSTRAINT plan_text_pk PRIMARY KEY (school, id),
    CONSTRAINT plan_text_once UNIQUE (school, plan, number),
    CONSTRAINT plan_text_plan FOREIGN KEY (school, plan) REFERENCES plan (school, id)
);
CREATE INDEX plan_text_about ON plan_text (school, about);
COMMENT ON TABLE plan_text IS 'A version of a plan as it was written. items with salt are the action part, whose SHA-256 hash is; nothing is changed ever';

CREATE TABLE plan_step (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    plan uuid NOT NULL,
    number int NOT NULL,
    status text NOT NULL,
    reason text,
    taken_by uuid NOT NULL,
    taken_at timestamptz NOT NULL,
    CONSTRAINT plan_step_pk PRIMARY KEY (school, id),
    CONSTRAINT plan_step_plan FOREIGN KEY (school, plan) REFERENCES plan (school, id)
);
CREATE INDEX plan_step_about ON plan_step (school, about);
CREATE INDEX plan_step_of ON plan_step (school, plan, id);

CREATE TABLE disagreement (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    plan uuid NOT NULL,
    number int NOT NULL,
    holder uuid NOT NULL,
    reason text NOT NULL,
    noted_at timestamptz NOT NULL,
    CONSTRAINT disagreement_pk PRIMARY KEY (school, id),
    CONSTRAINT disagreement_plan FOREIGN KEY (school, plan) REFERENCES plan (school, id)
);
CREATE INDEX disagreement_about ON disagreement (school, about);
CREATE INDEX disagreement_of ON disagreement (school, plan, id);

CREATE TABLE disagreement_remedy (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    disagreement uuid NOT NULL,
    remedy text NOT NULL CONSTRAINT remedy_kind CHECK (remedy IN ('conversation', 'mediation', 'disputes_committee')),
    note text NOT NULL,
    taken_by uuid NOT NULL,
    taken_at timestamptz NOT NULL,
    CONSTRAINT disagreement_remedy_pk PRIMARY KEY (school, id),
    CONSTRAINT remedy_disagreement FOREIGN KEY (school, disagreement) REFERENCES disagreement (school, id)
);
CREATE INDEX disagreement_remedy_about ON disagreement_remedy (school, about);
CREATE INDEX disagreement_remedy_of ON disagreement_remedy (school, disagreement, id);

CREATE TABLE plan_answer (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    plan uuid NOT NULL,
    number int NOT NULL,
    hash text NOT NULL,
    item uuid NOT NULL,
    item_hash text NOT NULL,
    holder uuid NOT NULL,
    capacity text NOT NULL,
    agreed boolean NOT NULL,
    disagreement uuid,
    answered_at timestamptz NOT NULL,
    CONSTRAINT plan_answer_pk PRIMARY KEY (school, id),
    CONSTRAINT plan_answer_plan FOREIGN KEY (school, plan) REFERENCES plan (school, id)
);
CREATE INDEX plan_answer_about ON plan_answer (school, about);
COMMENT ON TABLE plan_answer IS 'What a holder said to one item of one version: the hashes bind it to the exact text. The newest of a holder counts, while the item stays as it is';
CREATE INDEX plan_answer_of ON plan_answer (school, plan, holder, item, item_hash, id DESC);

CREATE TABLE plan_seen (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    plan uuid NOT NULL,
    number int NOT NULL,
    hash text NOT NULL,
    member uuid NOT NULL,
    seen_at timestamptz NOT NULL,
    CONSTRAINT plan_seen_pk PRIMARY KEY (school, id),
    CONSTRAINT plan_seen_once UNIQUE (school, plan, number, member),
    CONSTRAINT plan_seen_plan FOREIGN KEY (school, plan) REFERENCES plan (school, id)
);
CREATE INDEX plan_seen_about ON plan_seen (school, about);
COMMENT ON TABLE plan_seen IS 'Who has seen which version. Never an agreement, never a consent';

-- How the school decides on plans, and who disputes it, as network tells: rows of the projection, never of a command.
CREATE TABLE plan_policy (
    school text NOT NULL,
    id uuid NOT NULL,
    about uuid NOT NULL,
    number int NOT NULL,
    rule text NOT NULL,
    starts_at timestamptz NOT NULL,
    CONSTRAINT plan_policy_pk PRIMARY KEY (school, id)
);
CREATE TABLE plan_dispute (
    school text NOT NULL,
    id uuid NOT NULL,
    about uuid NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    CONSTRAINT plan_dispute_pk PRIMARY KEY (school, id)
);
CREATE INDEX plan_dispute_about ON plan_dispute (school, about);

SELECT tenant_table('plan');
SELECT tenant_table('plan_text');
SELECT tenant_table('plan_step');
SELECT tenant_table('disagreement');
SELECT tenant_table('disagreement_remedy');
SELECT tenant_table('plan_answer');
SELECT tenant_table('plan_seen');
SELECT tenant_policy('plan_policy');
SELECT tenant_policy('plan_dispute');

-- Readers ------------------------------------------------------------------------------------------------------------

-- One version of a plan's text, or NULL.
CREATE FUNCTION plan_text_at(p_school text, p_plan uuid, p_number int) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT to_jsonb(t) - '{school,id,version,about,plan}'::text[] FROM plan_text t
     WHERE t.school = p_school AND t.plan = p_plan AND t.number = p_number
$$;

-- The newest answer of each holder to each wording of each item.
CREATE FUNCTION plan_answers(p_school text, p_plan uuid) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(jsonb_agg(to_jsonb(a) - '{school,id,version,about,plan}'::text[] ORDER BY a.id), '[]')
      FROM (SELECT DISTINCT ON (holder, item, item_hash) * FROM plan_answer
             WHERE school = p_school AND plan = p_plan ORDER BY holder, item, item_hash, id DESC) a
$$;

-- Who may do what to a subject, how the school decides on plans, and which disputes there are about it.
CREATE FUNCTION plan_deciders(p_school text, p_about uuid) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT jsonb_build_object(
        'revision', (SELECT a.version FROM access a WHERE a.school = p_school AND a.id = p_about),
        'grants', coalesce((SELECT jsonb_agg(g) FROM access a, jsonb_each(a.grants) m, jsonb_array_elements(m.value) g
                             WHERE a.school = p_school AND a.id = p_about), '[]'),
        'policies', (SELECT coalesce(jsonb_agg(to_jsonb(p) - '{school,about}'::text[] ORDER BY p.number), '[]')
                       FROM plan_policy p WHERE p.school = p_school),
        'disputes', (SELECT coalesce(jsonb_agg(to_jsonb(d) - '{school,about}'::text[] ORDER BY d.id), '[]')
                       FROM plan_dispute d WHERE d.school = p_school AND d.about = p_about))
$$;

-- For a draft: the subject, the goals that it names, and who is in the network.
CREATE FUNCTION read_plan_subject(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'goals', plan_goals(p_args->>'school', (p_args->>'about')::uuid, p_args->'goals'),
        'deciders', plan_deciders(p_args->>'school', (p_args->>'about')::uuid));
END $$;

CREATE FUNCTION plan_goals(p_school text, p_about uuid, p_goals jsonb) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
               'id', g.id, 'status', g.status, 'statement', g.statement, 'wording', g.wording, 'ladder', g.ladder,
               'target_on', g.target_on)), '[]')
      FROM goal g WHERE g.school = p_school AND g.about = p_about
       AND g.id IN (SELECT x::uuid FROM jsonb_array_elements_text(p_goals) x)
$$;

-- For any command on a plan: all that it may depend on. `seen` is the version that the asker saw, if that is not the newest.
CREATE FUNCTION read_plan_state(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_plan plan;
BEGIN
    SELECT * INTO v_plan FROM plan WHERE school = v_school AND id = (p_args->>'plan')::uuid;
    IF NOT FOUND THEN
        RETURN '{"subjects": []}';
    END IF;
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(v_plan.about),
        'plan', to_jsonb(v_plan) - 'school',
        'text', plan_text_at(v_school, v_plan.id, v_plan.number),
        'force', plan_text_at(v_school, v_plan.id, v_plan.force_number),
        'seen', plan_text_at(v_school, v_plan.id, (p_args->>'number')::int),
        'goals', plan_goals(v_school, v_plan.about, coalesce(p_args->'goals', '[]')),
        'answers', plan_answers(v_school, v_plan.id),
        'other', (SELECT p.id FROM plan p WHERE p.school = v_school AND p.about = v_plan.about AND p.id <> v_plan.id
                     AND p.status IN ('in_force', 'evaluated')),
        'acknowledged', EXISTS (SELECT FROM plan_seen s WHERE s.school = v_school AND s.plan = v_plan.id
                                   AND s.number = v_plan.number AND s.member = (p_args->>'actor')::uuid),
        'disagreement', (SELECT to_jsonb(d) - '{school,reason}'::text[] FROM disagreement d
                          WHERE d.school = v_school AND d.plan = v_plan.id AND d.id = (p_args->>'disagreement')::uuid),
        'deciders', plan_deciders(v_school, v_plan.about));
END $$;

-- For people: a subject's plans, newest first.
CREATE FUNCTION read_plans(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'plans', (SELECT coalesce(jsonb_agg(to_jsonb(p) - '{school,version}'::text[] ORDER BY p.id DESC), '[]')
                    FROM (SELECT * FROM plan p
                           WHERE p.school = p_args->>'school' AND p.about = (p_args->>'about')::uuid
                           ORDER BY p.id DESC LIMIT 50) p));
END $$;

-- For people: one plan with one version of its text (the newest, or `number`) and all that was said of it.
CREATE FUNCTION read_plan(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_state jsonb := read_plan_state(p_args);
    v_school text := p_args->>'school';
    v_plan uuid := (p_args->>'plan')::uuid;
BEGIN
    IF v_state->'plan' IS NULL THEN
        RETURN v_state;
    END IF;
    RETURN v_state || jsonb_build_object(
        'steps', (SELECT coalesce(jsonb_agg(to_jsonb(s) - '{school,id,version,about,plan}'::text[] ORDER BY s.id), '[]')
                    FROM (SELECT * FROM plan_step s WHERE s.school = v_school AND s.plan = v_plan
                           ORDER BY s.id DESC LIMIT 50) s),
        'seen_by', (SELECT coalesce(jsonb_agg(jsonb_build_object('member', s.member, 'number', s.number, 'at', s.seen_at)
                                              ORDER BY s.seen_at), '[]')
                      FROM plan_seen s WHERE s.school = v_school AND s.plan = v_plan),
        'disagreements', (
            SELECT coalesce(jsonb_agg(to_jsonb(d) - '{school,version,about,plan}'::text[] || jsonb_build_object(
                       'remedies', (SELECT coalesce(jsonb_agg(to_jsonb(r) - '{school,version,about,disagreement}'::text[]
                                                              ORDER BY r.id), '[]')
                                      FROM disagreement_remedy r WHERE r.school = v_school AND r.disagreement = d.id))
                       ORDER BY d.id), '[]')
              FROM disagreement d WHERE d.school = v_school AND d.plan = v_plan));
END $$;

-- For people: two versions of one plan's text.
CREATE FUNCTION read_plan_versions(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_plan uuid := (p_args->>'plan')::uuid;
BEGIN
    RETURN jsonb_build_object(
        'subjects', (SELECT coalesce(jsonb_agg(p.about), '[]') FROM plan p WHERE p.school = v_school AND p.id = v_plan),
        'before', plan_text_at(v_school, v_plan, (p_args->>'before')::int),
        'after', plan_text_at(v_school, v_plan, (p_args->>'after')::int));
END $$;

-- For people who check: every answer ever given to a plan, with the texts of the versions that they name.
CREATE FUNCTION read_agreements(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_plan uuid := (p_args->>'plan')::uuid;
BEGIN
    RETURN jsonb_build_object(
        'subjects', (SELECT coalesce(jsonb_agg(p.about), '[]') FROM plan p WHERE p.school = v_school AND p.id = v_plan),
        'answers', (SELECT coalesce(jsonb_agg(to_jsonb(a) - '{school,version,about,plan}'::text[] ORDER BY a.id), '[]')
                      FROM (SELECT * FROM plan_answer a WHERE a.school = v_school AND a.plan = v_plan
                             ORDER BY a.id DESC LIMIT 1000) a),
        'texts', (SELECT coalesce(jsonb_agg(jsonb_build_object('number', t.number, 'items', t.items, 'salt', t.salt)
                                            ORDER BY t.number), '[]')
                    FROM plan_text t WHERE t.school = v_school AND t.plan = v_plan
                     AND t.number IN (SELECT a.number FROM plan_answer a WHERE a.school = v_school AND a.plan = v_plan)));
END $$;
