-- Whom events about a child were not told to: by it the causes that name a person are found when the person is erased.
-- Beside them, because no index on the names in `untold` is used behind the walls: its operators are not leakproof.

CREATE TABLE untold_of (
    school text NOT NULL,
    about uuid NOT NULL,
    member uuid NOT NULL,
    CONSTRAINT untold_of_pk PRIMARY KEY (school, about, member)
);
CREATE INDEX untold_of_member ON untold_of (school, member);
SELECT tenant_policy('untold_of');

-- By triggers, so that what the previous release writes meanwhile is in it too.
CREATE FUNCTION note_untold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO untold_of (school, about, member)
    SELECT DISTINCT c.school, c.about, m.member::uuid FROM noted c CROSS JOIN LATERAL jsonb_object_keys(c.untold) AS m (member)
     ORDER BY 1, 2, 3
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER notice_cause_added AFTER INSERT ON notice_cause REFERENCING NEW TABLE AS noted
    FOR EACH STATEMENT EXECUTE FUNCTION note_untold();
CREATE TRIGGER notice_cause_told_on AFTER UPDATE ON notice_cause REFERENCING NEW TABLE AS noted
    FOR EACH STATEMENT EXECUTE FUNCTION note_untold();

-- Past the walls, which hide every school's rows from the owner too.
ALTER TABLE notice_cause NO FORCE ROW LEVEL SECURITY;
ALTER TABLE untold_of NO FORCE ROW LEVEL SECURITY;
INSERT INTO untold_of (school, about, member)
SELECT DISTINCT c.school, c.about, m.member::uuid FROM notice_cause c CROSS JOIN LATERAL jsonb_object_keys(c.untold) AS m (member)
ON CONFLICT DO NOTHING;
ALTER TABLE notice_cause FORCE ROW LEVEL SECURITY;
ALTER TABLE untold_of FORCE ROW LEVEL SECURITY;

UPDATE erasable SET condition =
    't.about = ANY (ARRAY(SELECT u.about FROM untold_of u WHERE u.school = $1 AND u.member = $2)) AND t.untold ? $2::text'
 WHERE kind = 'person' AND name = 'notice_cause';
INSERT INTO erasable VALUES
    ('child', 'untold_of', 13, 't.about = $2 OR t.member = $2'),
    ('person', 'untold_of', 13, 't.member = $2');
