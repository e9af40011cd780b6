-- A restored database takes back what became of its tools: without that, what was paused or removed is let out to again.

-- Rows are {tool, state} or {tool, webhook: true}, in the order in which it happened. Of a webhook that was set, or whose key
-- was replaced, the journal knows neither where it leads nor the key: nothing goes until it is set anew.
CREATE FUNCTION take_back_states(p_school text, p_rows jsonb) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    r jsonb;
BEGIN
    FOR r IN SELECT x FROM jsonb_array_elements(p_rows) x LOOP
        IF r ? 'webhook' THEN
            DELETE FROM webhook WHERE school = p_school AND id = (r->>'tool')::uuid;
        ELSE
            UPDATE tool
               SET state = r->>'state', version = version + 1, secret = coalesce(r->>'secret', secret)
             WHERE school = p_school AND id = (r->>'tool')::uuid AND state <> 'removed';
        END IF;
    END LOOP;
END $$;
