-- The log judges the platform: what of the log a line is weighed against, what was found, and how far the judge has come.

CREATE TABLE finding (
    school text NOT NULL,
    idx bigint NOT NULL,
    code text NOT NULL,
    part text NOT NULL,
    says jsonb NOT NULL,
    shows jsonb NOT NULL,
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT finding_pk PRIMARY KEY (school, idx, code, part)
);
COMMENT ON TABLE finding IS 'A line that was not allowed, or not on the basis it claims. Never changed: kept once, however often it is judged';
COMMENT ON COLUMN finding.part IS 'The grant that a finding on a published set is about; empty for all others';
CREATE TABLE judge_position (
    school text NOT NULL,
    idx bigint NOT NULL,
    CONSTRAINT judge_position_pk PRIMARY KEY (school)
);
COMMENT ON TABLE judge_position IS 'The first line that is not judged yet';
SELECT tenant_policy('finding');
SELECT tenant_policy('judge_position');
REVOKE UPDATE, DELETE, TRUNCATE ON finding FROM {login};
REVOKE DELETE, TRUNCATE ON judge_position FROM {login};
CREATE TRIGGER finding_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON finding FOR EACH STATEMENT EXECUTE FUNCTION keep_log();
ALTER TABLE finding ENABLE ALWAYS TRIGGER finding_kept;

-- What network told that lines are judged by, and what notices left on. The types are those of facts.py and judging.py.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX line_judged ON line (school, about, type, seq) WHERE type IN (
    'nl.samenkracht.network.access.changed.v1',
    'nl.samenkracht.network.withdrawal.effective.v1',
    'nl.samenkracht.notifications.notice.claimed.v1',
    'nl.samenkracht.network.member.added.v1',
    'nl.samenkracht.network.membership.changed.v1',
    'nl.samenkracht.network.membership.ended.v1',
    'nl.samenkracht.network.membership.suspended.v1',
    'nl.samenkracht.network.membership.resumed.v1',
    'nl.samenkracht.network.authority.recorded.v1',
    'nl.samenkracht.network.authority.ended.v1',
    'nl.samenkracht.network.consent.asked.v1',
    'nl.samenkracht.network.consent.given.v1',
    'nl.samenkracht.network.consent.refused.v1',
    'nl.samenkracht.network.consent.withdrawn.v1',
    'nl.samenkracht.network.consent.settled.v1',
    'nl.samenkracht.network.consent.ended.v1',
    'nl.samenkracht.network.emergency.started.v1',
    'nl.samenkracht.network.emergency.ended.v1',
    'nl.samenkracht.network.emergency.reviewed.v1',
    'nl.samenkracht.network.dispute.noted.v1',
    'nl.samenkracht.network.dispute.settled.v1',
    'nl.samenkracht.network.policy.set.v1');
-- The school's emergencies, whichever child: few.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX line_emergencies ON line (school, seq) WHERE type IN (
    'nl.samenkracht.network.emergency.started.v1', 'nl.samenkracht.network.emergency.reviewed.v1');

-- The number of the newest set of a subject's grants at or before a number of network; null: there was none.
CREATE FUNCTION set_at(p_school text, p_subject uuid, p_seq bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT seq FROM line
     WHERE school = p_school AND about = p_subject AND type = 'nl.samenkracht.network.access.changed.v1' AND seq <= p_seq
     ORDER BY seq DESC LIMIT 1
$$;

-- A page of lines with all that the log holds to judge them by: sets of grants at their positions and where withdrawals
-- reach, the withdrawals that were effective when they were committed, the facts under sets that are lines themselves,
-- the claims that sent notices left on. Each event is its exact text, once.
CREATE FUNCTION judge_evidence(p_school text, p_first bigint, p_limit int) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_subject uuid := (SELECT subject FROM log_head WHERE school = p_school);
    v_lines jsonb;
    v_line record;
    v_reach record;
    v_sets bigint[] := '{}';
    v_seqs bigint[] := '{}';
    v_withdrawals bigint[] := '{}';
    v_facts uuid[] := '{}';
    v_claims bigint[] := '{}';
    v_last bigint := 0;
BEGIN
    SELECT jsonb_agg(jsonb_build_object('idx', idx, 'entry', entry) ORDER BY idx) INTO v_lines FROM (
        SELECT idx, entry FROM line WHERE school = p_school AND idx >= p_first ORDER BY idx LIMIT p_limit) n;
    FOR v_line IN
        SELECT l.idx, l.seq, l.type, l.about, l.recorded_at, l.producer, l.thing, (l.entry::jsonb->>'network_seq')::bigint AS position,
               l.outcome = 'permitted' AS permitted,
               l.entry::jsonb->>'basis' = 'parental_authority' AND l.entry::jsonb->>'grant' IS NULL AS by_authority
          FROM line l WHERE l.school = p_school AND l.idx >= p_first ORDER BY l.idx LIMIT p_limit
    LOOP
        IF v_line.type = 'nl.samenkracht.network.access.changed.v1' THEN
            v_sets := v_sets || v_line.seq;
            v_facts := v_facts || v_line.about;
            v_last := greatest(v_last, v_line.seq);
        END IF;
        CONTINUE WHEN NOT v_line.permitted;
        IF v_line.by_authority THEN
            v_facts := v_facts || v_line.about;
            v_last := greatest(v_last, v_line.seq);
        END IF;
        IF v_line.type = 'nl.samenkracht.notifications.notice.sent.v1' THEN
            v_claims := v_claims || (
                SELECT idx FROM line
                 WHERE school = p_school AND about = v_line.about AND type = 'nl.samenkracht.notifications.notice.claimed.v1'
                   AND seq < v_line.seq AND thing = v_line.thing
                 ORDER BY seq DESC LIMIT 1);
        END IF;
        v_seqs := v_seqs || v_line.position;
        v_sets := v_sets || set_at(p_school, v_line.about, v_line.position);
        IF v_line.about <> v_subject THEN
            v_sets := v_sets || set_at(p_school, v_subject, v_line.position) || (
                SELECT seq FROM line
                 WHERE school = p_school AND about = v_subject AND type = 'nl.samenkracht.network.access.changed.v1'
                   AND seq > v_line.position ORDER BY seq LIMIT 1);
        END IF;
        FOR v_reach IN
            SELECT w.seq, (w.event::jsonb->'data'->'fact'->>'applied')::bigint AS applied
              FROM unnest(ARRAY[v_line.about, v_subject]) s
              JOIN LATERAL (
                   SELECT seq, event FROM line
                    WHERE school = p_school AND about = s AND type = 'nl.samenkracht.network.withdrawal.effective.v1'
                      AND seq > v_line.position ORDER BY seq LIMIT 100) w ON true
             WHERE (w.event::jsonb->'data'->'fact'->>'at')::timestamptz <= v_line.recorded_at
               AND (w.event::jsonb->'data'->'fact'->>'applied')::bigint > v_line.position
             ORDER BY 2 DESC LIMIT 1
        LOOP
            v_withdrawals := v_withdrawals || v_reach.seq;
            v_sets := v_sets || set_at(p_school, v_line.about, v_reach.applied) || set_at(p_school, v_subject, v_reach.applied);
        END LOOP;
    END LOOP;
    RETURN jsonb_build_object(
        'lines', coalesce(v_lines, '[]'),
        'size', (SELECT size FROM log_head WHERE school = p_school),
        'head', coalesce((SELECT max(seq) FROM line WHERE school = p_school AND producer = 'network'), 0),
        'clock', clock_timestamp(),
        'epochs', (SELECT coalesce(jsonb_object_agg(seq, epoch), '{}') FROM line
                    WHERE school = p_school AND producer = 'network' AND seq = ANY (v_seqs)),
        'sets', (SELECT coalesce(jsonb_agg(jsonb_build_object('idx', idx, 'event', event) ORDER BY seq), '[]') FROM line
                  WHERE school = p_school AND producer = 'network' AND seq = ANY (v_sets)),
        'withdrawals', (SELECT coalesce(jsonb_agg(event ORDER BY seq), '[]') FROM line
                         WHERE school = p_school AND producer = 'network' AND seq = ANY (v_withdrawals)),
        'claims', (SELECT coalesce(jsonb_agg(entry), '[]') FROM line WHERE school = p_school AND idx = ANY (v_claims)),
        'emergencies', (SELECT coalesce(jsonb_agg(jsonb_build_object('idx', idx, 'event', event) ORDER BY seq), '[]') FROM line
                         WHERE school = p_school AND type IN (
                               'nl.samenkracht.network.emergency.started.v1', 'nl.samenkracht.network.emergency.reviewed.v1')),
        -- An emergency is told after the grants that it gives, in the same commit.
        'facts', CASE WHEN v_facts <> '{}' THEN (
                 SELECT coalesce(jsonb_agg(event ORDER BY seq), '[]') FROM line
                  WHERE school = p_school AND about = ANY (v_facts || v_subject) AND seq <= v_last + 1000 AND type IN (
                        'nl.samenkracht.network.member.added.v1',
                        'nl.samenkracht.network.membership.changed.v1',
                        'nl.samenkracht.network.membership.ended.v1',
                        'nl.samenkracht.network.membership.suspended.v1',
                        'nl.samenkracht.network.membership.resumed.v1',
                        'nl.samenkracht.network.authority.recorded.v1',
                        'nl.samenkracht.network.authority.ended.v1',
                        'nl.samenkracht.network.consent.asked.v1',
                        'nl.samenkracht.network.consent.given.v1',
                        'nl.samenkracht.network.consent.refused.v1',
                        'nl.samenkracht.network.consent.withdrawn.v1',
                        'nl.samenkracht.network.consent.settled.v1',
                        'nl.samenkracht.network.consent.ended.v1',
                        'nl.samenkracht.network.emergency.started.v1',
                        'nl.samenkracht.network.emergency.ended.v1',
                        'nl.samenkracht.network.emergency.reviewed.v1',
                        'nl.samenkracht.network.dispute.noted.v1',
                        'nl.samenkracht.network.dispute.settled.v1',
                        'nl.samenkracht.network.policy.set.v1')) ELSE '[]' END);
END $$;

-- Readers ----------------------------------------------------------------------------------------------------------------

-- The same for a question about a period: the first page begins at the last line that was signed before it.
CREATE FUNCTION read_judged(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_first bigint := coalesce((p_args->>'first')::bigint, (
        SELECT max(size) FROM checkpoint
         WHERE school = v_school AND signed_at < (p_args->>'since')::timestamptz), 0);
BEGIN
    RETURN jsonb_build_object('subjects', log_subjects(v_school, NULL))
        || judge_evidence(v_school, v_first, (p_args->>'limit')::int);
END $$;

-- Findings, newest line first.
CREATE FUNCTION read_findings(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_before bigint := coalesce((p_args->>'before')::bigint, 9223372036854775807);
BEGIN
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, NULL),
        'judged', coalesce((SELECT idx FROM judge_position WHERE school = v_school), 0),
        'size', coalesce((SELECT size FROM log_head WHERE school = v_school), 0),
        'findings', coalesce((
            SELECT jsonb_agg(to_jsonb(f) ORDER BY f.idx DESC, f.code, f.part) FROM (
                SELECT idx, code, part, says, shows, found_at FROM finding
                 WHERE school = v_school AND idx < v_before AND (p_args->>'code' IS NULL OR code = p_args->>'code')
                 ORDER BY idx DESC, code, part FETCH FIRST ((p_args->>'limit')::int) ROWS WITH TIES) f), '[]'));
END $$;
