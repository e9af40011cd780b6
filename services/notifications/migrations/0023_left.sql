-- Who sets preferences sees what was left beside them: a mail that is stopped does not come, whatever is set.

CREATE OR REPLACE FUNCTION read_preference(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', '[]'::jsonb,
        'hours', school_hours_now(p_args->>'school'),
        'stops', (SELECT coalesce(jsonb_object_agg(s.channel, s.code), '{}') FROM address_stop s
                   WHERE s.school = p_args->>'school' AND s.member = (p_args->>'actor')::uuid AND s.digest IS NULL),
        'preference', (SELECT to_jsonb(p) FROM preference p
                        WHERE p.school = p_args->>'school' AND p.id = (p_args->>'actor')::uuid));
END $$;
