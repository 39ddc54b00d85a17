-- Who is called in a disaster, in the order of the file they came from.
CREATE TABLE contacts (
    position  BIGINT NOT NULL,
    role      TEXT NOT NULL,
    name      TEXT NOT NULL,
    discord   TEXT,
    phone     TEXT,
    phone_2   TEXT,
    emergency TEXT,
    PRIMARY KEY (role, name)
);

-- When people are called because a recovery takes long. Fixed when the run is created; settled once, by the journal entry
-- that uses it, passes it over, or makes it needless.
CREATE TABLE rungs (
    run        TEXT NOT NULL REFERENCES runs (id),
    percent    BIGINT NOT NULL,
    due_at     BIGINT NOT NULL,
    settled_at BIGINT,
    -- paged, passed-over or not-needed
    how        TEXT,
    PRIMARY KEY (run, percent)
);

CREATE INDEX rungs_open ON rungs (due_at) WHERE settled_at IS NULL;
