-- Lines that the law lets a school hold back from parents and young people for a while (GDPR article 23, UAVG article 41):
-- asked by one, confirmed by another, ended by itself. Nothing in the log itself changes, and auditors see every line.

CREATE TABLE restriction (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    child uuid NOT NULL,
    state text NOT NULL CONSTRAINT restriction_state CHECK (state IN ('asked', 'declined', 'confirmed', 'lifted')),
    ground text NOT NULL,
    reason text NOT NULL,
    told boolean NOT NULL,
    lines_from timestamptz NOT NULL,
    lines_until timestamptz,
    categories text[] NOT NULL,
    who uuid,
    ends_at timestamptz NOT NULL,
    asked_by uuid NOT NULL,
    asked_operator text,
    asked_at timestamptz NOT NULL,
    decided_by uuid,
    decided_at timestamptz,
    lifted_by uuid,
    lifted_at timestamptz,
    CONSTRAINT restriction_pk PRIMARY KEY (school, id),
    CONSTRAINT restriction_two_people CHECK (state IN ('asked', 'declined') OR decided_by <> asked_by)
);
COMMENT ON COLUMN restriction.reason IS 'Why, in words; nobody but those who decide on it reads them';
COMMENT ON COLUMN restriction.told IS 'Parents and young people are told that lines are held back, unless that would defeat the purpose (GDPR article 23, 2h)';
COMMENT ON COLUMN restriction.lines_from IS 'Lines about what happened from here on, until lines_until; of these categories (none named: all), by this person (null: anyone)';
COMMENT ON COLUMN restriction.asked_operator IS 'Who sat at the command line when it was asked: confirms it under no other name either';
CREATE INDEX restriction_child ON restriction (school, child, id DESC);
SELECT tenant_table('restriction');

INSERT INTO erasable VALUES ('child', 'restriction', 10, 't.child = $2');

-- Whether a line is held back now. Without a category: whether any may be.
CREATE FUNCTION held_back(p_school text, p_child uuid, p_at timestamptz, p_category text, p_actor uuid)
RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM restriction r
         WHERE r.school = p_school AND r.child = p_child AND r.state = 'confirmed'
           AND r.ends_at > (SELECT clock_timestamp() + shift FROM time_shift)
           AND p_at >= r.lines_from AND p_at < coalesce(r.lines_until, 'infinity')
           AND (r.categories = '{}' OR p_category IS NULL OR p_category = ANY (r.categories))
           AND (r.who IS NULL OR p_actor = r.who));
END $$;

-- Of the children on whom there is a restriction, those whose lines this reader does not get: who asks for their own data,
-- and a child's family whatever they ask for.
CREATE FUNCTION kept_from(p_args jsonb) RETURNS uuid[] LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT coalesce(array_agg(r.child), '{}') FROM (
        SELECT DISTINCT child FROM restriction WHERE school = p_args->>'school') r
         WHERE p_args->>'purpose' = 'own_data' OR family_of(p_args->>'school', r.child, (p_args->>'actor')::uuid));
END $$;

-- The same for a line by its number, whatever it is about; what tells of a restriction that may not be told is held back
-- until its end, also of one that was declined or lifted.
CREATE FUNCTION line_held_back(p_school text, p_idx bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM line l
         WHERE l.school = p_school AND l.idx = p_idx
           AND (held_back(p_school, l.about, l.occurred_at, l.category, l.actor)
                OR (l.type LIKE 'nl.samenkracht.audit.restriction.%' AND EXISTS (
                    SELECT FROM restriction r
                     WHERE r.school = p_school AND r.id = l.thing::uuid AND NOT r.told
                       AND r.ends_at > (SELECT clock_timestamp() + shift FROM time_shift)))));
END $$;

-- What is known of restrictions on a child: for who asks for one, and who decides on it.
CREATE FUNCTION read_restriction(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_child uuid := (p_args->>'child')::uuid;
BEGIN
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, v_child),
        'family', family_of(v_school, v_child, (p_args->>'actor')::uuid),
        'erased', EXISTS (SELECT FROM erased e WHERE e.school = v_school AND e.id = v_child),
        'restrictions', coalesce((SELECT jsonb_agg(to_jsonb(r) ORDER BY r.id DESC) FROM restriction r
                                   WHERE r.school = v_school AND r.child = v_child), '[]'));
END $$;

-- Every restriction in the school but those on a child of the reader's own, newest first; `before` is the id of the last one of the page before.
CREATE FUNCTION read_restrictions(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
BEGIN
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, NULL),
        'restrictions', coalesce((SELECT jsonb_agg(to_jsonb(r) - 'asked_operator' ORDER BY r.id DESC) FROM (
            SELECT * FROM restriction
             WHERE school = v_school AND (p_args->>'child' IS NULL OR child = (p_args->>'child')::uuid)
               AND NOT family_of(v_school, child, (p_args->>'actor')::uuid)
               AND (p_args->>'before' IS NULL OR id < (p_args->>'before')::uuid)
             ORDER BY id DESC LIMIT (p_args->>'limit')::int) r), '[]'));
END $$;

-- Of restrictions in force on a child, those that may be told: on what ground, and until when.
CREATE FUNCTION told_restrictions(p_school text, p_child uuid) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object('ground', r.ground, 'ends_at', r.ends_at) ORDER BY r.ends_at), '[]')
      FROM restriction r
     WHERE r.school = p_school AND r.child = p_child AND r.state = 'confirmed' AND r.told
       AND r.ends_at > (SELECT clock_timestamp() + shift FROM time_shift)
$$;
