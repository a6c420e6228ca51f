-- How far each method is from the producer, wherever both give a figure.

CREATE TABLE calibration (
    edition            text NOT NULL,
    rang               bigint NOT NULL,
    indicateur         text NOT NULL,
    couche             text NOT NULL,
    millesime          bigint,
    sexe               text,
    methode            text NOT NULL,
    nombre             bigint NOT NULL,
    unite              text NOT NULL,
    ecart_moyen        double precision NOT NULL,
    ecart_absolu_moyen double precision NOT NULL,
    ecart_median       double precision NOT NULL,
    zone_extreme       text,
    ecart_extreme      double precision NOT NULL,
    rang_methode       bigint NOT NULL,
    PRIMARY KEY (edition, rang)
);
COMMENT ON TABLE calibration IS 'Écart de chaque méthode au producteur, là où les deux donnent une valeur';
COMMENT ON COLUMN calibration.millesime IS 'Absent : tous les millésimes et tous les sexes ensemble';
COMMENT ON COLUMN calibration.rang_methode IS 'Place de la méthode pour cet indicateur, 0 si elle n''a pas été classée par son écart';
