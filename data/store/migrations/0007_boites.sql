-- The boxes of a layer's zones, in their order: xmin, ymin, xmax, ymax of each, NaN for a zone without contour. Which
-- contours to read is found in them at once, where the index of the geometries is gone through for each box asked for.

ALTER TABLE couche ADD COLUMN boites bytea;
ALTER TABLE couche ALTER COLUMN boites SET STORAGE EXTERNAL;
UPDATE couche c SET boites = (
    SELECT string_agg(float8send(coalesce(ST_XMin(z.geom), 'NaN')) || float8send(coalesce(ST_YMin(z.geom), 'NaN'))
        || float8send(coalesce(ST_XMax(z.geom), 'NaN')) || float8send(coalesce(ST_YMax(z.geom), 'NaN')), ''::bytea ORDER BY z.fid)
    FROM zone z WHERE z.edition = c.edition AND z.couche = c.couche);

-- No query of the observatory looks a zone up by its code, and the index took as long to write as the zones.
DROP INDEX zone_code;
