-- How long what is kept: a school's own terms, in versions, and whose term has ended.

CREATE TABLE retention_version (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    number int NOT NULL,
    class text NOT NULL,
    months int NOT NULL CONSTRAINT retention_version_months CHECK (months BETWEEN 0 AND 240),
    starts_at timestamptz NOT NULL,
    set_by uuid NOT NULL,
    CONSTRAINT retention_version_pk PRIMARY KEY (school, id),
    CONSTRAINT retention_version_number UNIQUE (school, class, number)
);
COMMENT ON TABLE retention_version IS 'Never changed: a new version takes over from its start; where there is none, the default holds';
SELECT tenant_table('retention_version');

CREATE FUNCTION terms_of(p_school text) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(jsonb_agg(to_jsonb(r) - ARRAY['school', 'version', 'set_by'] ORDER BY r.class, r.number), '[]')
      FROM retention_version r WHERE r.school = p_school
$$;

-- A child (if it is there) with all that hangs on it, the school, its erasures and holds.
CREATE FUNCTION read_erasure(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_child uuid := (p_args->>'child')::uuid;
    v_state jsonb := read_invitations(p_args);
BEGIN
    RETURN v_state || jsonb_build_object(
        'terms', terms_of(v_school),
        'subjects', (v_state->'subjects') || jsonb_build_array(v_state->'school'->'id'),
        'erasures', (SELECT coalesce(jsonb_agg(to_jsonb(e) - ARRAY['school', 'around', 'gone'] ORDER BY e.id), '[]') FROM erasure e
                      WHERE e.school = v_school AND e.child = v_child AND e.state <> 'declined'),
        'holds', (SELECT coalesce(jsonb_agg(to_jsonb(h) - 'school' ORDER BY h.id), '[]') FROM legal_hold h
                   WHERE h.school = v_school AND h.child = v_child));
END $$;

-- Children who left, the longest ago first, who are not erased: p_page of those who left before p_before.
CREATE FUNCTION list_left(p_school text, p_before timestamptz, p_after uuid, p_page int)
RETURNS TABLE (child uuid, left_at timestamptz) LANGUAGE sql VOLATILE AS $$
    SELECT m.subject, max(m.ends_at) FROM membership m
     WHERE m.school = p_school AND m.role = 'child' AND m.subject = m.person
       AND m.subject > coalesce(p_after, '00000000-0000-0000-0000-000000000000')
       AND NOT EXISTS (SELECT FROM erased e WHERE e.school = p_school AND e.id = m.subject)
     GROUP BY m.subject
    HAVING bool_and(m.ends_at IS NOT NULL AND m.ends_at <= domain_now()) AND max(m.ends_at) < p_before
     ORDER BY m.subject LIMIT p_page
$$;

-- The school's terms and, a page by id, the children who left before `before`, with what stands in their erasure's way.
CREATE FUNCTION read_retention(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
BEGIN
    RETURN read_school(p_args) || jsonb_build_object(
        'terms', terms_of(v_school),
        'left', (SELECT coalesce(jsonb_agg(to_jsonb(l) || jsonb_build_object(
                    'holds', (SELECT coalesce(jsonb_agg(to_jsonb(h) - 'school'), '[]') FROM legal_hold h
                               WHERE h.school = v_school AND h.child = l.child),
                    'erasure', (SELECT jsonb_build_object('id', e.id, 'version', e.version, 'state', e.state) FROM erasure e
                                 WHERE e.school = v_school AND e.child = l.child AND e.state <> 'declined'))
                    ORDER BY l.child), '[]')
                   FROM list_left(v_school, domain_now(), (p_args->>'after')::uuid, 200) l
                  WHERE p_args ? 'within_days'));
END $$;
