-- A school's tools, what is put out to each, in which order it went, and what it must delete again.

CREATE TABLE tool (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    account text,
    label text NOT NULL,
    purpose text NOT NULL,
    categories text[] NOT NULL,
    types text[] NOT NULL,
    agreement text NOT NULL,
    channel text NOT NULL CONSTRAINT tool_channel CHECK (channel IN ('nats', 'webhook')),
    state text NOT NULL CONSTRAINT tool_state CHECK (state IN ('active', 'paused', 'removed')),
    registered_at timestamptz NOT NULL,
    ends_at timestamptz,
    secret text NOT NULL,
    CONSTRAINT tool_pk PRIMARY KEY (school, id)
);
COMMENT ON COLUMN tool.id IS 'Its id as a member of networks';
COMMENT ON COLUMN tool.account IS 'The slot it was handed: the public key of its NATS account, and the name of its stream and consumer';
COMMENT ON COLUMN tool.secret IS 'Hex: what its pseudonyms are made with. It never changes, so that a restored database makes the same ones';
COMMENT ON COLUMN tool.types IS 'The types of events that it wants; empty: all that it may receive';
CREATE UNIQUE INDEX tool_account ON tool (school, account);
SELECT tenant_table('tool');

-- The tool's own row of numbers, apart from the tool: it moves with every batch, and no registration waits for that.
CREATE TABLE outlet (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    epoch int NOT NULL,
    seq bigint NOT NULL,
    out_seq bigint NOT NULL,
    acked bigint NOT NULL,
    stream_made text NOT NULL,
    stream_last bigint NOT NULL,
    stream_since bigint NOT NULL,
    aside boolean NOT NULL,
    CONSTRAINT outlet_pk PRIMARY KEY (school, id),
    CONSTRAINT outlet_tool_fk FOREIGN KEY (school, id) REFERENCES tool (school, id)
);
COMMENT ON COLUMN outlet.epoch IS 'The epoch of the last number; the journal''s when numbers were given last';
COMMENT ON COLUMN outlet.seq IS 'The last number that was given';
COMMENT ON COLUMN outlet.out_seq IS 'The last number that is known to lie in the stream, as its message stream_last: what comes after is published (again)';
COMMENT ON COLUMN outlet.acked IS 'The last number up to which the tool has acknowledged all';
COMMENT ON COLUMN outlet.stream_made IS 'When the stream was created, as the broker tells it: another stream holds nothing of this one';
COMMENT ON COLUMN outlet.stream_last IS 'The last message of the stream, as far as is known: what is decided on this row expects no other';
COMMENT ON COLUMN outlet.stream_since IS 'From this message on, message and number differ by stream_last - out_seq';
COMMENT ON COLUMN outlet.aside IS 'What was decided last does not follow out_seq (a withdrawal goes first)';
SELECT tenant_policy('outlet');

-- An event that a tool wants, once, however many want it.
CREATE TABLE heard (
    school text NOT NULL,
    id uuid NOT NULL,
    about uuid NOT NULL,
    event text NOT NULL,
    CONSTRAINT heard_pk PRIMARY KEY (school, id)
);
COMMENT ON TABLE heard IS 'Events of other services as they came: id is the event''s own';
CREATE INDEX heard_about ON heard (school, about);
SELECT tenant_policy('heard');

CREATE SEQUENCE put_out_turn;
CREATE TABLE put_out (
    school text NOT NULL,
    tool uuid NOT NULL,
    source uuid NOT NULL,
    about uuid NOT NULL,
    category text NOT NULL,
    turn bigint NOT NULL DEFAULT nextval('put_out_turn'),
    epoch int,
    seq bigint,
    void boolean NOT NULL DEFAULT false,
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT put_out_pk PRIMARY KEY (school, tool, source),
    CONSTRAINT put_out_tool_fk FOREIGN KEY (school, tool) REFERENCES tool (school, id)
);
COMMENT ON COLUMN put_out.source IS 'The event that goes out: once a tool, however often the event comes';
COMMENT ON COLUMN put_out.seq IS 'NULL: queued. A number stays its own for ever';
COMMENT ON COLUMN put_out.void IS 'Its number holds nothing any more: a tombstone goes out in its place';
CREATE INDEX put_out_queue ON put_out (school, tool, turn) WHERE seq IS NULL;
CREATE UNIQUE INDEX put_out_number ON put_out (school, tool, seq) WHERE seq IS NOT NULL;
CREATE INDEX put_out_about ON put_out (school, about);
SELECT tenant_policy('put_out');

-- What a tool may not receive any more of a child, in one category: taken out of its stream, told, and to be deleted.
CREATE TABLE marker (
    school text NOT NULL,
    id uuid NOT NULL,
    version int NOT NULL,
    tool uuid NOT NULL,
    about uuid NOT NULL,
    category text NOT NULL,
    network_epoch int NOT NULL,
    network_seq bigint NOT NULL,
    network_hash text NOT NULL,
    at timestamptz NOT NULL,
    epoch int,
    seq bigint,
    told_at timestamptz,
    taken_out bigint[],
    due_at timestamptz,
    confirmed_at timestamptz,
    overdue_at timestamptz,
    CONSTRAINT marker_pk PRIMARY KEY (school, id),
    CONSTRAINT marker_tool_fk FOREIGN KEY (school, tool) REFERENCES tool (school, id)
);
COMMENT ON COLUMN marker.network_seq IS 'Network''s position just before the change that took it away: no cursor beyond it is announced until it is told';
COMMENT ON COLUMN marker.told_at IS 'When the stream had acknowledged it: the tool can fetch nothing of this child in this category from before';
CREATE INDEX marker_untold ON marker (school, tool) WHERE told_at IS NULL;
CREATE INDEX marker_about ON marker (school, about);
CREATE UNIQUE INDEX marker_number ON marker (school, tool, seq) WHERE seq IS NOT NULL;
CREATE INDEX marker_due ON marker (school, due_at) WHERE confirmed_at IS NULL AND overdue_at IS NULL AND told_at IS NOT NULL;
SELECT tenant_table('marker');

-- What a tool knows our ids as: so that what it asks can be understood.
CREATE TABLE pseudonym (
    school text NOT NULL,
    tool uuid NOT NULL,
    theirs uuid NOT NULL,
    about uuid NOT NULL,
    ours uuid NOT NULL,
    CONSTRAINT pseudonym_pk PRIMARY KEY (school, tool, theirs, about),
    CONSTRAINT pseudonym_tool_fk FOREIGN KEY (school, tool) REFERENCES tool (school, id)
);
COMMENT ON COLUMN pseudonym.about IS 'The child whose events it stood in: erased with it, and kept for another''s';
CREATE INDEX pseudonym_about ON pseudonym (school, about);
CREATE INDEX pseudonym_ours ON pseudonym (school, ours);
SELECT tenant_policy('pseudonym');

INSERT INTO erasable VALUES
    ('child', 'pseudonym', 10, 't.about = $2 OR t.ours = $2'),
    ('child', 'put_out', 11, 't.about = $2'),
    ('child', 'marker', 12, 't.about = $2'),
    ('child', 'heard', 13, 't.about = $2'),
    ('person', 'pseudonym', 10, 't.ours = $2');
