-- Which ids are tools', which login of a tool may act, which slots were handed out; and what the tools' door reads.

-- Only what network took in as a local tool can be registered as one: any other id would lend a tool a person's grants.
CREATE TABLE tool_member (
    school text NOT NULL,
    id uuid NOT NULL,
    CONSTRAINT tool_member_pk PRIMARY KEY (school, id)
);
COMMENT ON TABLE tool_member IS 'Ids that network told of as members in the role local_tool, which no person has';
SELECT tenant_policy('tool_member');

-- Apart from the tool, so that a renewal makes nobody's version of the tool an old one.
CREATE TABLE tool_login (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    login text NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT tool_login_pk PRIMARY KEY (school, id),
    CONSTRAINT tool_login_tool_fk FOREIGN KEY (school, id) REFERENCES tool (school, id)
);
COMMENT ON COLUMN tool_login.id IS 'The tool''s';
COMMENT ON COLUMN tool_login.login IS 'The public key of the login that may act for the tool: another one asks and renews no more';
SELECT tenant_table('tool_login');

-- A slot serves one tool, ever, of whatever school. The only table that all schools share: random names of accounts.
CREATE TABLE slot_taken (
    account text NOT NULL,
    CONSTRAINT slot_taken_pk PRIMARY KEY (account)
);
REVOKE UPDATE, DELETE, TRUNCATE ON slot_taken FROM {login};

CREATE FUNCTION take_slot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.account IS NOT NULL THEN
        RAISE EXCEPTION 'a tool keeps its slot' USING ERRCODE = 'data_exception';
    END IF;
    INSERT INTO slot_taken (account) VALUES (NEW.account);
    RETURN NEW;
END $$;
CREATE TRIGGER tool_takes_slot BEFORE INSERT ON tool FOR EACH ROW
    WHEN (NEW.account IS NOT NULL) EXECUTE FUNCTION take_slot();
CREATE TRIGGER tool_keeps_slot BEFORE UPDATE ON tool FOR EACH ROW
    WHEN (NEW.account IS DISTINCT FROM OLD.account) EXECUTE FUNCTION take_slot();

-- Every tool that has a slot, across schools: whose door it is, and what is to become of the slot. No label, no secret.
CREATE POLICY owner_lists ON tool FOR SELECT TO {owner} USING (true);
CREATE FUNCTION list_tools()
RETURNS TABLE (school text, id uuid, version int, account text, state text, ended boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT t.school, t.id, t.version, t.account, t.state, coalesce(t.ends_at <= clock_timestamp() + s.shift, false)
      FROM tool t, time_shift s WHERE t.account IS NOT NULL
$$;

-- What the door needs of one request: the tool as it is now, the login that may act for it, and what it was told of the ids
-- that it names, as [theirs, ours, about].
CREATE FUNCTION tool_at_door(p_school text, p_tool uuid, p_ids uuid[]) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('app.school', p_school, true);
    RETURN (
        SELECT jsonb_build_object(
                   'account', t.account, 'secret', t.secret, 'purpose', t.purpose, 'categories', t.categories,
                   'login', l.login,
                   'active', t.state = 'active' AND coalesce(t.ends_at > clock_timestamp() + s.shift, true),
                   'known', coalesce((
                       SELECT jsonb_agg(jsonb_build_array(p.theirs, p.ours, p.about)) FROM pseudonym p
                        WHERE p.school = p_school AND p.tool = p_tool AND p.theirs = ANY (p_ids)), '[]'))
          FROM tool t CROSS JOIN time_shift s LEFT JOIN tool_login l ON l.school = t.school AND l.id = t.id
         WHERE t.school = p_school AND t.id = p_tool);
END $$;

-- Keeps what an answer tells a tool, before it leaves.
CREATE FUNCTION keep_told(p_school text, p_tool uuid, p_abouts uuid[], p_theirs uuid[], p_ours uuid[])
RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('app.school', p_school, true);
    INSERT INTO pseudonym (school, tool, theirs, about, ours)
    SELECT p_school, p_tool, n.theirs, a.about, n.ours
      FROM unnest(p_theirs, p_ours) n (theirs, ours) CROSS JOIN unnest(p_abouts) a (about)
     WHERE NOT EXISTS (SELECT FROM erased e WHERE e.school = p_school AND e.id = a.about)
     ORDER BY 3, 4
    ON CONFLICT DO NOTHING;
END $$;

-- Of a removed tool nothing needs to be understood any more.
CREATE FUNCTION forget_told(p_school text, p_most int) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_count bigint;
BEGIN
    PERFORM set_config('app.school', p_school, true);
    DELETE FROM pseudonym p
     WHERE p.ctid IN (SELECT q.ctid FROM tool t JOIN pseudonym q ON q.school = t.school AND q.tool = t.id
                       WHERE t.school = p_school AND t.state = 'removed' LIMIT p_most);
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;

-- A tool for whoever changes or looks at it; the secret is for nobody. `about` must be the school's own subject.
CREATE FUNCTION tool_shown(t tool) RETURNS jsonb LANGUAGE sql STABLE AS
$$ SELECT to_jsonb(t) - 'secret' - 'school' $$;

CREATE FUNCTION read_tool(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_tool uuid := (p_args->>'tool')::uuid;
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'member', EXISTS (SELECT FROM tool_member m WHERE m.school = v_school AND m.id = v_tool),
        'tool', (SELECT tool_shown(t) FROM tool t WHERE t.school = v_school AND t.id = v_tool),
        'outlet', (SELECT to_jsonb(o) FROM outlet o WHERE o.school = v_school AND o.id = v_tool),
        'login', (SELECT to_jsonb(l) FROM tool_login l WHERE l.school = v_school AND l.id = v_tool));
END $$;

CREATE FUNCTION read_tool_to_register(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN read_tool(p_args) || jsonb_build_object(
        'taken', coalesce((SELECT jsonb_agg(account) FROM slot_taken), '[]'));
END $$;

CREATE FUNCTION read_all_tools(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN jsonb_build_object(
        'subjects', jsonb_build_array(p_args->'about'),
        'tools', coalesce((
            SELECT jsonb_agg(tool_shown(t) || jsonb_build_object('seq', coalesce(o.seq, 0), 'acked', coalesce(o.acked, 0))
                             ORDER BY t.registered_at, t.id)
              FROM tool t LEFT JOIN outlet o ON o.school = t.school AND o.id = t.id
             WHERE t.school = p_args->>'school'
               AND ((p_args->>'removed')::boolean OR t.state <> 'removed')), '[]'));
END $$;
