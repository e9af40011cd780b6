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
