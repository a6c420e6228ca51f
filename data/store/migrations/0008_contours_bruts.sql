-- Contours as they are: coordinates hardly compress, and reading them took most of its time to expand them. Those written before stay as they were written.

ALTER TABLE zone ALTER COLUMN geom SET STORAGE EXTERNAL;
