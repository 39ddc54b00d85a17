-- Times at which nothing but reads and halts could be done. At most one has no end.
CREATE TABLE lockdowns (
    since      BIGINT PRIMARY KEY,
    by         TEXT NOT NULL,
    reason     TEXT NOT NULL,
    lifted_at  BIGINT,
    lifted_by  TEXT,
    lifted_why TEXT
);

CREATE UNIQUE INDEX lockdown_stands ON lockdowns ((1)) WHERE lifted_at IS NULL;

-- What everybody in the channel is told that belongs to no run. Written with what it is about.
CREATE TABLE notices (
    number       BIGINT PRIMARY KEY,
    at           BIGINT NOT NULL,
    notice       TEXT NOT NULL,
    delivered_at BIGINT
);

CREATE INDEX notices_waiting ON notices (number) WHERE delivered_at IS NULL;

-- Which servers a target is, so that drbot notices when a name leads to others.
CREATE TABLE fingerprints (
    target      TEXT NOT NULL,
    -- postgres: the cluster's system identifier; docker: the engine's id.
    kind        TEXT NOT NULL,
    value       TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    by          TEXT NOT NULL,
    PRIMARY KEY (target, kind)
);
