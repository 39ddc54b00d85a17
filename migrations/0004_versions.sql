-- Versions that were deployed on a target, by the tag and id of their image. A tag may be given to another image.
CREATE TABLE versions (
    target     TEXT NOT NULL,
    name       TEXT NOT NULL,
    image      TEXT NOT NULL,
    last_seen  BIGINT NOT NULL,
    version    TEXT NOT NULL,
    PRIMARY KEY (target, name, image)
);
