"""What the planner is told of tables before anything in them was counted."""

STATISTICS = """
DO $$ DECLARE v_table name; v_column name; BEGIN
    FOR v_table, v_column IN
        SELECT c.relname, a.attname
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname IN ('school', 'id')
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND c.relrowsecurity
           AND c.reltuples < 0
    LOOP
        PERFORM pg_restore_attribute_stats(
            'schemaname', current_schema()::text, 'relname', v_table::text, 'attname', v_column::text,
            'inherited', false, 'null_frac', 0::real, 'avg_width', 16,
            'n_distinct', CASE v_column WHEN 'school' THEN 1 ELSE -1 END::real);
    END LOOP;
END $$
"""
"""Of tables that nobody analyzed: take every row for one school's, and an id for one row's.

Without it all indexes of an empty table cost the same, and the newest is taken, also for a look-up by key: such a plan
reads a school's whole index as it grows, until the table is analyzed.
"""
