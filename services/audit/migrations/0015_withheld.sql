-- What is withheld from a guardian, and told again, is among the facts that grants are held against: in the index over
-- them, and in what a page of lines is judged by. The old index goes last: who reads waits no longer than for that.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX line_facts ON line (school, about, type, seq) WHERE type IN (
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
    'nl.samenkracht.network.information.withheld.v1',
    'nl.samenkracht.network.information.restored.v1',
    'nl.samenkracht.network.policy.set.v1');

-- As in 0010.
CREATE OR REPLACE FUNCTION judge_evidence(p_school text, p_first bigint, p_limit int) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
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
    v_claim record;
    v_sent jsonb := '{}';
    v_last bigint := 0;
BEGIN
    SELECT jsonb_agg(jsonb_build_object('idx', idx, 'entry', entry) ORDER BY idx) INTO v_lines FROM (
        SELECT idx, entry FROM line WHERE school = p_school AND idx >= p_first ORDER BY idx LIMIT p_limit) n;
    FOR v_line IN
        SELECT l.idx, l.seq, l.type, l.about, l.recorded_at, l.producer, l.thing, l.event, (l.entry::jsonb->>'network_seq')::bigint AS position,
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
            v_claim := NULL;
            SELECT c.idx, c.seq INTO v_claim FROM line c
             WHERE c.school = p_school AND c.about = v_line.about AND c.seq < v_line.seq AND c.thing = v_line.thing
               AND c.type = 'nl.samenkracht.notifications.notice.claimed.v1'
               AND c.event::jsonb->'data'->'fact' @> jsonb_build_object(
                   'channel', v_line.event::jsonb->'data'->'fact'->'channel',
                   'tries', v_line.event::jsonb->'data'->'fact'->'tries')
             ORDER BY c.seq DESC LIMIT 1;
            IF FOUND THEN
                v_claims := v_claims || v_claim.idx;
            END IF;
            v_sent := v_sent || jsonb_build_object(v_line.seq, v_claim.seq);
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
        'sent', v_sent,
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
                        'nl.samenkracht.network.information.withheld.v1',
                        'nl.samenkracht.network.information.restored.v1',
                        'nl.samenkracht.network.policy.set.v1')) ELSE '[]' END);
END $$;

-- As in 0001; authority counts too, whatever part its holder has or had.
CREATE OR REPLACE FUNCTION family_of(p_school text, p_child uuid, p_who uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM line WHERE school = p_school AND about = p_child AND type = 'nl.samenkracht.network.member.added.v1'
           AND event::jsonb->'data'->'fact'->>'role' IN ('guardian', 'child')
           AND event::jsonb->'data'->'fact'->>'member' = p_who::text)
        OR EXISTS (
        SELECT FROM line WHERE school = p_school AND about = p_child AND type = 'nl.samenkracht.network.authority.recorded.v1'
           AND event::jsonb->'data'->'fact'->>'holder' = p_who::text);
END $$;

-- As in 0009.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX line_holder ON line (school, ((event::jsonb)->'data'->'fact'->>'holder'))
 WHERE type = 'nl.samenkracht.network.authority.recorded.v1';
CREATE OR REPLACE FUNCTION has_child_here(p_args jsonb) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM line
         WHERE school = p_args->>'school' AND type = 'nl.samenkracht.network.member.added.v1'
           AND ((event::jsonb)->'data'->'fact'->>'role') IN ('guardian', 'child')
           AND ((event::jsonb)->'data'->'fact'->>'member') IN (p_args->>'actor', p_args->>'behalf'))
        OR EXISTS (
        SELECT FROM line
         WHERE school = p_args->>'school' AND type = 'nl.samenkracht.network.authority.recorded.v1'
           AND ((event::jsonb)->'data'->'fact'->>'holder') IN (p_args->>'actor', p_args->>'behalf'));
END $$;

-- squawk-ignore require-concurrent-index-deletion
DROP INDEX line_judged;
