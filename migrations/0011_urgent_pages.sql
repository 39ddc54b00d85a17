-- Whether a page is of the end of the deadline ladder: those go first, whatever else waits.
ALTER TABLE pages ADD COLUMN urgent BIGINT NOT NULL DEFAULT 0;
-- How many attempts of it may have arrived.
ALTER TABLE pages ADD COLUMN doubtful BIGINT NOT NULL DEFAULT 0;
