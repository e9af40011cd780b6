-- What is withheld of a child from one of its guardians, by a court's ruling or in the child's interest. Why stays on paper.
CREATE TABLE withholding (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    child uuid NOT NULL,
    guardian uuid NOT NULL,
    source text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    CONSTRAINT withholding_pk PRIMARY KEY (school, id),
    CONSTRAINT withholding_child FOREIGN KEY (school, child) REFERENCES child (school, id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX withholding_child ON withholding (school, child);
SELECT tenant_table('withholding');
INSERT INTO erasable VALUES ('child', 'withholding', 14, 't.child = $2');

-- What a child's grants follow from gains it: read in a statement of its own, before nothing that it could undo.
-- squawk-ignore renaming-object
ALTER FUNCTION child_facts(text, uuid[]) RENAME TO child_safeguard_facts;
CREATE FUNCTION child_facts(p_school text, p_children uuid[]) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_facts jsonb := child_safeguard_facts(p_school, p_children);
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(f || jsonb_build_object('withheld', coalesce((
                   SELECT jsonb_agg(to_jsonb(w) - ARRAY['school', 'child'] ORDER BY w.id) FROM withholding w
                    WHERE w.school = p_school AND w.child = (f->>'id')::uuid), '[]'))), '[]')
          FROM jsonb_array_elements(v_facts) f);
END $$;

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX authority_holder ON authority (school, holder);
-- As in 0007, with the children over whom the asking person has authority, whether they take part or not.
CREATE OR REPLACE FUNCTION read_children(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_own uuid[] := ARRAY(SELECT DISTINCT m.subject FROM membership m JOIN child c ON c.school = m.school AND c.id = m.subject
                           WHERE m.school = v_school AND m.person = (p_args->>'actor')::uuid
                             AND (m.ends_at IS NULL OR m.ends_at > clock_timestamp()) LIMIT 400);
    v_held uuid[] := ARRAY(SELECT DISTINCT a.child FROM authority a
                            WHERE a.school = v_school AND a.holder = (p_args->>'actor')::uuid
                              AND (a.ends_at IS NULL OR a.ends_at > clock_timestamp()) LIMIT 100);
    v_subject uuid := (SELECT s.id FROM school_profile s WHERE s.school = v_school);
BEGIN
    RETURN jsonb_build_object(
        'subjects', to_jsonb(array_remove(v_own || v_held || v_subject, NULL)),
        'held', to_jsonb(v_held),
        'school', jsonb_build_object('id', v_subject),
        'children', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', p.id, 'sourced_id', p.sourced_id,
                            'given_name', p.given_name, 'family_name', p.family_name) ORDER BY p.id), '[]')
                       FROM person p WHERE p.school = v_school AND p.id IN (
                            SELECT c.id FROM child c
                             WHERE c.school = v_school AND ((p_args->>'everyone')::boolean OR c.id = ANY (v_own || v_held))
                               AND c.id > coalesce((p_args->>'after')::uuid, '00000000-0000-0000-0000-000000000000')
                               AND NOT EXISTS (SELECT FROM erased e WHERE e.school = v_school AND e.id = c.id)
                             ORDER BY c.id LIMIT 500)));
END $$;
