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

-- What a publication computes once, so that reading a view costs a look-up: the millésime to show of each indicator on a
-- layer, as the server does (the last of those that describe at least half as many zones as the best filled; years that
-- the producer does not say, less the year of their file, come after), and the figures of each zone, by indicator.
CREATE TABLE millesime_recent (
    couche     text NOT NULL,
    indicateur text NOT NULL,
    millesime  bigint NOT NULL,
    PRIMARY KEY (couche, indicateur)
);
COMMENT ON TABLE millesime_recent IS 'Millésime affiché de chaque indicateur sur chaque couche ; refaite à chaque publication';

CREATE TABLE zone_recente (
    couche  text NOT NULL,
    code    text NOT NULL,
    valeurs jsonb,
    ecarts  jsonb,
    PRIMARY KEY (couche, code)
);
COMMENT ON TABLE zone_recente IS 'Chiffres affichés de chaque zone, données ouvertes, lus par les vues vue_* ; refaite à chaque publication';
COMMENT ON COLUMN zone_recente.valeurs IS 'Par indicateur : valeur, statut, fiabilité, millésime';
COMMENT ON COLUMN zone_recente.ecarts IS 'Par indicateur et niveau de la référence';

CREATE VIEW valeur_recente AS
    SELECT v.* FROM serie_publiee v JOIN millesime_recent r USING (couche, indicateur, millesime) WHERE v.retenue AND v.sexe = 'T';
COMMENT ON VIEW valeur_recente IS 'Valeurs affichées, tous sexes, du millésime le plus récent de chaque indicateur sur chaque couche';

CREATE VIEW ecart_recent AS
    SELECT x.*, regexp_replace(x.couche_reference, '-[0-9]+$', '') AS niveau_reference
    FROM ecart_publie x JOIN millesime_recent r USING (couche, indicateur, millesime) WHERE x.sexe = 'T' AND x.ecart IS NOT NULL;
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
