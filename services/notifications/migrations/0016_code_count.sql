-- How many codes were sent for a member lately, whatever became of the addresses: who gives an address, takes it away and
-- gives it again has strangers written to, and telephone messages cost money.
CREATE TABLE code_count (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    codes int NOT NULL,
    since timestamptz NOT NULL,
    CONSTRAINT code_count_pk PRIMARY KEY (school, id)
);
COMMENT ON COLUMN code_count.id IS 'The member';
SELECT tenant_table('code_count');

INSERT INTO erasable VALUES
    ('child', 'code_count', 13, 't.id = $2'),
    ('person', 'code_count', 13, 't.id = $2');

-- A member's own addresses and stops, and how many codes were sent for it; nobody is the subject.
CREATE OR REPLACE FUNCTION read_addresses(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_member uuid := coalesce(p_args->>'member', p_args->>'actor')::uuid;
BEGIN
    RETURN jsonb_build_object(
        'subjects', '[]'::jsonb,
        'addresses', (SELECT coalesce(jsonb_agg(to_jsonb(a) || jsonb_build_object('outlet_name', o.name, 'sealed', o.sealed)
                                                ORDER BY a.id), '[]')
                        FROM address a LEFT JOIN outlet o ON o.school = a.school AND o.id = a.outlet
                       WHERE a.school = v_school AND a.member = v_member),
        'outlets', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', o.id, 'name', o.name) ORDER BY o.name), '[]')
                      FROM outlet o WHERE o.school = v_school),
        'sent', (SELECT to_jsonb(c) FROM code_count c WHERE c.school = v_school AND c.id = v_member),
        'stops', (SELECT coalesce(jsonb_agg(to_jsonb(s) ORDER BY s.id), '[]')
                    FROM address_stop s WHERE s.school = v_school AND s.member = v_member));
END $$;
