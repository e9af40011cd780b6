-- What auditors ask beside who looked: emergencies and their reviews, consents as they stood and as was known, exports,
-- looks at the log itself.

-- squawk-ignore require-concurrent-index-creation
CREATE INDEX line_exports ON line (school, occurred_at DESC, idx DESC) WHERE ((entry::jsonb)->>'action') = 'export';

-- Exports, newest first; `before` is an idx of the page before.
CREATE FUNCTION read_exports(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_since timestamptz := coalesce((p_args->>'since')::timestamptz, '-infinity');
    v_until timestamptz := coalesce((p_args->>'until')::timestamptz, 'infinity');
    v_kept uuid[] := kept_from(p_args);
    v_at timestamptz := 'infinity';
    v_idx bigint := (p_args->>'before')::bigint;
BEGIN
    IF v_idx IS NOT NULL THEN
        SELECT occurred_at INTO v_at FROM line WHERE school = v_school AND idx = v_idx;
    END IF;
    RETURN jsonb_build_object('subjects', log_subjects(v_school, NULL), 'lines', coalesce((
        SELECT jsonb_agg(to_jsonb(n)) FROM (
            SELECT idx, entry::jsonb AS entry FROM line
             WHERE school = v_school AND ((entry::jsonb)->>'action') = 'export'
               AND NOT (about = ANY (v_kept) AND line_held_back(v_school, idx))
               AND occurred_at >= v_since AND occurred_at < v_until AND (occurred_at, idx) < (v_at, coalesce(v_idx, 0))
               AND (p_args->>'who' IS NULL OR actor = (p_args->>'who')::uuid)
               AND (p_args->>'category' IS NULL OR category = p_args->>'category')
             ORDER BY occurred_at DESC, idx DESC LIMIT (p_args->>'limit')::int) n), '[]'));
END $$;

-- Looks at the log, newest first: what this service journaled. `before` is an idx of the page before.
CREATE FUNCTION read_log_looks(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_seq bigint := coalesce((SELECT seq FROM line WHERE school = v_school AND idx = (p_args->>'before')::bigint), 9223372036854775807);
    v_since timestamptz := coalesce((p_args->>'since')::timestamptz, '-infinity');
    v_until timestamptz := coalesce((p_args->>'until')::timestamptz, 'infinity');
    v_kept uuid[] := kept_from(p_args);
BEGIN
    RETURN jsonb_build_object('subjects', log_subjects(v_school, NULL), 'lines', coalesce((
        SELECT jsonb_agg(to_jsonb(n)) FROM (
            SELECT idx, entry::jsonb AS entry FROM line
             WHERE school = v_school AND producer = 'audit' AND seq < v_seq AND look
               AND NOT (about = ANY (v_kept) AND line_held_back(v_school, idx))
               AND occurred_at >= v_since AND occurred_at < v_until
               AND (p_args->>'who' IS NULL OR actor = (p_args->>'who')::uuid)
             ORDER BY seq DESC LIMIT (p_args->>'limit')::int) n), '[]'));
END $$;

-- Emergency access in the school (or to one child), newest first, each with what was told of it later.
CREATE FUNCTION read_break_glass(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_child uuid := (p_args->>'child')::uuid;
    v_before bigint := coalesce((p_args->>'before')::bigint, 9223372036854775807);
    v_kept uuid[] := kept_from(p_args);
BEGIN
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, v_child),
        'now', (SELECT clock_timestamp() + shift FROM time_shift),
        'emergencies', coalesce((
            SELECT jsonb_agg(jsonb_build_object('idx', s.idx, 'event', s.event, 'later', coalesce((
                       SELECT jsonb_agg(l.event ORDER BY l.seq) FROM line l
                        WHERE l.school = v_school AND l.about = s.about AND l.thing = s.thing AND l.seq > s.seq AND l.type IN (
                              'nl.samenkracht.network.emergency.ended.v1', 'nl.samenkracht.network.emergency.reviewed.v1')), '[]'))
                   ORDER BY s.seq DESC)
              FROM (SELECT idx, seq, about, thing, event FROM line
                     WHERE school = v_school AND type IN (
                           'nl.samenkracht.network.emergency.started.v1', 'nl.samenkracht.network.emergency.reviewed.v1')
                       AND type = 'nl.samenkracht.network.emergency.started.v1'
                       AND (v_child IS NULL OR about = v_child) AND idx < v_before
                       AND NOT (about = ANY (v_kept) AND held_back(v_school, about, occurred_at, NULL, actor))
                     ORDER BY seq DESC LIMIT (p_args->>'limit')::int) s), '[]'));
END $$;

-- What was told of a child's consents, by what had happened by a moment (`on`, domain time) and by what was recorded by
-- another (`known`, the database's clock). A consent of which a restriction holds an event back is held back whole.
CREATE FUNCTION read_consents(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_child uuid := (p_args->>'child')::uuid;
    v_held text[] := '{}';
BEGIN
    IF v_child = ANY (kept_from(p_args)) THEN
        SELECT coalesce(array_agg(DISTINCT thing), '{}') INTO v_held FROM line
         WHERE school = v_school AND about = v_child AND type IN (
               'nl.samenkracht.network.consent.asked.v1',
               'nl.samenkracht.network.consent.given.v1',
               'nl.samenkracht.network.consent.refused.v1',
               'nl.samenkracht.network.consent.withdrawn.v1',
               'nl.samenkracht.network.consent.settled.v1',
               'nl.samenkracht.network.consent.ended.v1')
           AND held_back(v_school, about, occurred_at, category, actor);
    END IF;
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, v_child),
        'now', (SELECT clock_timestamp() + shift FROM time_shift),
        'guardian', EXISTS (
            SELECT FROM line WHERE school = v_school AND about = v_child AND type = 'nl.samenkracht.network.member.added.v1'
               AND event::jsonb->'data'->'fact'->>'role' = 'guardian'
               AND event::jsonb->'data'->'fact'->>'member' = p_args->>'actor'),
        'events', coalesce((
            SELECT jsonb_agg(event ORDER BY seq) FROM line
             WHERE school = v_school AND about = v_child AND type IN (
                   'nl.samenkracht.network.consent.asked.v1',
                   'nl.samenkracht.network.consent.given.v1',
                   'nl.samenkracht.network.consent.refused.v1',
                   'nl.samenkracht.network.consent.withdrawn.v1',
                   'nl.samenkracht.network.consent.settled.v1',
                   'nl.samenkracht.network.consent.ended.v1')
               AND thing <> ALL (v_held)
               AND occurred_at <= coalesce((p_args->>'on')::timestamptz, 'infinity')
               AND recorded_at <= coalesce((p_args->>'known')::timestamptz, 'infinity')), '[]'));
END $$;

-- Who looked at a child, with the consents that looks rest on: what a story is told from.
CREATE FUNCTION read_story(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN read_who_looked(p_args) || jsonb_build_object(
        'events', read_consents(p_args - 'on' - 'known')->'events',
        'held', told_restrictions(p_args->>'school', (p_args->>'child')::uuid));
END $$;
