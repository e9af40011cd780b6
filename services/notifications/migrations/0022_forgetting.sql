-- An erased person's codes go out of the 5,000 newest events that name them. Of somebody who was round very many, the rows of
-- older ones go whole, as all did before: to write each anew would outlast the one transaction that an erasure is.

CREATE OR REPLACE FUNCTION forget_untold() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_old timestamptz;
BEGIN
    SELECT c.occurred_at INTO v_old
      FROM notice_cause c JOIN forgotten f ON f.school = c.school AND f.about = c.about AND c.untold ? f.member::text
     ORDER BY c.occurred_at DESC OFFSET 5000 LIMIT 1;
    IF v_old IS NOT NULL THEN
        DELETE FROM notice_cause c USING forgotten f
         WHERE c.school = f.school AND c.about = f.about AND c.untold ? f.member::text AND c.occurred_at <= v_old;
    END IF;
    UPDATE notice_cause c SET untold = c.untold - g.members, version = c.version + 1
      FROM (SELECT school, about, array_agg(member::text) AS members FROM forgotten GROUP BY 1, 2) g
     WHERE c.school = g.school AND c.about = g.about AND c.untold ?| g.members;
    RETURN NULL;
END $$;

-- As before, but for what forgetting writes: it names nobody new.
CREATE OR REPLACE FUNCTION note_untold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    INSERT INTO untold_of (school, about, member)
    SELECT DISTINCT c.school, c.about, m.member::uuid FROM noted c CROSS JOIN LATERAL jsonb_object_keys(c.untold) AS m (member)
     ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
