-- What a restored database takes back, and what is too old to be put out again.

ALTER TABLE marker ADD COLUMN erased boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN marker.erased IS 'The child was erased: `about` is what the tool knew it as';
SELECT tenant_table('marker');
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX put_out_age ON put_out (school, queued_at);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX put_out_source ON put_out (school, source);

-- Gives put-outs of a lost tail of the journal their numbers. One that is gone from the tool's rows by then is left out:
-- its number stays given, and holds nothing.
CREATE FUNCTION take_back_numbers(p_school text, p_rows jsonb) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    r jsonb;
BEGIN
    FOR r IN SELECT x FROM jsonb_array_elements(p_rows) x LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM tool WHERE school = p_school AND id = (r->>'tool')::uuid);
        IF r->>'source' IS NOT NULL AND NOT EXISTS (
            SELECT FROM put_out WHERE school = p_school AND tool = (r->>'tool')::uuid AND seq = (r->>'seq')::bigint)
        THEN
            INSERT INTO put_out (school, tool, source, about, category, epoch, seq)
            VALUES (p_school, (r->>'tool')::uuid, (r->>'source')::uuid, (r->>'about')::uuid, r->>'category',
                    (r->>'epoch')::int, (r->>'seq')::bigint)
            ON CONFLICT (school, tool, source) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq WHERE put_out.seq IS NULL;
        END IF;
        INSERT INTO outlet AS o (school, id, version, epoch, seq, out_seq, acked, stream_made, stream_last, stream_since, aside)
        VALUES (p_school, (r->>'tool')::uuid, 1, (r->>'epoch')::int, (r->>'seq')::bigint, 0, 0, '', 0, 1, false)
        ON CONFLICT (school, id) DO UPDATE
           SET version = o.version + 1, epoch = greatest(o.epoch, excluded.epoch), seq = greatest(o.seq, excluded.seq);
    END LOOP;
END $$;

-- Forgets at most so many put-outs that were numbered, or queued, longer ago than p_kept, and events that nothing names.
CREATE FUNCTION forget_put_outs(p_school text, p_kept interval, p_most int) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_sources uuid[];
BEGIN
    WITH old AS MATERIALIZED (
        SELECT p.tool, p.source FROM put_out p WHERE p.school = p_school AND p.queued_at < clock_timestamp() - p_kept
         ORDER BY p.queued_at LIMIT p_most),
    gone AS (
        DELETE FROM put_out p USING old WHERE p.school = p_school AND p.tool = old.tool AND p.source = old.source
        RETURNING p.source)
    SELECT array_agg(DISTINCT source) INTO v_sources FROM gone;
    DELETE FROM heard h
     WHERE h.school = p_school AND h.id = ANY (v_sources)
       AND NOT EXISTS (SELECT FROM put_out p WHERE p.school = p_school AND p.source = h.id);
END $$;
