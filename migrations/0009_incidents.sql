-- One row an incident. What happened in it is in its journal; this is for finding it.
CREATE TABLE incidents (
    id        TEXT PRIMARY KEY,
    scenario  TEXT NOT NULL,
    target    TEXT,
    -- What asked for it (an interaction's id, an alert): delivered twice, it opens one.
    request   TEXT NOT NULL UNIQUE,
    opened_at BIGINT NOT NULL,
    closed_at BIGINT,
    -- When something of it is due next; kept with each event. None while nothing is.
    due_at    BIGINT
);

CREATE INDEX incidents_open ON incidents (opened_at) WHERE closed_at IS NULL;
CREATE INDEX incidents_due ON incidents (due_at) WHERE due_at IS NOT NULL;

-- The only truth about an incident. Append-only.
CREATE TABLE incident_journal (
    incident TEXT NOT NULL REFERENCES incidents (id),
    seq      BIGINT NOT NULL,
    at       BIGINT NOT NULL,
    kind     TEXT NOT NULL,
    event    TEXT NOT NULL,
    -- What people are told of it, until Discord has it.
    told_at  BIGINT,
    PRIMARY KEY (incident, seq)
);

CREATE INDEX incident_journal_untold ON incident_journal (incident, seq) WHERE told_at IS NULL;

-- Where an incident's post and thread are.
CREATE TABLE incident_posts (
    incident TEXT PRIMARY KEY REFERENCES incidents (id),
    channel  TEXT NOT NULL,
    message  TEXT NOT NULL,
    thread   TEXT,
    -- The last state that was shown is the final one: nothing is left to edit.
    final    BIGINT NOT NULL DEFAULT 0
);

-- Pages that go to somebody beside the mention in the thread: one row a page, contact and way. Written with the event that
-- calls people; claimed before it is sent, settled after.
CREATE TABLE pages (
    incident   TEXT NOT NULL REFERENCES incidents (id),
    seq        BIGINT NOT NULL,
    role       TEXT NOT NULL,
    name       TEXT NOT NULL,
    way        TEXT NOT NULL,
    level      TEXT NOT NULL,
    due_at     BIGINT NOT NULL,
    -- How often it was begun to be sent, by which process last, and whether one of those may have arrived.
    attempts   BIGINT NOT NULL DEFAULT 0,
    claimed_by TEXT,
    may_repeat BIGINT NOT NULL DEFAULT 0,
    settled_at BIGINT,
    -- delivered, undeliverable or cancelled
    how        TEXT,
    PRIMARY KEY (incident, seq, role, name, way, level)
);

CREATE INDEX pages_open ON pages (due_at) WHERE settled_at IS NULL;

-- The incident that a run recovers from.
ALTER TABLE runs ADD COLUMN incident TEXT;

CREATE INDEX runs_of_incident ON runs (incident) WHERE incident IS NOT NULL;

-- Links in pages: whoever has one may acknowledge, once, as the contact it was sent to. Only a digest of it is kept.
CREATE TABLE ack_links (
    digest     TEXT PRIMARY KEY,
    incident   TEXT NOT NULL,
    role       TEXT NOT NULL,
    name       TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
);
