-- What all processes that send share: how much went lately, and what fails now. By this database's clock.

CREATE TABLE school_pace (
    school text NOT NULL,
    channel text NOT NULL,
    level double precision NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT school_pace_pk PRIMARY KEY (school, channel)
);
COMMENT ON TABLE school_pace IS 'A bucket a school and channel, that leaks by its limit a minute: level is what was in it at `at`';
SELECT tenant_policy('school_pace');

CREATE TABLE channel_pace (
    channel text NOT NULL,
    level double precision NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT channel_pace_pk PRIMARY KEY (channel)
);
COMMENT ON TABLE channel_pace IS 'The same of all schools together: one mail server serves them';

CREATE TABLE circuit (
    name text NOT NULL,
    failures int NOT NULL,
    rests int NOT NULL,
    trying boolean NOT NULL,
    until timestamptz NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT circuit_pk PRIMARY KEY (name)
);
COMMENT ON TABLE circuit IS 'What fails now (a mail domain, a push service, an outlet''s service); what works has no row';
COMMENT ON COLUMN circuit.name IS 'A hash: a domain may be one family''s';
COMMENT ON COLUMN circuit.trying IS 'Its rest was over, and one may try';

CREATE FUNCTION leaked(p_level double precision, p_at timestamptz, p_per_minute int) RETURNS double precision LANGUAGE sql VOLATILE AS
$$ SELECT greatest(0, p_level - greatest(0, extract(epoch FROM clock_timestamp() - p_at)) * p_per_minute / 60) $$;

-- Counts `p_urgent`, which go anyway, and as many of `p_want` as the limits leave room for now: a tenth of a minute's at
-- once. Returns how many of those. A limit of 0 is none. What is negative is given back.
CREATE FUNCTION take_pace(p_school text, p_channel text, p_want int, p_urgent int, p_school_minute int, p_minute int)
RETURNS int LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_own school_pace;
    v_all channel_pace;
    v_given int := p_want;
BEGIN
    IF p_school_minute > 0 THEN
        INSERT INTO school_pace VALUES (p_school, p_channel, 0, clock_timestamp()) ON CONFLICT DO NOTHING;
        SELECT * INTO v_own FROM school_pace p WHERE p.school = p_school AND p.channel = p_channel FOR UPDATE;
        v_own.level := leaked(v_own.level, v_own.at, p_school_minute);
        v_given := least(v_given, greatest(0, floor(greatest(p_school_minute / 10.0, 1) - v_own.level - p_urgent)));
    END IF;
    IF p_minute > 0 THEN
        INSERT INTO channel_pace VALUES (p_channel, 0, clock_timestamp()) ON CONFLICT DO NOTHING;
        SELECT * INTO v_all FROM channel_pace p WHERE p.channel = p_channel FOR UPDATE;
        v_all.level := leaked(v_all.level, v_all.at, p_minute);
        v_given := least(v_given, greatest(0, floor(greatest(p_minute / 10.0, 1) - v_all.level - p_urgent)));
    END IF;
    UPDATE school_pace p SET level = greatest(0, v_own.level + v_given + p_urgent), at = clock_timestamp()
     WHERE p_school_minute > 0 AND p.school = p_school AND p.channel = p_channel;
    UPDATE channel_pace p SET level = greatest(0, v_all.level + v_given + p_urgent), at = clock_timestamp()
     WHERE p_minute > 0 AND p.channel = p_channel;
    RETURN v_given;
END $$;

-- Counts a failure. It opens after some in a row; each rest that follows on a try is twice as long. Returns how many, and
-- for how long it rests from now.
CREATE FUNCTION circuit_failed(
    p_name text, p_opens_after int, p_first_s double precision, p_longest_s double precision,
    OUT failures int, OUT rest_s double precision) LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    DELETE FROM circuit c WHERE c.at < clock_timestamp() - interval '1 day' AND c.name <> p_name;
    INSERT INTO circuit AS c VALUES (p_name, 1, 0, false, clock_timestamp(), clock_timestamp())
    ON CONFLICT (name) DO UPDATE
       SET failures = c.failures + 1,
           rests = c.rests + (c.trying OR c.failures + 1 = p_opens_after)::int,
           until = CASE WHEN c.trying OR c.failures + 1 = p_opens_after
                        THEN clock_timestamp() + make_interval(secs => least(p_first_s * 2.0 ^ least(c.rests, 16), p_longest_s))
                        ELSE c.until END,
           trying = false,
           at = clock_timestamp()
    RETURNING c.failures, extract(epoch FROM c.until - clock_timestamp()) INTO failures, rest_s;
END $$;
