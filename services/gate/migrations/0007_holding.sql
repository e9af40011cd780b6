-- What tools have of children beyond the events that are kept here: what is withdrawn later is to be deleted there too.

CREATE TABLE holding (
    school text NOT NULL,
    tool uuid NOT NULL,
    about uuid NOT NULL,
    category text NOT NULL,
    CONSTRAINT holding_pk PRIMARY KEY (school, tool, about, category),
    CONSTRAINT holding_tool_fk FOREIGN KEY (school, tool) REFERENCES tool (school, id)
);
COMMENT ON TABLE holding IS 'What a tool was put out longer ago than put-outs are kept, or was told when it asked';
CREATE INDEX holding_about ON holding (school, about);
SELECT tenant_policy('holding');
INSERT INTO erasable VALUES ('child', 'holding', 14, 't.about = $2');

-- The same; what was told of a child in a category stays known without its events.
CREATE OR REPLACE FUNCTION forget_put_outs(p_school text, p_kept interval, p_most int) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_sources uuid[];
BEGIN
    WITH old AS MATERIALIZED (
        SELECT p.tool, p.source FROM put_out p WHERE p.school = p_school AND p.queued_at < clock_timestamp() - p_kept
         ORDER BY p.queued_at LIMIT p_most),
    gone AS (
        DELETE FROM put_out p USING old WHERE p.school = p_school AND p.tool = old.tool AND p.source = old.source
        RETURNING p.source, p.tool, p.about, p.category, p.seq, p.void),
    kept AS (
        INSERT INTO holding (school, tool, about, category)
        SELECT DISTINCT p_school, g.tool, g.about, g.category FROM gone g WHERE g.seq IS NOT NULL AND NOT g.void
         ORDER BY 2, 3, 4
        ON CONFLICT DO NOTHING)
    SELECT array_agg(DISTINCT source) INTO v_sources FROM gone;
    DELETE FROM heard h
     WHERE h.school = p_school AND h.id = ANY (v_sources)
       AND NOT EXISTS (SELECT FROM put_out p WHERE p.school = p_school AND p.source = h.id);
    -- Of a removed tool nothing is asked any more; and an erasure may have come beside.
    DELETE FROM holding h
     WHERE h.school = p_school
       AND (EXISTS (SELECT FROM erased e WHERE e.school = p_school AND e.id = h.about)
         OR EXISTS (SELECT FROM tool t WHERE t.school = p_school AND t.id = h.tool AND t.state = 'removed'));
END $$;

-- Keeps what an answer tells a tool, before it leaves; and of which children it tells something in a category, if it does.
CREATE FUNCTION keep_told(p_school text, p_tool uuid, p_abouts uuid[], p_theirs uuid[], p_ours uuid[], p_category text)
RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM keep_told(p_school, p_tool, p_abouts, p_theirs, p_ours);
    IF p_category IS NOT NULL THEN
        INSERT INTO holding (school, tool, about, category)
        SELECT p_school, p_tool, a.about, p_category FROM unnest(p_abouts) a (about)
         WHERE NOT EXISTS (SELECT FROM erased e WHERE e.school = p_school AND e.id = a.about)
           AND NOT EXISTS (SELECT FROM marker m WHERE m.school = p_school AND m.id = a.about)
         ORDER BY 3
        ON CONFLICT DO NOTHING;
    END IF;
END $$;

-- Children of whom a tool has, or would be put out, what its grants do not give it now: an end by itself is told by nobody,
-- and an answer may have been on its way while a withdrawal was applied.
CREATE FUNCTION list_lapsed(p_school text, p_most int) RETURNS SETOF uuid LANGUAGE sql STABLE AS $$
    WITH given AS MATERIALIZED (
        SELECT t.id AS tool, a.id AS about, c.category, (g->>'valid_until')::timestamptz AS until
          FROM tool t JOIN access a ON a.school = p_school AND a.grants ? t.id::text
         CROSS JOIN LATERAL jsonb_array_elements(a.grants->t.id::text) g
         CROSS JOIN LATERAL jsonb_array_elements_text(g->'categories') c (category)
         WHERE t.school = p_school AND t.state <> 'removed'
           AND g->>'role' = 'local_tool' AND g->'actions' ? 'receive' AND g->'purposes' ? t.purpose),
    holds AS MATERIALIZED (
        SELECT DISTINCT tool, about, category FROM given WHERE until IS NULL OR until > clock_timestamp())
    SELECT about FROM (
        SELECT l.tool, l.about, l.category FROM given l
         WHERE l.until <= clock_timestamp()
           AND EXISTS (SELECT FROM put_out p WHERE p.school = p_school AND p.about = l.about AND p.tool = l.tool
                          AND p.category = l.category AND NOT p.void)
         UNION
        SELECT h.tool, h.about, h.category FROM holding h JOIN tool t ON t.school = p_school AND t.id = h.tool
         WHERE h.school = p_school AND t.state <> 'removed') n
     WHERE NOT EXISTS (SELECT FROM holds h WHERE h.tool = n.tool AND h.about = n.about AND h.category = n.category)
     GROUP BY about ORDER BY about LIMIT p_most
$$;
