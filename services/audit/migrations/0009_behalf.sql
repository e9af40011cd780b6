-- Who asks on somebody's behalf gets what that person gets: the rules of a child's family look at both.
CREATE FUNCTION is_family(p_school text, p_child uuid, p_args jsonb) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN family_of(p_school, p_child, (p_args->>'actor')::uuid)
        OR (p_args->>'behalf' IS NOT NULL AND family_of(p_school, p_child, (p_args->>'behalf')::uuid));
END $$;

-- As in 0006.
CREATE OR REPLACE FUNCTION kept_from(p_args jsonb) RETURNS uuid[] LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT coalesce(array_agg(r.child), '{}') FROM (
        SELECT DISTINCT child FROM restriction WHERE school = p_args->>'school') r
         WHERE p_args->>'purpose' = 'own_data' OR is_family(p_args->>'school', r.child, p_args));
END $$;

-- As in 0001.
CREATE OR REPLACE FUNCTION may_be_proven(p_args jsonb, p_idx bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_reader uuid := coalesce((p_args->>'behalf')::uuid, (p_args->>'actor')::uuid);
BEGIN
    RETURN NOT EXISTS (
        SELECT FROM line l
         WHERE l.school = v_school AND l.idx = p_idx
           AND (p_args->>'purpose' = 'own_data' OR is_family(v_school, l.about, p_args))
           AND (line_held_back(v_school, p_idx)
                OR (l.look AND (anothers_look(v_school, l.about, l.actor, l.role, v_reader)
                                OR tells_too_much(l.category, l.actor, v_reader)))));
END $$;

-- As in 0007.
CREATE OR REPLACE FUNCTION has_child_here(p_args jsonb) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM line
         WHERE school = p_args->>'school' AND type = 'nl.samenkracht.network.member.added.v1'
           AND ((event::jsonb)->'data'->'fact'->>'role') IN ('guardian', 'child')
           AND ((event::jsonb)->'data'->'fact'->>'member') IN (p_args->>'actor', p_args->>'behalf'));
END $$;
