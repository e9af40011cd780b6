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
    school_year int,
    counted int NOT NULL DEFAULT 0,
    CONSTRAINT plan_clock_pk PRIMARY KEY (school, id),
    CONSTRAINT plan_clock_plan FOREIGN KEY (school, plan) REFERENCES plan (school, id)
);
COMMENT ON COLUMN plan_clock.next_on IS 'The day on which there is something to tell next, in Europe/Amsterdam; NULL: it stands still';
COMMENT ON COLUMN plan_clock.concerns IS 'Of an action, who should see to it; else empty: whoever sees to the plan then';
COMMENT ON COLUMN plan_clock.school_year IS 'Of an evaluation: the school year in which it is due, by the year in which that ends';
COMMENT ON COLUMN plan_clock.counted IS 'By which version of the school''s calendar its days are; an older one is counted anew before it tells anything';
CREATE INDEX plan_clock_next ON plan_clock (school, next_on, id) WHERE next_on IS NOT NULL;
CREATE INDEX plan_clock_about ON plan_clock (school, about);

SELECT tenant_table('plan_clock');

-- A school's years and holidays, in one row: its id is the school's own subject.
CREATE TABLE school_calendar (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    years jsonb NOT NULL,
    CONSTRAINT school_calendar_pk PRIMARY KEY (school, id)
);
COMMENT ON COLUMN school_calendar.years IS 'By the year in which each ends: starts_on, ends_on, holidays [{name, first_on, last_on}], who set it and when';
SELECT tenant_table('school_calendar');

CREATE FUNCTION school_calendar_of(p_school text) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT jsonb_build_object('version', c.version, 'years', c.years) FROM school_calendar c WHERE c.school = p_school
$$;

CREATE FUNCTION calendar_version(p_school text) RETURNS int LANGUAGE sql VOLATILE AS
$$ SELECT coalesce((SELECT c.version FROM school_calendar c WHERE c.school = p_school), 0) $$;

CREATE FUNCTION read_calendar(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'), 'calendar', school_calendar_of(p_args->>'school'));
END $$;

CREATE FUNCTION domain_today() RETURNS date LANGUAGE sql VOLATILE AS
$$ SELECT ((clock_timestamp() + shift) AT TIME ZONE 'Europe/Amsterdam')::date FROM time_shift $$;

CREATE FUNCTION list_clocks(p_school text, p_page int) RETURNS uuid[] LANGUAGE sql VOLATILE AS $$
    SELECT ARRAY(SELECT c.id FROM plan_clock c
                  WHERE c.school = p_school AND c.next_on <= (SELECT domain_today())
                    AND c.counted = (SELECT calendar_version(p_school)) ORDER BY c.next_on, c.id LIMIT p_page)
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
    RETURN v_state || jsonb_build_object('calendar', school_calendar_of(p_args->>'school'), 'clocks', plan_clocks(
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
