-- One log a school: lines in order, numbered densely from 0, under an RFC 6962 Merkle tree with signed checkpoints.
-- Nothing here is ever changed or deleted: the login may only add and read, and triggers hold everyone else off too.

CREATE TABLE log_head (
    school text NOT NULL,
    subject uuid NOT NULL,
    size bigint NOT NULL,
    root bytea NOT NULL,
    frontier bytea[] NOT NULL,
    CONSTRAINT log_head_pk PRIMARY KEY (school)
);
COMMENT ON TABLE log_head IS 'How far the school''s log has come; its lock gives out the next idx';
COMMENT ON COLUMN log_head.subject IS 'The school''s own subject id: readers ask access for it';
COMMENT ON COLUMN log_head.frontier IS 'Roots of the perfect subtrees, largest first';

-- What questions are asked by is a column. The rest is read from the entry, and so cannot say anything else than it does.
CREATE TABLE line (
    school text NOT NULL,
    idx bigint NOT NULL,
    producer text NOT NULL,
    epoch int NOT NULL,
    seq bigint NOT NULL,
    type text NOT NULL,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    about uuid NOT NULL,
    actor uuid NOT NULL,
    category text NOT NULL,
    outcome text NOT NULL,
    look boolean NOT NULL,
    leaf_hash bytea NOT NULL,
    entry text NOT NULL,
    event text NOT NULL,
    action text GENERATED ALWAYS AS ((entry::jsonb)->>'action') VIRTUAL,
    actor_kind text GENERATED ALWAYS AS ((entry::jsonb)->>'kind') VIRTUAL,
    role text GENERATED ALWAYS AS ((entry::jsonb)->>'role') VIRTUAL,
    organisation text GENERATED ALWAYS AS ((entry::jsonb)->>'organisation') VIRTUAL,
    on_behalf_of text GENERATED ALWAYS AS ((entry::jsonb)->>'on_behalf_of') VIRTUAL,
    operator text GENERATED ALWAYS AS ((entry::jsonb)->>'operator') VIRTUAL,
    door text GENERATED ALWAYS AS ((entry::jsonb)->>'door') VIRTUAL,
    thing text GENERATED ALWAYS AS ((entry::jsonb)->>'thing') VIRTUAL,
    purpose text GENERATED ALWAYS AS ((entry::jsonb)->>'purpose') VIRTUAL,
    reason text GENERATED ALWAYS AS ((entry::jsonb)->>'reason') VIRTUAL,
    basis text GENERATED ALWAYS AS ((entry::jsonb)->>'basis') VIRTUAL,
    grant_id text GENERATED ALWAYS AS ((entry::jsonb)->>'grant') VIRTUAL,
    consent text GENERATED ALWAYS AS ((entry::jsonb)->>'consent') VIRTUAL,
    consent_version text GENERATED ALWAYS AS ((entry::jsonb)->>'consent_version') VIRTUAL,
    emergency text GENERATED ALWAYS AS ((entry::jsonb)->>'emergency') VIRTUAL,
    event_hash text GENERATED ALWAYS AS ((entry::jsonb)->>'event_hash') VIRTUAL,
    CONSTRAINT line_pk PRIMARY KEY (school, idx),
    CONSTRAINT line_once UNIQUE (school, producer, seq)
) WITH (toast_tuple_target = 8160);
COMMENT ON TABLE line IS 'One line an event. entry: RFC 8785 canonical JSON, what the log is made of; event: the exact bytes, from which a producer can take back a lost tail';
COMMENT ON COLUMN line.look IS 'Data was shown or sent, or asked for in vain';
CREATE INDEX line_looks ON line (school, about, occurred_at DESC, idx DESC) WHERE look;
CREATE INDEX line_actor ON line (school, actor, occurred_at DESC, idx DESC);
CREATE INDEX line_denied ON line (school, occurred_at DESC, idx DESC) WHERE outcome = 'denied';

CREATE TABLE log_node (
    school text NOT NULL,
    level int NOT NULL,
    idx bigint NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT log_node_pk PRIMARY KEY (school, level, idx)
);
COMMENT ON TABLE log_node IS 'Roots of perfect subtrees at every eighth level above the leaves: proofs need no more';

CREATE TABLE checkpoint (
    school text NOT NULL,
    size bigint NOT NULL,
    root bytea NOT NULL,
    note text NOT NULL,
    signed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT checkpoint_pk PRIMARY KEY (school, size)
);
COMMENT ON COLUMN checkpoint.note IS 'C2SP tlog-checkpoint, signed';

SELECT tenant_policy('log_head');
SELECT tenant_policy('line');
SELECT tenant_policy('log_node');
SELECT tenant_policy('checkpoint');
REVOKE UPDATE, DELETE, TRUNCATE ON line, log_node, checkpoint FROM {login};
REVOKE DELETE, TRUNCATE ON log_head FROM {login};

CREATE FUNCTION keep_log() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only: % of % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE FUNCTION only_grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.school <> OLD.school OR NEW.subject <> OLD.subject OR NEW.size <= OLD.size THEN
        RAISE EXCEPTION 'the audit log only grows: a head of % after % refused', NEW.size, OLD.size USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER line_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON line FOR EACH STATEMENT EXECUTE FUNCTION keep_log();
CREATE TRIGGER log_node_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON log_node FOR EACH STATEMENT EXECUTE FUNCTION keep_log();
CREATE TRIGGER checkpoint_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON checkpoint FOR EACH STATEMENT EXECUTE FUNCTION keep_log();
CREATE TRIGGER log_head_kept BEFORE DELETE OR TRUNCATE ON log_head FOR EACH STATEMENT EXECUTE FUNCTION keep_log();
CREATE TRIGGER log_head_grows BEFORE UPDATE ON log_head FOR EACH ROW EXECUTE FUNCTION only_grow();
-- ALWAYS: session_replication_role = replica skips other triggers.
ALTER TABLE line ENABLE ALWAYS TRIGGER line_kept;
ALTER TABLE log_node ENABLE ALWAYS TRIGGER log_node_kept;
ALTER TABLE checkpoint ENABLE ALWAYS TRIGGER checkpoint_kept;
ALTER TABLE log_head ENABLE ALWAYS TRIGGER log_head_kept;
ALTER TABLE log_head ENABLE ALWAYS TRIGGER log_head_grows;

-- Schools whose log has grown past its last checkpoint, for the signer: slugs only. It looks past the walls as {owner}.
CREATE POLICY owner_lists ON log_head FOR SELECT TO {owner} USING (true);
CREATE POLICY owner_lists ON checkpoint FOR SELECT TO {owner} USING (true);
CREATE FUNCTION list_unsigned() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public AS $$
    SELECT h.school FROM log_head h
     WHERE h.size > coalesce((SELECT max(c.size) FROM checkpoint c WHERE c.school = h.school), 0) ORDER BY 1
$$;

-- Readers ---------------------------------------------------------------------------------------------------------------

-- The subjects through which a question can be allowed: a child's own, if it is about one, and the school's.
CREATE FUNCTION log_subjects(p_school text, p_about uuid) RETURNS jsonb LANGUAGE sql VOLATILE AS $$
    SELECT coalesce(jsonb_agg(DISTINCT s), '[]') FROM (
        SELECT p_about AS s WHERE p_about IS NOT NULL
        UNION ALL
        SELECT h.subject FROM log_head h WHERE h.school = p_school) known
$$;

-- Whether somebody is, or ever was, a guardian of the child or the child itself: by what the log was told.
CREATE FUNCTION family_of(p_school text, p_child uuid, p_who uuid) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM line WHERE school = p_school AND about = p_child AND type = 'nl.samenkracht.network.member.added.v1'
           AND event::jsonb->'data'->'fact'->>'role' IN ('guardian', 'child')
           AND event::jsonb->'data'->'fact'->>'member' = p_who::text);
END $$;

-- One page of lines, newest first: looks at a child, one actor's, or the denied ones. `before` is an idx of the page before.
-- A child's family does not get what a restriction holds back (kept_from, 0006_restriction.sql). Nor, of looks, those of
-- others in the family: that another parent looks is that parent's own matter. Of conversations and expectations, which
-- may be one parent's own with the school, it is not said which were looked at.
CREATE FUNCTION read_page(p_args jsonb, p_kind text) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_who uuid := (p_args->>'who')::uuid;
    v_since timestamptz := coalesce((p_args->>'since')::timestamptz, '-infinity');
    v_until timestamptz := coalesce((p_args->>'until')::timestamptz, 'infinity');
    v_category text := p_args->>'category';
    v_outcome text := p_args->>'outcome';
    v_limit int := (p_args->>'limit')::int;
    v_at timestamptz := 'infinity';
    v_idx bigint := (p_args->>'before')::bigint;
    v_reader uuid := (p_args->>'actor')::uuid;
    v_kept uuid[] := kept_from(p_args);
    v_own boolean;
    v_lines jsonb;
BEGIN
    IF v_idx IS NOT NULL THEN
        SELECT occurred_at INTO v_at FROM line WHERE school = v_school AND idx = v_idx;
    END IF;
    v_idx := coalesce(v_idx, 0);
    CASE p_kind
    WHEN 'looks' THEN
        v_own := p_args->>'purpose' = 'own_data' OR family_of(v_school, (p_args->>'child')::uuid, v_reader);
        SELECT jsonb_agg(to_jsonb(n)) INTO v_lines FROM (
            SELECT idx, CASE WHEN v_own AND tells_too_much(category, actor, v_reader)
                             THEN entry::jsonb - ARRAY['thing', 'what'] ELSE entry::jsonb END AS entry FROM line
             WHERE school = v_school AND about = (p_args->>'child')::uuid AND look
               AND NOT (about = ANY (v_kept) AND held_back(v_school, about, occurred_at, category, actor))
               AND NOT (v_own AND anothers_look(v_school, about, actor, role, v_reader))
               AND (p_args->>'role' IS NULL OR role = p_args->>'role')
               AND (p_args->>'organisation' IS NULL OR organisation = p_args->>'organisation')
               AND occurred_at >= v_since AND occurred_at < v_until AND (occurred_at, idx) < (v_at, v_idx)
               AND (v_who IS NULL OR actor = v_who)
               AND (v_category IS NULL OR category = v_category) AND (v_outcome IS NULL OR outcome = v_outcome)
             ORDER BY occurred_at DESC, idx DESC LIMIT v_limit) n;
    WHEN 'actor' THEN
        SELECT jsonb_agg(to_jsonb(n)) INTO v_lines FROM (
            SELECT idx, entry::jsonb AS entry FROM line
             WHERE school = v_school AND actor = v_who
               AND NOT (about = ANY (v_kept) AND line_held_back(v_school, idx))
               AND occurred_at >= v_since AND occurred_at < v_until AND (occurred_at, idx) < (v_at, v_idx)
               AND (v_category IS NULL OR category = v_category) AND (v_outcome IS NULL OR outcome = v_outcome)
             ORDER BY occurred_at DESC, idx DESC LIMIT v_limit) n;
    ELSE
        SELECT jsonb_agg(to_jsonb(n)) INTO v_lines FROM (
            SELECT idx, entry::jsonb AS entry FROM line
             WHERE school = v_school AND outcome = 'denied'
               AND NOT (about = ANY (v_kept) AND line_held_back(v_school, idx))
               AND occurred_at >= v_since AND occurred_at < v_until AND (occurred_at, idx) < (v_at, v_idx)
               AND (v_who IS NULL OR actor = v_who) AND (v_category IS NULL OR category = v_category)
             ORDER BY occurred_at DESC, idx DESC LIMIT v_limit) n;
    END CASE;
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, (p_args->>'child')::uuid), 'lines', coalesce(v_lines, '[]'));
END $$;
-- Whether a look is that of another of the child's family than the reader. One that was refused says no role.
CREATE FUNCTION anothers_look(p_school text, p_child uuid, p_actor uuid, p_role text, p_reader uuid)
RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN p_actor <> p_reader AND coalesce(p_role IN ('guardian', 'child'), family_of(p_school, p_child, p_actor));
END $$;
-- Whether what was looked at may be another parent's own with the school.
CREATE FUNCTION tells_too_much(p_category text, p_actor uuid, p_reader uuid) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN p_category IN ('conversations', 'expectations') AND p_actor <> p_reader;
END $$;
-- Whether a line may be proven to this reader: to a child's family, what its overview shows, and shows whole.
CREATE FUNCTION may_be_proven(p_args jsonb, p_idx bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_reader uuid := (p_args->>'actor')::uuid;
BEGIN
    RETURN NOT EXISTS (
        SELECT FROM line l
         WHERE l.school = v_school AND l.idx = p_idx
           AND (p_args->>'purpose' = 'own_data' OR family_of(v_school, l.about, v_reader))
           AND (line_held_back(v_school, p_idx)
                OR (l.look AND (anothers_look(v_school, l.about, l.actor, l.role, v_reader)
                                OR tells_too_much(l.category, l.actor, v_reader)))));
END $$;
CREATE FUNCTION read_who_looked(p_args jsonb) RETURNS jsonb LANGUAGE sql VOLATILE AS $$ SELECT read_page(p_args, 'looks') $$;
CREATE FUNCTION read_by_actor(p_args jsonb) RETURNS jsonb LANGUAGE sql VOLATILE AS $$ SELECT read_page(p_args, 'actor') $$;
CREATE FUNCTION read_denials(p_args jsonb) RETURNS jsonb LANGUAGE sql VOLATILE AS $$ SELECT read_page(p_args, 'denied') $$;

-- The last lines of the log, in its own order, newest first.
CREATE FUNCTION read_tail(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_kept uuid[] := kept_from(p_args);
BEGIN
    RETURN jsonb_build_object('subjects', log_subjects(v_school, NULL), 'lines', coalesce((
        SELECT jsonb_agg(to_jsonb(n)) FROM (
            SELECT idx, entry::jsonb AS entry FROM line
             WHERE school = v_school AND NOT (about = ANY (v_kept) AND line_held_back(v_school, idx))
             ORDER BY idx DESC LIMIT (p_args->>'last')::int) n), '[]'));
END $$;

-- What proofs about these positions (leaves, or older sizes) in a tree of p_size leaves are computed from, as
-- [level, idx, hash]; level 0 are the leaves.
CREATE FUNCTION read_nodes(p_school text, p_positions bigint[], p_size bigint) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_nodes jsonb := '[]';
    v_found jsonb;
    v_first bigint;
    v_level int := 0;
BEGIN
    -- At each stored level: the 256-wide tile of each position, and that of the tree's edge.
    WHILE v_level = 0 OR (p_size >> v_level) > 0 LOOP
        FOR v_first IN SELECT DISTINCT (p >> (v_level + 8)) << 8 FROM unnest(p_positions || p_size) p LOOP
            IF v_level = 0 THEN
                SELECT jsonb_agg(jsonb_build_array(0, idx, encode(leaf_hash, 'hex'))) INTO v_found FROM line
                 WHERE school = p_school AND idx >= v_first AND idx < least(v_first + 256, p_size);
            ELSE
                SELECT jsonb_agg(jsonb_build_array(level, idx, encode(hash, 'hex'))) INTO v_found FROM log_node
                 WHERE school = p_school AND level = v_level AND idx >= v_first
                   AND idx < least(v_first + 256, p_size >> v_level);
            END IF;
            v_nodes := v_nodes || coalesce(v_found, '[]');
        END LOOP;
        v_level := v_level + 8;
    END LOOP;
    RETURN v_nodes;
END $$;

-- The newest checkpoint; with `since`, also what proves that the log of that size is its beginning.
CREATE FUNCTION read_checkpoint(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_since bigint := (p_args->>'since')::bigint;
    v_newest checkpoint;
BEGIN
    SELECT * INTO v_newest FROM checkpoint WHERE school = v_school ORDER BY size DESC LIMIT 1;
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, NULL),
        'checkpoint', CASE WHEN v_newest.size IS NOT NULL THEN jsonb_build_object('size', v_newest.size, 'note', v_newest.note) END,
        'nodes', CASE WHEN v_since < v_newest.size THEN read_nodes(v_school, ARRAY[v_since], v_newest.size) ELSE '[]' END);
END $$;

-- One line, the newest checkpoint, and what proves that the one is under the other.
CREATE FUNCTION read_proof(p_args jsonb) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_school text := p_args->>'school';
    v_idx bigint := (p_args->>'idx')::bigint;
    v_newest checkpoint;
    v_about uuid;
    v_entry text;
BEGIN
    SELECT * INTO v_newest FROM checkpoint WHERE school = v_school ORDER BY size DESC LIMIT 1;
    -- What is held back from a child's family is to them as a line about somebody else.
    SELECT about, entry INTO v_about, v_entry FROM line
     WHERE school = v_school AND idx = v_idx AND may_be_proven(p_args, v_idx);
    RETURN jsonb_build_object(
        'subjects', log_subjects(v_school, v_about),
        'about', v_about,
        'entry', v_entry,
        'checkpoint', CASE WHEN v_newest.size IS NOT NULL THEN jsonb_build_object('size', v_newest.size, 'note', v_newest.note) END,
        'nodes', CASE WHEN v_entry IS NOT NULL AND v_idx < v_newest.size THEN read_nodes(v_school, ARRAY[v_idx], v_newest.size) ELSE '[]' END);
END $$;
