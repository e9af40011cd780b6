-- A digest is one mail a period, however much there is; and who unsubscribes leaves the ordinary mails, or all.

-- One delivery with its notice, for whoever claims or settles it; those that go with it as one message (`parts`, up to 200;
-- `more`: there are others, which the message only says; `went`: a message has told some of them already); where its member
-- may be reached through its channel; and what its member wants.
CREATE OR REPLACE FUNCTION read_delivery(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_one delivery;
    v_notice notice;
    v_parts jsonb;
    v_more boolean := false;
    v_went boolean := false;
BEGIN
    SELECT * INTO v_one FROM delivery d WHERE d.school = v_school AND d.id = (p_args->>'delivery')::uuid;
    SELECT * INTO v_notice FROM notice n WHERE n.school = v_school AND n.id = v_one.notice;
    IF v_notice.id IS NULL THEN
        RETURN '{"subjects": []}';
    END IF;
    IF v_one.bundle IS NOT NULL THEN
        SELECT jsonb_agg(jsonb_build_object('notice', to_jsonb(n), 'delivery', to_jsonb(d)) ORDER BY n.occurred_at, n.id)
          INTO v_parts
          FROM (SELECT * FROM delivery b WHERE b.school = v_school AND b.bundle = v_one.bundle AND b.state <> 'held'
                 ORDER BY (b.state IN ('queued', 'deferred', 'claimed')) DESC, b.id LIMIT 200) d
          JOIN notice n ON n.school = d.school AND n.id = d.notice;
        SELECT count(*) > 200 INTO v_more
          FROM (SELECT FROM delivery b WHERE b.school = v_school AND b.bundle = v_one.bundle
                   AND b.state IN ('queued', 'deferred', 'claimed') LIMIT 201) o;
        v_went := EXISTS (SELECT FROM delivery b WHERE b.school = v_school AND b.bundle = v_one.bundle AND b.state IN ('sent', 'failed'));
    END IF;
    RETURN jsonb_build_object(
        'subjects', coalesce((SELECT jsonb_agg(DISTINCT p->'notice'->'about') FROM jsonb_array_elements(v_parts) p),
                             jsonb_build_array(v_notice.about)),
        'notice', to_jsonb(v_notice),
        'delivery', to_jsonb(v_one),
        'parts', v_parts,
        'more', v_more,
        'went', v_went,
        'preference', (SELECT p.settings FROM preference p WHERE p.school = v_school AND p.id = v_notice.member),
        'days_off', (SELECT y.years FROM days_off y WHERE y.school = v_school LIMIT 1),
        'addresses', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', a.id, 'target', a.target, 'sealed', o.sealed)
                                                ORDER BY a.added_at DESC), '[]')
                        FROM address a LEFT JOIN outlet o ON o.school = a.school AND o.id = a.outlet
                       WHERE a.school = v_school AND a.member = v_notice.member AND a.channel = v_one.channel
                         AND a.state = 'verified' AND (a.outlet IS NULL OR o.id IS NOT NULL)),
        'stops', (SELECT coalesce(jsonb_agg(jsonb_build_object('salt', s.salt, 'digest', s.digest, 'code', s.code)), '[]')
                    FROM address_stop s
                   WHERE s.school = v_school AND s.member = v_notice.member AND s.channel = v_one.channel));
END $$;

-- Until now who unsubscribed left all mail: what they asked for stays so.
ALTER TABLE address_stop NO FORCE ROW LEVEL SECURITY;
UPDATE address_stop SET code = 'unsubscribed_all' WHERE code = 'unsubscribed' AND channel = 'mail';
ALTER TABLE address_stop FORCE ROW LEVEL SECURITY;

-- A member's own addresses and stops, and who is told when no mail may reach it any more (the grants on the school itself).
CREATE FUNCTION read_leaving(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_found jsonb := read_addresses(p_args);
BEGIN
    RETURN v_found || jsonb_build_object(
        'grants', (SELECT coalesce(jsonb_agg(g), '[]')
                     FROM access x, jsonb_each(x.grants) e, jsonb_array_elements(e.value) g
                    WHERE x.school = p_args->>'school' AND x.id = (p_args->>'about')::uuid));
END $$;
