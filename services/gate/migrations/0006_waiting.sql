-- The tools for which something waits, and whether that is a withdrawal; in one round trip, for it is asked at each event.
CREATE FUNCTION waiting_tools(p_school text) RETURNS TABLE (id uuid, untold boolean) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('app.school', p_school, true);
    RETURN QUERY
        SELECT t.id, u.untold
          FROM tool t LEFT JOIN outlet o ON o.school = t.school AND o.id = t.id
         CROSS JOIN LATERAL (
               SELECT EXISTS (SELECT FROM marker m WHERE m.school = p_school AND m.tool = t.id AND m.told_at IS NULL) AS untold) u
         WHERE t.school = p_school AND t.channel = 'nats'
           AND (u.untold
             OR (t.state = 'active'
                 AND (EXISTS (SELECT FROM put_out p WHERE p.school = p_school AND p.tool = t.id AND p.seq IS NULL)
                   OR o.out_seq < o.seq)));
END $$;
