-- What readers see: the published edition, open data only. A view of each layer, vue_<layer>, is made when an edition is
-- published. The style of each is in layer_styles, which QGIS reads.

CREATE VIEW serie_publiee AS
    SELECT v.indicateur, v.couche, v.code, v.millesime, v.sexe, v.valeur, v.statut, v.nature, v.methode, v.retenue, v.couverture,
           v.nombre_sources, v.part_max, v.methode_min, v.methode_max, v.ic95_bas, v.ic95_haut, v.fiabilite, v.source, v.note
    FROM serie v
    JOIN edition e ON e.id = v.edition AND e.etat = 'publiée'
    JOIN couche c ON c.edition = v.edition AND c.couche = v.couche AND coalesce(c.source, '') NOT LIKE 'convention %'
    WHERE v.convention IS NULL;
COMMENT ON VIEW serie_publiee IS 'Séries de l''édition publiée, données ouvertes : une valeur par indicateur, zone, millésime, sexe et méthode ; retenue : celle qui est affichée';

CREATE VIEW ecart_publie AS
    SELECT x.indicateur, x.couche, x.code, x.millesime, x.sexe, x.couche_reference, x.code_reference, x.valeur, x.valeur_reference,
           x.ecart, x.unite, x.rapport, x.reference_inclut, x.statut, x.motif
    FROM ecart x
    JOIN edition e ON e.id = x.edition AND e.etat = 'publiée'
    JOIN couche c ON c.edition = x.edition AND c.couche = x.couche AND coalesce(c.source, '') NOT LIKE 'convention %'
    JOIN couche r ON r.edition = x.edition AND r.couche = x.couche_reference AND coalesce(r.source, '') NOT LIKE 'convention %'
    WHERE x.convention IS NULL;
COMMENT ON VIEW ecart_publie IS 'Écarts aux territoires de référence, de l''édition publiée, données ouvertes';

CREATE VIEW recouvrement_publie AS
    SELECT o.couche_de, o.code_de, o.nom_de, o.couche_vers, o.code_vers, o.nom_vers, o.aire_m2, o.part_de, o.part_vers, o.marge_part, o.note
    FROM recouvrement o
    JOIN edition e ON e.id = o.edition AND e.etat = 'publiée'
    JOIN couche d ON d.edition = o.edition AND d.couche = o.couche_de AND coalesce(d.source, '') NOT LIKE 'convention %'
    JOIN couche v ON v.edition = o.edition AND v.couche = o.couche_vers AND coalesce(v.source, '') NOT LIKE 'convention %';
COMMENT ON VIEW recouvrement_publie IS 'Surfaces communes aux zones de deux couches, de l''édition publiée';

CREATE VIEW indicateur_publie AS
    SELECT i.rang, i.id, i.libelle, i.theme, i.unite, i.sens, i.regle
    FROM indicateur i
    JOIN edition e ON e.id = i.edition AND e.etat = 'publiée'
    WHERE EXISTS (SELECT FROM serie_publiee v WHERE v.indicateur = i.id);
COMMENT ON VIEW indicateur_publie IS 'Indicateurs de l''édition publiée qui ont une valeur ouverte';

-- The millésime to show of each indicator on a layer, as the server does: the last of those that describe at least half as
-- many zones as the best filled. Years that the producer does not say, less the year of their file, come after.
CREATE VIEW valeur_recente AS
    WITH v AS (SELECT * FROM serie_publiee WHERE retenue AND sexe = 'T' AND millesime IS NOT NULL),
         n AS (SELECT couche, indicateur, millesime, count(valeur) AS n FROM v GROUP BY couche, indicateur, millesime),
         b AS (SELECT n.*, max(n) OVER (PARTITION BY couche, indicateur) AS best FROM n),
         r AS (SELECT couche, indicateur, millesime, row_number() OVER (PARTITION BY couche, indicateur
                   ORDER BY millesime > 0 DESC, abs(millesime) DESC) AS place FROM b WHERE 2 * n >= best)
    SELECT v.* FROM v JOIN r USING (couche, indicateur, millesime) WHERE place = 1;
COMMENT ON VIEW valeur_recente IS 'Valeurs affichées, tous sexes, du millésime le plus récent de chaque indicateur sur chaque couche';

CREATE VIEW ecart_recent AS
    SELECT x.*, regexp_replace(x.couche_reference, '-[0-9]+$', '') AS niveau_reference
    FROM ecart_publie x
    JOIN (SELECT DISTINCT couche, indicateur, millesime FROM valeur_recente) r USING (couche, indicateur, millesime)
    WHERE x.sexe = 'T' AND x.ecart IS NOT NULL;
COMMENT ON VIEW ecart_recent IS 'Écarts du même millésime que valeur_recente';

-- As QGIS makes it.
CREATE TABLE layer_styles (
    id                serial PRIMARY KEY,
    f_table_catalog   varchar,
    f_table_schema    varchar,
    f_table_name      varchar,
    f_geometry_column varchar,
    stylename         text,
    styleqml          xml,
    stylesld          xml,
    useasdefault      boolean,
    description       text,
    owner             varchar(63),
    ui                xml,
    update_time       timestamp DEFAULT CURRENT_TIMESTAMP,
    type              varchar
);
COMMENT ON TABLE layer_styles IS 'Styles des vues, lus par QGIS ; ceux dont owner vaut observatoire sont refaits à chaque publication';

CREATE TABLE vue (
    nom    text PRIMARY KEY,
    couche text NOT NULL
);
COMMENT ON TABLE vue IS 'Vues vue_* faites à la publication';
