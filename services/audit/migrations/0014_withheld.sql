-- What is withheld from a guardian, and told again, is among the facts that grants are held against: in the index over
-- them, and in what a page of lines is judged by.
DROP INDEX line_judged;
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
    'nl.samenkracht.network.information.withheld.v1',
    'nl.samenkracht.network.information.restored.v1',
    'nl.samenkracht.network.policy.set.v1');

-- The rest of it stays as 0010 has it.
DO $$
DECLARE
    v_last text := '''nl.samenkracht.network.dispute.settled.v1'',';
    v_more text := '''nl.samenkracht.network.information.withheld.v1'', ''nl.samenkracht.network.information.restored.v1'',';
    v_text text := pg_get_functiondef('judge_evidence(text, bigint, int)'::regprocedure);
BEGIN
    IF strpos(v_text, v_last) = 0 THEN
        RAISE EXCEPTION 'judge_evidence does not name the facts as 0010 has them';
    END IF;
    EXECUTE replace(v_text, v_last, v_last || ' ' || v_more);
END $$;
