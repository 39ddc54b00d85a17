-- Types are TEXT and BIGINT only, so that the same statements serve SQLite and PostgreSQL. Times are microseconds
-- since 1970, UTC. Ids are text.

-- One row a run. What happened in it is in the journal; this is for finding it.
CREATE TABLE runs (
    id          TEXT PRIMARY KEY,
    command     TEXT NOT NULL,
    target      TEXT,
    -- The request that asked for it (an interaction's id): delivered twice, it acts once.
    request     TEXT NOT NULL UNIQUE,
    created_at  BIGINT NOT NULL,
    finished_at BIGINT,
    outcome     TEXT,
    -- The process that may write it, and how many have owned it so far. Every write checks both.
    owner       TEXT NOT NULL,
    generation  BIGINT NOT NULL
);

CREATE INDEX runs_unfinished ON runs (created_at) WHERE finished_at IS NULL;

-- The only truth about a run. Append-only.
CREATE TABLE journal (
    run   TEXT NOT NULL REFERENCES runs (id),
    seq   BIGINT NOT NULL,
    at    BIGINT NOT NULL,
    kind  TEXT NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (run, seq)
);

-- One run at a time on each of these names; given back with the run's last event.
CREATE TABLE locks (
    name TEXT PRIMARY KEY,
    run  TEXT NOT NULL REFERENCES runs (id)
);

-- Row counts and newest record of a target's database at a moment: what is known when it cannot be read any more.
CREATE TABLE samples (
    target TEXT NOT NULL,
    at     BIGINT NOT NULL,
    sample TEXT NOT NULL,
    PRIMARY KEY (target, at)
);

-- Clicks and modals that were acted upon, by interaction id.
CREATE TABLE received (
    id TEXT PRIMARY KEY,
    at BIGINT NOT NULL
);
