-- Which key of its slot signed a tool's login: the slot is live by that key alone, so that what was there before is cut.

ALTER TABLE tool_login ADD COLUMN key int NOT NULL DEFAULT 0;
ALTER TABLE tool_login ADD COLUMN ends timestamptz[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN tool_login.key IS 'Counted from 0';
COMMENT ON COLUMN tool_login.ends IS 'Of each key, until when the last login is good that it signed: before that it signs for no other';
SELECT tenant_table('tool_login');

-- The same as list_tools, for what the slots are to be. No login.
CREATE POLICY owner_lists ON tool_login FOR SELECT TO {owner} USING (true);
CREATE FUNCTION list_slots() RETURNS TABLE (school text, account text, state text, key int)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT t.school, t.account, t.state, coalesce(l.key, 0)
      FROM tool t LEFT JOIN tool_login l ON l.school = t.school AND l.id = t.id WHERE t.account IS NOT NULL
$$;

-- Has the logins of a lost tail of the journal count again, in their order: what each of them replaced acts no more.
CREATE FUNCTION take_back_logins(p_school text, p_rows jsonb) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    r jsonb;
BEGIN
    FOR r IN SELECT x FROM jsonb_array_elements(p_rows) x LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM tool WHERE school = p_school AND id = (r->>'tool')::uuid);
        INSERT INTO tool_login AS l (school, id, version, login, issued_at, expires_at, key)
        VALUES (p_school, (r->>'tool')::uuid, 1, r->>'login', (r->>'issued_at')::timestamptz, (r->>'expires_at')::timestamptz,
                (r->>'key')::int)
        ON CONFLICT (school, id) DO UPDATE
           SET version = l.version + 1, login = excluded.login, issued_at = excluded.issued_at,
               expires_at = excluded.expires_at, key = excluded.key;
        UPDATE tool_login SET ends[key + 1] = expires_at WHERE school = p_school AND id = (r->>'tool')::uuid;
    END LOOP;
END $$;
