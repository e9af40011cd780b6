-- Notices that wait for an answer and whose member is to be reminded now, the longest waiting first, with what it takes to
-- decide how: the grants on their subject, what the member wants, how the school has adjusted the rule.

CREATE FUNCTION read_reminders(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_now timestamptz := clock_timestamp() + (SELECT shift FROM time_shift);
BEGIN
    RETURN jsonb_build_object(
        'subjects', '[]'::jsonb,
        'days_off', (SELECT y.years FROM days_off y WHERE y.school = v_school LIMIT 1),
        'due', (SELECT coalesce(jsonb_agg(jsonb_build_object(
                    'notice', to_jsonb(n),
                    'channels', (SELECT coalesce(jsonb_agg(DISTINCT d.channel), '[]') FROM delivery d
                                  WHERE d.school = v_school AND d.notice = n.id),
                    'preference', (SELECT p.settings FROM preference p WHERE p.school = v_school AND p.id = n.member),
                    'rule', (SELECT to_jsonb(r) FROM notice_rule r
                              WHERE r.school = v_school AND r.kind = n.kind ORDER BY r.number DESC LIMIT 1),
                    'grants', (SELECT coalesce(jsonb_agg(g), '[]')
                                 FROM access a, jsonb_each(a.grants) e, jsonb_array_elements(e.value) g
                                WHERE a.school = v_school AND a.id = n.about AND NOT reviewing(v_school, n.about)))
                    ORDER BY n.remind_at, n.id), '[]')
                  FROM (SELECT x.* FROM notice x WHERE x.school = v_school AND x.remind_at <= v_now
                         ORDER BY x.remind_at LIMIT (p_args->>'page')::int) n));
END $$;

-- Folds into each of these, the newest of its member and fold, what is older and unread: it is shown in their place, and
-- what of it has not left does not leave. Looked up one by one, by the index, however small the table was when this was
-- planned. Returns the deliveries that were stopped.
CREATE FUNCTION fold_notices(p_school text, p_ids uuid[], p_members uuid[], p_folds text[])
RETURNS TABLE (notice uuid, channel text, tries int, member uuid, about uuid, kind text)
LANGUAGE plpgsql VOLATILE SET enable_seqscan = off AS $$
DECLARE
    v_older notice;
    v_count int;
BEGIN
    FOR i IN 1 .. cardinality(p_ids) LOOP
        v_count := 0;
        FOR v_older IN
            UPDATE notice n SET folded_into = p_ids[i], version = n.version + 1, remind_at = NULL
             WHERE n.school = p_school AND n.member = p_members[i] AND n.fold = p_folds[i] AND n.state = 'unread'
               AND n.folded_into IS NULL AND n.id <> p_ids[i]
            RETURNING n.*
        LOOP
            v_count := v_count + 1 + v_older.folds;
            RETURN QUERY
                UPDATE delivery d SET state = 'cancelled', code = 'folded', version = d.version + 1
                 WHERE d.school = p_school AND d.notice = v_older.id AND d.state IN ('held', 'queued')
                RETURNING d.notice, d.channel, d.tries, v_older.member, v_older.about, v_older.kind;
        END LOOP;
        IF v_count > 0 THEN
            UPDATE notice n SET folds = n.folds + v_count, version = n.version + 1 WHERE n.school = p_school AND n.id = p_ids[i];
        END IF;
    END LOOP;
END $$;

-- What is about a child is found by the child.
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX notice_thing;

-- An event that more are told of than one transaction can take: whom it was told to so far, by member id.
CREATE TABLE telling (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    about uuid NOT NULL,
    event text NOT NULL,
    told_to uuid NOT NULL,
    CONSTRAINT telling_pk PRIMARY KEY (school, id)
);
COMMENT ON COLUMN telling.id IS 'The event''s';
SELECT tenant_table('telling');
INSERT INTO erasable VALUES ('child', 'telling', 12, 't.about = $2');
