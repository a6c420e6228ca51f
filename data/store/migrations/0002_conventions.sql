-- What partners give is shown under their convention; an empty one is open data.

ALTER TABLE serie ADD COLUMN convention text;
ALTER TABLE ecart ADD COLUMN convention text;
ALTER TABLE alerte ADD COLUMN convention text;
ALTER TABLE source ADD COLUMN convention text, ADD COLUMN depose text;
ALTER TABLE lecture ADD COLUMN convention text, ADD COLUMN depose text;
