-- What a bounce is about: the notice, all that left in the same message, its member's stops and addresses, and who may be
-- told of it (the grants on the school itself).
CREATE OR REPLACE FUNCTION read_bounce(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_channel text := p_args->>'channel';
BEGIN
    RETURN coalesce(
        (SELECT jsonb_build_object(
            'subjects', jsonb_build_array(p_args->'about'),
            'notice', to_jsonb(n),
            'parts', (SELECT coalesce(jsonb_agg(jsonb_build_object('delivery', to_jsonb(d), 'notice', to_jsonb(m))), '[]')
                        FROM delivery d JOIN notice m ON m.school = d.school AND m.id = d.notice
                       WHERE d.school = v_school AND d.channel = v_channel AND d.state = 'sent'
                         AND (d.notice = n.id OR d.bundle IN (
                              SELECT b.bundle FROM delivery b
                               WHERE b.school = v_school AND b.notice = n.id AND b.channel = v_channel))),
            'stops', (SELECT coalesce(jsonb_agg(to_jsonb(s)), '[]') FROM address_stop s
                       WHERE s.school = v_school AND s.member = n.member AND s.channel = v_channel),
            'addresses', (SELECT coalesce(jsonb_agg(to_jsonb(a)), '[]') FROM address a
                           WHERE a.school = v_school AND a.member = n.member AND a.channel = v_channel),
            'grants', (SELECT coalesce(jsonb_agg(g), '[]')
                         FROM access x, jsonb_each(x.grants) e, jsonb_array_elements(e.value) g
                        WHERE x.school = v_school AND x.id = (p_args->>'about')::uuid))
           FROM notice n WHERE n.school = v_school AND n.id = (p_args->>'notice')::uuid),
        '{"subjects": []}');
END $$;
