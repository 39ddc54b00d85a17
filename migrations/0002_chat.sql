-- Where a run's card is.
CREATE TABLE cards (
    run     TEXT PRIMARY KEY REFERENCES runs (id),
    channel TEXT NOT NULL,
    message TEXT NOT NULL,
    thread  TEXT,
    -- The last state that was shown is the final one: nothing is left to edit.
    final   BIGINT NOT NULL DEFAULT 0
);

-- What is still to be said of a journal entry, and where. Written in the same transaction as the entry.
CREATE TABLE outbox (
    run          TEXT NOT NULL,
    seq          BIGINT NOT NULL,
    delivery     TEXT NOT NULL,
    -- The first row of those that are sent as one message; fixed before sending, so that a repetition is the same message.
    batch        BIGINT,
    delivered_at BIGINT,
    PRIMARY KEY (run, seq, delivery)
);

CREATE INDEX outbox_waiting ON outbox (run, seq) WHERE delivered_at IS NULL;
