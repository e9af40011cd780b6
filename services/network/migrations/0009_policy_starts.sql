-- The stricter policies of a school that were set for a later day, whose day has come, and of which no withdrawal is told yet.
CREATE FUNCTION list_started(p_school text) RETURNS uuid[] LANGUAGE sql VOLATILE AS $$
    SELECT ARRAY(SELECT p.id FROM policy_version p
                  WHERE p.school = p_school AND p.rule = 'all_holders' AND p.starts_at <= domain_now()
                    AND NOT EXISTS (SELECT FROM policy_version l
                                     WHERE l.school = p.school AND l.decision = p.decision AND l.starts_at <= domain_now()
                                       AND (l.starts_at, l.number) > (p.starts_at, p.number))
                    AND NOT EXISTS (SELECT FROM withdrawal w
                                     WHERE w.school = p.school AND w.subject = (
                                               SELECT s.id FROM school_profile s WHERE s.school = p_school)
                                       AND w.thing = p.id)
                  ORDER BY p.id)
$$;

-- squawk-ignore renaming-object
ALTER FUNCTION read_waiting(jsonb) RENAME TO read_waiting_children;
CREATE FUNCTION read_waiting(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN read_waiting_children(p_args) || jsonb_build_object('started', to_jsonb(list_started(p_args->>'school')));
END $$;
