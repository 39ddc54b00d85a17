-- By which ways somebody wants to be paged, first things first, separated by spaces; none when they do not care.
ALTER TABLE contacts ADD COLUMN prefers TEXT;
-- When somebody last saw that the contact is reached, and who; none after a number or an address was changed.
ALTER TABLE contacts ADD COLUMN verified_at BIGINT;
ALTER TABLE contacts ADD COLUMN verified_by TEXT;
