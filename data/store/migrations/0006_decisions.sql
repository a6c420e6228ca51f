-- Who decided what on an edition, and what was written of its zones.

CREATE TABLE decision (
    edition    text NOT NULL,
    rang       bigint NOT NULL,
    garde      text NOT NULL,
    portee     text NOT NULL,
    objet      text,
    decision   text NOT NULL,
    auteur     text,
    motif      text,
    date       text,
    empreinte  text,
    convention text,
    PRIMARY KEY (edition, rang)
);
COMMENT ON TABLE decision IS 'Décisions sous lesquelles l''édition a été faite ou publiée : gardes levées, anomalies examinées';
COMMENT ON COLUMN decision.garde IS 'La garde levée, ou « anomalie »';
COMMENT ON COLUMN decision.portee IS 'Indicateur, zone, les deux ou * ; ou l''identifiant de l''anomalie';
COMMENT ON COLUMN decision.empreinte IS 'Contenu de l''anomalie sur lequel la décision a été prise';

CREATE TABLE commentaire (
    edition  text NOT NULL,
    rang     bigint NOT NULL,
    code     text NOT NULL,
    texte    text,
    auteur   text,
    date     text,
    a_relire text,
    PRIMARY KEY (edition, rang)
);
COMMENT ON TABLE commentaire IS 'Commentaires des zones';
COMMENT ON COLUMN commentaire.a_relire IS 'Pourquoi il est à relire ; absent tant que ses chiffres tiennent';
