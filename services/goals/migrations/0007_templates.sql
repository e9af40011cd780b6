-- Templates of goals, of a school and of its foundation, in versions that never change; and a goal's history.

CREATE TABLE goal_template (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    owner text NOT NULL CONSTRAINT goal_template_owner CHECK (owner IN ('school', 'foundation')),
    state text NOT NULL CONSTRAINT goal_template_state CHECK (state IN ('offered', 'retired')),
    CONSTRAINT goal_template_pk PRIMARY KEY (school, id)
);
COMMENT ON COLUMN goal_template.version IS 'The number of its newest text';

CREATE TABLE goal_template_text (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    template uuid NOT NULL,
    number int NOT NULL,
    domain text NOT NULL,
    title text NOT NULL,
    wording text NOT NULL,
    ladder text[] NOT NULL CONSTRAINT goal_template_ladder CHECK (cardinality(ladder) = 5),
    written_by uuid NOT NULL,
    written_at timestamptz NOT NULL,
    CONSTRAINT goal_template_text_pk PRIMARY KEY (school, id),
    CONSTRAINT goal_template_text_once UNIQUE (school, template, number),
    CONSTRAINT goal_template_text_of FOREIGN KEY (school, template) REFERENCES goal_template (school, id)
);

SELECT tenant_table('goal_template');
SELECT tenant_table('goal_template_text');

-- A template of this school, or NULL; every version of it.
CREATE FUNCTION read_template(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_template uuid := (p_args->>'template')::uuid;
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'template', (SELECT to_jsonb(t) - 'school' FROM goal_template t WHERE t.school = v_school AND t.id = v_template),
        'versions', (SELECT coalesce(jsonb_agg(to_jsonb(x) - '{school,id,version,template}'::text[] ORDER BY x.number), '[]')
                       FROM goal_template_text x WHERE x.school = v_school AND x.template = v_template));
END $$;

-- The newest version of each template that is offered.
CREATE FUNCTION read_templates(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'templates', (
            SELECT coalesce(jsonb_agg(to_jsonb(x) - '{school,id,version,written_by}'::text[]
                                      || jsonb_build_object('owner', t.owner) ORDER BY x.domain, x.title, x.template), '[]')
              FROM (SELECT * FROM goal_template t
                     WHERE t.school = p_args->>'school' AND t.state = 'offered' ORDER BY t.id DESC LIMIT 200) t
              JOIN goal_template_text x ON x.school = t.school AND x.template = t.id AND x.number = t.version));
END $$;

-- For proposing: the subject as asked, which responsible members are not in its network, and whether the template's version is here.
CREATE OR REPLACE FUNCTION read_subject(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'strangers', strangers(p_args->>'school', (p_args->>'about')::uuid, p_args->'responsible'),
        'template', EXISTS (
            SELECT FROM goal_template_text x
             WHERE x.school = p_args->>'school' AND x.template = (p_args->'starts_from'->>'template')::uuid
               AND x.number = (p_args->'starts_from'->>'number')::int));
END $$;

-- Which of these members are not in the subject's network.
CREATE FUNCTION strangers(p_school text, p_about uuid, p_members jsonb) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(jsonb_agg(member), '[]')
      FROM jsonb_array_elements_text(CASE jsonb_typeof(p_members) WHEN 'array' THEN p_members ELSE '[]' END) AS member
     WHERE NOT EXISTS (SELECT FROM access a WHERE a.school = p_school AND a.id = p_about AND a.grants ? member)
$$;

-- The words of a goal that may change.
CREATE FUNCTION goal_words(p_goal goal) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT jsonb_build_object(
        'settings', p_goal.settings, 'statement', p_goal.statement, 'wording', p_goal.wording, 'ladder', p_goal.ladder,
        'baseline', p_goal.baseline, 'target_on', p_goal.target_on, 'responsible', p_goal.responsible,
        'weight', p_goal.weight)
$$;

-- For a step: the goal, and what changed since the version that the asker saw.
CREATE FUNCTION read_goal_to_move(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_state jsonb := read_goal_state(p_args);
BEGIN
    IF v_state->'goal' IS NULL THEN
        RETURN v_state;
    END IF;
    RETURN v_state || jsonb_build_object(
        'since', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                             'version', s.goal_version, 'status', s.status,
                             'fields', coalesce(jsonb_path_query_array(s.changes, '$[*].field'), '[]')) ORDER BY s.goal_version), '[]')
                    FROM (SELECT * FROM goal_step s
                           WHERE s.school = p_args->>'school' AND s.goal = (p_args->>'goal')::uuid
                             AND s.goal_version > (p_args->>'version')::int ORDER BY s.goal_version DESC LIMIT 50) s));
END $$;

-- For a revision: the same, the goal's words, and who is a stranger.
CREATE FUNCTION read_goal_to_revise(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_state jsonb := read_goal_to_move(p_args);
BEGIN
    IF v_state->'goal' IS NULL THEN
        RETURN v_state;
    END IF;
    RETURN v_state || jsonb_build_object(
        'words', (SELECT goal_words(g) FROM goal g
                   WHERE g.school = p_args->>'school' AND g.id = (p_args->>'goal')::uuid),
        'strangers', strangers(p_args->>'school', (v_state->'goal'->>'about')::uuid, p_args->'responsible'));
END $$;

-- For people: one goal and all that became of it.
CREATE FUNCTION read_goal_history(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
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
        'steps', (
            SELECT coalesce(jsonb_agg(to_jsonb(t) - '{school,id,version,goal}'::text[] ORDER BY t.goal_version), '[]')
              FROM (SELECT * FROM goal_step t WHERE t.school = v_goal.school AND t.goal = v_goal.id
                     ORDER BY t.goal_version DESC LIMIT 500) t));
END $$;
