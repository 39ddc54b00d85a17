-- Every broken glass has to be looked at by somebody else.
CREATE TABLE reviews (
    run         TEXT NOT NULL,
    -- The journal's number of the event.
    seq         BIGINT NOT NULL,
    command     TEXT NOT NULL,
    breaker     TEXT NOT NULL,
    name        TEXT NOT NULL,
    opened_at   BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,
    -- When the channel is told next that it is overdue.
    remind_at   BIGINT NOT NULL,
    reviewed_at BIGINT,
    reviewed_by TEXT,
    note        TEXT,
    PRIMARY KEY (run, seq)
);

CREATE INDEX reviews_open ON reviews (remind_at) WHERE reviewed_at IS NULL;
