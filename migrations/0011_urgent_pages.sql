-- Whether a page is of the end of the deadline ladder: those go first, whatever else waits.
ALTER TABLE pages ADD COLUMN urgent BIGINT NOT NULL DEFAULT 0;
