-- Days by which something must be done about a plan, and what was told of each: due soon and overdue, once each.

CREATE TABLE plan_clock (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    deadline text NOT NULL CONSTRAINT plan_clock_deadline CHECK (deadline IN ('first_plan', 'evaluation', 'action')),
    plan uuid,
    action uuid,
    due_on date NOT NULL,
    next_on date,
    told text NOT NULL CONSTRAINT plan_clock_told CHECK (told IN ('nothing', 'due_soon', 'overdue')),
    concerns uuid[] NOT NULL,
    CONSTRAINT plan_clock_pk PRIMARY KEY (school, id),
    CONSTRAINT plan_clock_plan FOREIGN KEY (school, plan) REFERENCES plan (school, id)
);
COMMENT ON COLUMN plan_clock.next_on IS 'The day on which there is something to tell next, in Europe/Amsterdam; NULL: it stands still';
COMMENT ON COLUMN plan_clock.concerns IS 'Of an action, who should see to it; else empty: whoever sees to the plan then';
CREATE INDEX plan_clock_next ON plan_clock (school, next_on, id) WHERE next_on IS NOT NULL;
CREATE INDEX plan_clock_about ON plan_clock (school, about);

SELECT tenant_table('plan_clock');

CREATE FUNCTION domain_today() RETURNS date LANGUAGE sql VOLATILE AS
$$ SELECT ((clock_timestamp() + shift) AT TIME ZONE 'Europe/Amsterdam')::date FROM time_shift $$;

CREATE FUNCTION list_clocks(p_school text, p_page int) RETURNS uuid[] LANGUAGE sql VOLATILE AS $$
    SELECT ARRAY(SELECT c.id FROM plan_clock c
                  WHERE c.school = p_school AND c.next_on <= (SELECT domain_today()) ORDER BY c.next_on, c.id LIMIT p_page)
$$;

-- The clocks about a subject that a command on this plan may set or stop.
CREATE FUNCTION plan_clocks(p_school text, p_about uuid, p_plan uuid) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(jsonb_agg(to_jsonb(c) - '{school}'::text[] ORDER BY c.id), '[]') FROM plan_clock c
     WHERE c.school = p_school AND c.about = p_about AND (c.plan IS NULL OR c.plan = p_plan)
$$;

-- For a command that may set or stop clocks: what 0004_voice.sql reads, with them.
CREATE FUNCTION read_plan_with_clocks(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_state jsonb := read_plan_records(p_args);
BEGIN
    IF v_state->'plan' IS NULL THEN
        RETURN v_state;
    END IF;
    RETURN v_state || jsonb_build_object('clocks', plan_clocks(
        p_args->>'school', (v_state->'plan'->>'about')::uuid, (p_args->>'plan')::uuid));
END $$;

-- For the service itself: a page of clocks that have something to tell, and who may do what to whom they are about.
CREATE FUNCTION read_clocks(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_ids uuid[] := list_clocks(v_school, (p_args->>'page')::int);
BEGIN
    RETURN jsonb_build_object(
        'subjects', '[]'::jsonb,
        'clocks', (SELECT coalesce(jsonb_agg(to_jsonb(c) - '{school}'::text[] || jsonb_build_object(
                              'grants', plan_deciders(v_school, c.about)->'grants') ORDER BY c.next_on, c.id), '[]')
                     FROM plan_clock c WHERE c.school = v_school AND c.id = ANY (v_ids)));
END $$;

-- For people: what must be done by when about a subject.
CREATE FUNCTION read_deadlines(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'deadlines', (SELECT coalesce(jsonb_agg(to_jsonb(c) - '{school,version,about}'::text[] ORDER BY c.due_on, c.id), '[]')
                        FROM plan_clock c WHERE c.school = p_args->>'school' AND c.about = (p_args->>'about')::uuid
                         AND (c.next_on IS NOT NULL OR c.told = 'overdue')));
END $$;
