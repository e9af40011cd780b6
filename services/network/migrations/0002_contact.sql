-- A member's address, with the grants on the subject that it is asked about and the revision that they are of: one
-- statement reads both, so the commit's re-check is of the grants that were looked at.
CREATE OR REPLACE FUNCTION read_contact(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_revision int;
    v_grants jsonb;
BEGIN
    SELECT a.version, a.grants->(p_args->>'member') INTO v_revision, v_grants FROM access a
     WHERE a.school = p_args->>'school' AND a.id = (p_args->>'about')::uuid;
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->>'about'),
        'revision', v_revision,
        'grants', coalesce(v_grants, '[]'),
        'email', (SELECT p.email FROM person p
                   WHERE p.school = p_args->>'school' AND p.id = (p_args->>'member')::uuid));
END $$;
