-- What this service has cosigned of each school's audit log, as its witness: the last checkpoint a log. It only grows.

CREATE TABLE witnessed (
    school text NOT NULL,
    origin text NOT NULL,
    size bigint NOT NULL,
    root bytea NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT witnessed_pk PRIMARY KEY (school, origin)
);
COMMENT ON TABLE witnessed IS 'C2SP tlog-witness: a checkpoint stands here before its cosignature leaves';
SELECT tenant_policy('witnessed');
REVOKE DELETE, TRUNCATE ON witnessed FROM {login};

CREATE FUNCTION witnessed_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE EXCEPTION 'a witness forgets nothing: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
    ELSIF NEW.school <> OLD.school OR NEW.origin <> OLD.origin OR NEW.size < OLD.size
        OR (NEW.size = OLD.size AND NEW.root <> OLD.root) THEN
        RAISE EXCEPTION 'a witness saw % lines: % refused', OLD.size, NEW.size USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER witnessed_kept BEFORE DELETE OR TRUNCATE ON witnessed FOR EACH STATEMENT EXECUTE FUNCTION witnessed_grows();
CREATE TRIGGER witnessed_moves BEFORE UPDATE ON witnessed FOR EACH ROW EXECUTE FUNCTION witnessed_grows();
ALTER TABLE witnessed ENABLE ALWAYS TRIGGER witnessed_kept;
ALTER TABLE witnessed ENABLE ALWAYS TRIGGER witnessed_moves;
