-- What took access away, until it is known to hold everywhere: written with the change itself, finished by any replica.
CREATE TABLE withdrawal (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    subject uuid NOT NULL,
    thing uuid NOT NULL,
    act jsonb NOT NULL,
    how text,
    effective_at timestamptz,
    CONSTRAINT withdrawal_pk PRIMARY KEY (school, id)
);
COMMENT ON TABLE withdrawal IS 'how: confirmed (every enforcing service applied the new grants) or clock (no older grant can be in use any more); NULL: pending';
CREATE INDEX withdrawal_pending ON withdrawal (school, id) WHERE how IS NULL;
CREATE INDEX withdrawal_thing ON withdrawal (school, thing);
SELECT tenant_table('withdrawal');

-- The pending ones of all schools, each school's oldest first: slugs and ids only. It looks past the walls as {owner}.
CREATE POLICY owner_lists ON withdrawal FOR SELECT TO {owner} USING (true);
CREATE FUNCTION list_pending() RETURNS TABLE (school text, id uuid) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS
$$ SELECT w.school, w.id FROM withdrawal w WHERE w.how IS NULL
    ORDER BY row_number() OVER (PARTITION BY w.school ORDER BY w.id), w.school LIMIT 1000 $$;
