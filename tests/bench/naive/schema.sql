CREATE TABLE child (school text, id uuid, active boolean NOT NULL, PRIMARY KEY (school, id));
CREATE TABLE access (
    school text, child uuid, member uuid, id uuid NOT NULL DEFAULT gen_random_uuid(), actions text[] NOT NULL, categories text[] NOT NULL, purposes text[] NOT NULL,
    valid_from timestamptz NOT NULL, valid_until timestamptz, PRIMARY KEY (school, child, member));
CREATE TABLE idempotency (school text, actor uuid, key text, hash text NOT NULL, reply text, PRIMARY KEY (school, actor, key));
CREATE TABLE goal (
    school text, id uuid, version int NOT NULL, child uuid NOT NULL, status text NOT NULL, domain text NOT NULL,
    settings text[] NOT NULL, statement text NOT NULL, wording text NOT NULL, ladder text[] NOT NULL,
    baseline int NOT NULL, target_on date NOT NULL, responsible uuid[] NOT NULL, weight int NOT NULL,
    proposed_by uuid NOT NULL, PRIMARY KEY (school, id));
CREATE INDEX goal_child ON goal (school, child, id DESC);
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, subject text NOT NULL, event text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(), sent_at timestamptz);
CREATE INDEX outbox_waiting ON outbox (id) WHERE sent_at IS NULL;
CREATE TABLE line (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id uuid NOT NULL UNIQUE, school text NOT NULL,
    type text NOT NULL, about uuid NOT NULL, thing uuid, actor uuid NOT NULL, action text NOT NULL,
    category text NOT NULL, outcome text NOT NULL, occurred_at timestamptz NOT NULL, event text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp());
