-- What monitoring said: one row for each time that an alert fired.
CREATE TABLE alerts (
    source      TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    -- As its sender says; it may be long ago or in the future.
    starts_at   BIGINT NOT NULL,
    -- firing or resolved
    status      TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    -- When it was heard that it is over.
    resolved_at BIGINT,
    -- As it was first received.
    alert       TEXT NOT NULL,
    incident    TEXT,
    PRIMARY KEY (source, fingerprint, starts_at)
);

CREATE INDEX alerts_firing ON alerts (received_at) WHERE status = 'firing';
CREATE INDEX alerts_of_incidents ON alerts (incident) WHERE incident IS NOT NULL;

-- Signatures of requests that were taken, until they are too old to be taken again.
CREATE TABLE signatures (
    signature  TEXT PRIMARY KEY,
    expires_at BIGINT NOT NULL
);

-- Written before drbot says that it is well: a store that takes no write is none.
CREATE TABLE heartbeats (
    name TEXT PRIMARY KEY,
    at   BIGINT NOT NULL
);
