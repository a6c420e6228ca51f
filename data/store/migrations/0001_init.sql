-- The editions, whole, each immutable once it is published. A row's rang is its place in the edition.

CREATE TABLE edition (
    id           text PRIMARY KEY,
    titre        text,
    schematique  boolean NOT NULL,
    manifeste    text,
    croisements  text,
    rang         bigint GENERATED ALWAYS AS IDENTITY,
    etat         text NOT NULL DEFAULT 'brouillon' CHECK (etat IN ('brouillon', 'publiée', 'ancienne')),
    publiee_par  text,
    publiee_le   date
);
COMMENT ON TABLE edition IS 'Résultats complets d''une exécution ; une seule est publiée à la fois';
CREATE UNIQUE INDEX edition_publiee ON edition (etat) WHERE etat = 'publiée';

CREATE TABLE couche (
    edition      text NOT NULL,
    rang         bigint NOT NULL,
    couche       text NOT NULL,
    titre        text,
    epsg         bigint NOT NULL,
    schematique  boolean NOT NULL,
    source       text,
    table_zones  text NOT NULL,
    nombre_zones bigint NOT NULL,
    PRIMARY KEY (edition, rang)
);
COMMENT ON TABLE couche IS 'Couches de zones : un niveau et le millésime de ses contours';

CREATE TABLE zone (
    edition      text NOT NULL,
    couche       text NOT NULL,
    fid          bigint NOT NULL,
    geom         geometry(MultiPolygon),
    code         text,
    nom          text,
    communes     text,
    membres      text,
    type         text,
    aire_m2      double precision,
    PRIMARY KEY (edition, couche, fid)
);
COMMENT ON TABLE zone IS 'Zones de chaque couche, dans la projection légale';
CREATE INDEX zone_geom ON zone USING gist (geom);
CREATE INDEX zone_code ON zone (edition, couche, code);

CREATE TABLE equipement (
    edition text NOT NULL,
    rang    bigint NOT NULL,
    geom    geometry(Point) NOT NULL,
    code    text,
    nom     text,
    theme   text,
    source  text,
    PRIMARY KEY (edition, rang)
);
COMMENT ON TABLE equipement IS 'Équipements, dans la projection légale';
CREATE INDEX equipement_geom ON equipement USING gist (geom);

CREATE TABLE equipement_zone (
    edition             text NOT NULL,
    rang                bigint NOT NULL,
    position_equipement bigint NOT NULL,
    code_equipement     text,
    nom_equipement      text,
    theme               text,
    couche              text NOT NULL,
    code                text,
    nom                 text,
    PRIMARY KEY (edition, rang)
);
COMMENT ON TABLE equipement_zone IS 'Zones dans lesquelles se trouvent les équipements ; position_equipement compte à partir de 0';
CREATE INDEX equipement_zone_code ON equipement_zone (edition, couche, code);

CREATE TABLE recouvrement (
    edition       text NOT NULL,
    rang          bigint NOT NULL,
    couche_de     text NOT NULL,
    code_de       text,
    nom_de        text,
    couche_vers   text NOT NULL,
    code_vers     text,
    nom_vers      text,
    position_de   bigint NOT NULL,
    position_vers bigint NOT NULL,
    aire_m2       double precision NOT NULL,
    part_de       double precision NOT NULL,
    part_vers     double precision NOT NULL,
    marge_part    double precision NOT NULL,
    note          text,
    PRIMARY KEY (edition, rang)
);
COMMENT ON TABLE recouvrement IS 'Surfaces communes aux zones de deux couches';

CREATE TABLE indicateur (
    edition    text NOT NULL,
    rang       bigint NOT NULL,
    id         text NOT NULL,
    libelle    text,
    theme      text,
    unite      text,
    sens       text,
    regle      text,
    definition text NOT NULL,
    PRIMARY KEY (edition, rang)
);

CREATE TABLE serie (
    edition        text NOT NULL,
    rang           bigint NOT NULL,
    indicateur     text NOT NULL,
    couche         text NOT NULL,
    code           text,
    millesime      bigint,
    sexe           text,
    valeur         double precision,
    statut         text NOT NULL,
    nature         text NOT NULL,
    methode        text,
    retenue        boolean NOT NULL,
    couverture     double precision,
    nombre_sources bigint NOT NULL,
    part_max       double precision NOT NULL,
    methode_min    double precision,
    methode_max    double precision,
    ic95_bas       double precision,
    ic95_haut      double precision,
    fiabilite      text,
    source         text,
    note           text,
    PRIMARY KEY (edition, rang)
);
COMMENT ON TABLE serie IS 'Une valeur par indicateur, zone, millésime, sexe et méthode ; retenue : celle qui est affichée';
COMMENT ON COLUMN serie.valeur IS 'Absente sauf si statut = disponible';
CREATE INDEX serie_code ON serie (edition, indicateur, code);

CREATE TABLE ecart (
    edition          text NOT NULL,
    rang             bigint NOT NULL,
    indicateur       text NOT NULL,
    couche           text NOT NULL,
    code             text,
    millesime        bigint,
    sexe             text,
    couche_reference text,
    code_reference   text,
    valeur           double precision,
    valeur_reference double precision,
    ecart            double precision,
    unite            text,
    rapport          double precision,
    reference_inclut boolean NOT NULL,
    statut           text NOT NULL,
    motif            text,
    PRIMARY KEY (edition, rang)
);
COMMENT ON TABLE ecart IS 'Écarts des zones à leurs territoires de référence';
CREATE INDEX ecart_code ON ecart (edition, indicateur, code);

CREATE TABLE evolution (
    edition          text NOT NULL,
    rang             bigint NOT NULL,
    indicateur       text NOT NULL,
    couche           text NOT NULL,
    code             text,
    depuis           bigint NOT NULL,
    millesime        bigint,
    sexe             text,
    couche_reference text,
    code_reference   text,
    comparaison      boolean NOT NULL,
    avant            double precision,
    apres            double precision,
    evolution        double precision,
    unite            text,
    seuil            double precision,
    verdict          text,
    lecture          text,
    statut           text NOT NULL,
    motif            text,
    garde            text,
    convention       text,
    PRIMARY KEY (edition, rang)
);
COMMENT ON TABLE evolution IS 'Évolutions des valeurs des quartiers, et de leurs écarts aux références, entre deux millésimes';
CREATE INDEX evolution_code ON evolution (edition, indicateur, code);

CREATE TABLE rang (
    edition    text NOT NULL,
    rang       bigint NOT NULL,
    indicateur text NOT NULL,
    couche     text NOT NULL,
    code       text,
    millesime  bigint,
    sexe       text,
    valeur     double precision,
    place      bigint NOT NULL,
    ex_aequo   bigint NOT NULL,
    sur        bigint NOT NULL,
    statut     text NOT NULL,
    motif      text,
    garde      text,
    convention text,
    PRIMARY KEY (edition, rang)
);
COMMENT ON TABLE rang IS 'Rangs des quartiers d''une couche, 1 étant la valeur la plus élevée ; place 0 : pas de rang';
CREATE INDEX rang_code ON rang (edition, indicateur, code);

CREATE TABLE ecart_sexe (
    edition    text NOT NULL,
    rang       bigint NOT NULL,
    indicateur text NOT NULL,
    couche     text NOT NULL,
    code       text,
    millesime  bigint,
    sexe       text,
    femmes     double precision,
    hommes     double precision,
    ecart      double precision,
    unite      text,
    rapport    double precision,
    statut     text NOT NULL,
    motif      text,
    convention text,
    PRIMARY KEY (edition, rang)
);
COMMENT ON TABLE ecart_sexe IS 'Écarts des femmes aux hommes dans chaque zone';
CREATE INDEX ecart_sexe_code ON ecart_sexe (edition, indicateur, code);

CREATE TABLE concentration (
    edition              text NOT NULL,
    rang                 bigint NOT NULL,
    indicateur           text NOT NULL,
    couche               text NOT NULL,
    millesime            bigint,
    sexe                 text,
    couche_reference     text,
    code_reference       text,
    quartiers            bigint NOT NULL,
    part_quartiers       double precision,
    part_population      double precision,
    millesime_population bigint,
    indice               double precision,
    statut               text NOT NULL,
    motif                text,
    convention           text,
    PRIMARY KEY (edition, rang)
);
COMMENT ON TABLE concentration IS 'Part des quartiers dans un territoire, rapportée à leur part de ses habitants';

CREATE TABLE source (
    edition         text NOT NULL,
    rang            bigint NOT NULL,
    id              text NOT NULL,
    fiche           text,
    fiche_sha256    text,
    titre           text,
    producteur      text,
    licence         text,
    page            text,
    fichier         text,
    sha256          text,
    octets          bigint NOT NULL,
    edition_source  bigint,
    niveau          text,
    geographie      bigint,
    lignes          bigint NOT NULL,
    lignes_retenues bigint NOT NULL,
    legende         text,
    codes_inconnus  text,
    remarques       text,
    PRIMARY KEY (edition, rang)
);
COMMENT ON TABLE source IS 'Fichiers dont une édition est faite';

CREATE TABLE alerte (
    edition text NOT NULL,
    rang    bigint NOT NULL,
    id      text NOT NULL,
    genre   text,
    gravite text,
    objet   text,
    message text,
    PRIMARY KEY (edition, rang)
);

CREATE TABLE journal (
    rang    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    jour    date NOT NULL,
    par     text NOT NULL,
    action  text NOT NULL CHECK (action IN ('publier', 'retirer')),
    edition text NOT NULL
);
COMMENT ON TABLE journal IS 'Publications et retraits';

-- The parsed tables: each in a table src_<numero> of its own.

CREATE TABLE lecture (
    id              text PRIMARY KEY,
    fiche           text,
    fiche_sha256    text,
    titre           text,
    producteur      text,
    licence         text,
    page            text,
    fichier         text,
    sha256          text,
    octets          bigint NOT NULL,
    edition_source  bigint,
    niveau          text,
    geographie      bigint,
    lignes          bigint NOT NULL,
    lignes_retenues bigint NOT NULL,
    legende         text,
    codes_inconnus  text,
    remarques       text
);
COMMENT ON TABLE lecture IS 'Fichiers lus, chacun dans une table src_<numero> : voir lecture_forme';

CREATE TABLE lecture_forme (
    source text PRIMARY KEY,
    numero bigint NOT NULL UNIQUE,
    longue boolean NOT NULL
);

CREATE TABLE lecture_colonne (
    source    text NOT NULL,
    position  bigint NOT NULL,
    variable  text NOT NULL,
    sexe      text,
    millesime bigint,
    entete    text,
    colonne   text,
    PRIMARY KEY (source, position)
);
COMMENT ON TABLE lecture_colonne IS 'Ce que mesure chaque colonne v<position> d''une table src_<numero>';
