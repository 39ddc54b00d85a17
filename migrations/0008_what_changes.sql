-- Which runs may have changed their target: taking back looks at these alone, and at none twice that turned out to have left
-- it as it was. Of what was there before nobody knows, so it is looked at.
ALTER TABLE runs ADD COLUMN may_change BIGINT NOT NULL DEFAULT 1;
ALTER TABLE runs ADD COLUMN changed_nothing BIGINT NOT NULL DEFAULT 0;

CREATE INDEX runs_that_may_change ON runs (COALESCE(target, ''), created_at, id) WHERE may_change = 1;
