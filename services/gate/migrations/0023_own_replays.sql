-- How much of its own a tool has had let out again, and that of a removed tool's webhook nothing is kept.

CREATE TABLE own_replay (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    numbers bigint NOT NULL,
    since timestamptz NOT NULL,
    CONSTRAINT own_replay_pk PRIMARY KEY (school, id),
    CONSTRAINT own_replay_tool_fk FOREIGN KEY (school, id) REFERENCES tool (school, id)
);
COMMENT ON TABLE own_replay IS 'How many numbers a tool asked for again by itself since then: so many a day, for each is a line';
SELECT tenant_table('own_replay');

CREATE OR REPLACE FUNCTION read_replay(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_tool uuid := (p_args->>'tool')::uuid;
BEGIN
    RETURN jsonb_build_object('subjects', jsonb_build_array(p_args->'about'),
        'outlet', (SELECT to_jsonb(o) - 'school' - 'id' FROM outlet o WHERE o.school = v_school AND o.id = v_tool),
        'asked', (SELECT to_jsonb(r) FROM own_replay r WHERE r.school = v_school AND r.id = v_tool));
END $$;

-- Where its webhook led, what signed, and what its receiver answered go with the tool; its numbers and withdrawals stay.
CREATE FUNCTION forget_webhook() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM webhook WHERE school = NEW.school AND id = NEW.id;
    DELETE FROM receiver WHERE school = NEW.school AND id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER tool_leaves_webhook AFTER UPDATE OF state ON tool FOR EACH ROW
    WHEN (NEW.state = 'removed') EXECUTE FUNCTION forget_webhook();

-- The same, and what those who were removed before left behind, or was set just while they were.
CREATE OR REPLACE FUNCTION forget_told(p_school text, p_most int) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_count bigint;
BEGIN
    PERFORM set_config('app.school', p_school, true);
    DELETE FROM webhook w USING tool t
     WHERE w.school = p_school AND t.school = p_school AND t.id = w.id AND t.state = 'removed';
    DELETE FROM receiver r USING tool t
     WHERE r.school = p_school AND t.school = p_school AND t.id = r.id AND t.state = 'removed';
    DELETE FROM pseudonym p
     WHERE p.ctid IN (SELECT q.ctid FROM tool t JOIN pseudonym q ON q.school = t.school AND q.tool = t.id
                       WHERE t.school = p_school AND t.state = 'removed' LIMIT p_most);
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;
