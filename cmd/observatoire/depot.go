package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"observatoire/data/store"
	"observatoire/geo"
	"observatoire/indicators"
	"observatoire/tiles"
)

// A depotColumn is what the dictionary says of a column of the tables.
type depotColumn struct{ kind, text string } // kind is a type of Frictionless: string, number, integer

// depotColumns describe every column of the tables, by name; one that means another thing in a table stands under "table.column".
var depotColumns = map[string]depotColumn{
	"indicateur": {"string", "identifiant de l'indicateur (table indicateurs)"}, "couche": {"string", "division du territoire et année de ses limites"},
	"code": {"string", "code de la zone"}, "nom": {"string", "nom de la zone"}, "millesime": {"integer", "année des chiffres ; vide si le producteur ne la donne pas"},
	"sexe": {"string", "T : ensemble ; F : femmes ; H : hommes"}, "valeur": {"number", "chiffre, dans l'unité de l'indicateur ; vide si le statut n'est pas « disponible »"},
	"unite": {"string", "unité du chiffre ou de l'écart"}, "statut": {"string", "disponible, ou pourquoi il n'y a pas de chiffre"}, "nature": {"string", "publiée par son producteur, calculée ou estimée"},
	"methode": {"string", "méthode par laquelle le chiffre est obtenu"}, "couverture": {"number", "part de la zone que les sources décrivent, de 0 à 1"},
	"methode_min": {"number", "plus petite valeur selon les méthodes applicables"}, "methode_max": {"number", "plus grande valeur selon les méthodes applicables"},
	"ic95_bas": {"number", "borne basse de l'intervalle à 95 % dû au sondage"}, "ic95_haut": {"number", "borne haute de l'intervalle à 95 % dû au sondage"},
	"fiabilite": {"string", "bonne, moyenne, fragile ou insuffisante"}, "source": {"string", "fiche, fichier et colonne dont vient le chiffre"},
	"reference": {"string", "couche du territoire de référence"}, "code_reference": {"string", "code du territoire de référence"}, "nom_reference": {"string", "nom du territoire de référence"},
	"valeur_reference": {"number", "valeur du territoire de référence"}, "ecart": {"number", "écart, dans l'unité de la colonne unite"}, "rapport": {"number", "première valeur divisée par la seconde"},
	"reference_inclut": {"string", "oui si la référence contient la zone"}, "motif": {"string", "pourquoi il n'y a pas de chiffre"}, "methode_reference": {"string", "méthode de la valeur de référence"},
	"fiabilite_reference": {"string", "fiabilité de la valeur de référence"}, "depuis": {"integer", "année de départ"}, "comparaison": {"string", "oui si la référence est un territoire de comparaison"},
	"avant": {"number", "valeur ou écart au départ"}, "apres": {"number", "valeur ou écart à l'arrivée"}, "evolution": {"number", "évolution, dans l'unité de la colonne unite"},
	"seuil": {"number", "ce que l'évolution doit dépasser pour avoir un verdict"}, "verdict": {"string", "hausse, baisse, stable, se creuse, se réduit, non concluant, non qualifiée"},
	"lecture": {"string", "favorable ou défavorable, selon le sens de l'indicateur"}, "garde": {"string", "règle de comparaison qui s'applique"}, "rang": {"integer", "rang parmi les quartiers de la couche ; 1 est la valeur la plus élevée"},
	"ex_aequo": {"integer", "nombre de quartiers au même rang, ou indiscernables"}, "sur": {"integer", "nombre de quartiers classés"}, "femmes": {"number", "valeur pour les femmes"}, "hommes": {"number", "valeur pour les hommes"},
	"quartiers": {"number", "effectif dans les quartiers"}, "part_quartiers": {"number", "part de l'effectif du territoire qui est dans ses quartiers"}, "part_population": {"number", "part des habitants du territoire qui est dans ses quartiers"},
	"millesime_population": {"integer", "année de la population"}, "indice": {"number", "part_quartiers divisée par part_population"},
	"couche_de": {"string", "couche de la première zone"}, "code_de": {"string", "code de la première zone"}, "nom_de": {"string", "nom de la première zone"},
	"couche_vers": {"string", "couche de la seconde zone"}, "code_vers": {"string", "code de la seconde zone"}, "nom_vers": {"string", "nom de la seconde zone"},
	"aire_m2": {"number", "surface commune, en m²"}, "part_de": {"number", "part de la première zone qui est dans la seconde, de 0 à 1"}, "part_vers": {"number", "part de la seconde zone qui est dans la première, de 0 à 1"},
	"marge_part": {"number", "de combien part_de varie si les limites bougent de 10 m"}, "note": {"string", "ce qu'il faut savoir"}, "nombre": {"integer", "nombre de comparaisons"},
	"ecart_moyen": {"number", "écart moyen de la méthode au producteur"}, "ecart_absolu_moyen": {"number", "écart absolu moyen"}, "ecart_median": {"number", "écart médian"},
	"code_extreme": {"string", "zone la plus éloignée"}, "nom_extreme": {"string", "son nom"}, "ecart_extreme": {"number", "son écart"}, "calibration.rang": {"integer", "rang de la méthode ; vide si elle n'est pas classée"},
	"id": {"string", "identifiant"}, "libelle": {"string", "libellé, avec sa base"}, "theme": {"string", "thème"}, "sens": {"string", "hausse_favorable, hausse_defavorable ou neutre"}, "formule": {"string", "formule"},
}

// depotTables are the tables of a deposit, in order, with their title and header.
func depotTables() []struct {
	name, title string
	header      []string
} {
	return []struct {
		name, title string
		header      []string
	}{
		{"series", "Séries : chaque chiffre, son statut, sa méthode et sa fiabilité", indicators.SeriesHeader},
		{"ecarts", "Écarts aux territoires de référence", indicators.EcartsHeader},
		{"evolutions", "Évolutions d'un millésime à l'autre", indicators.EvolutionsHeader},
		{"rangs", "Rangs des quartiers", indicators.RangsHeader},
		{"femmes-hommes", "Écarts entre femmes et hommes", indicators.FemmesHommesHeader},
		{"concentration", "Concentration dans les quartiers", indicators.ConcentrationHeader},
		{"recouvrements", "Recouvrements entre couches", indicators.OverlapsHeader},
		{"calibration", "Écarts des méthodes d'estimation aux valeurs des producteurs", indicators.CalibrationHeader},
	}
}

// writeDepot writes an edition as an open-data deposit in the folder out: tables as CSV and Parquet, layers as GeoJSON and GeoParquet, all of it as a GeoPackage,
// a dictionary, Frictionless and DCAT descriptions, licence and checksums. day is that of its publication, AAAA-MM-JJ, and by who published it.
func writeDepot(ctx context.Context, e *indicators.Edition, day, by, out string) ([]string, error) {
	if day == "" {
		return nil, refused{fmt.Errorf("edition %s is a draft: an open-data deposit is of a published edition: `observatoire publish --by NAME` first", e.ID)}
	}
	if found, err := os.ReadDir(out); err == nil && len(found) > 0 {
		return nil, refused{fmt.Errorf("%s: the folder holds something already: name a new one", out)}
	}
	var written []string
	for _, x := range [][2]string{{"csv", "tables"}, {"parquet", "tables"}, {"geojson", "couches"}} {
		more, err := writeExport(e, "", x[0], filepath.Join(out, x[1]))
		written = append(written, more...)
		if err != nil {
			return written, err
		}
	}
	for i, path := range written { // GeoParquet of the layers is with the layers
		name := strings.TrimSuffix(filepath.Base(path), ".parquet")
		if filepath.Ext(path) == ".parquet" && e.Layer(geo.Layer(name)) != nil {
			to := filepath.Join(out, "couches", filepath.Base(path))
			if err := os.Rename(path, to); err != nil {
				return written, err
			}
			written[i] = to
		}
	}
	put := func(name string, f func(io.Writer) error) error {
		path := filepath.Join(out, name)
		written = append(written, path)
		return writeFile(path, f)
	}
	if err := put("edition.gpkg", func(w io.Writer) error { return packed(ctx, w, e, day, by) }); err != nil {
		return written, err
	}
	if err := put("dictionnaire.csv", writeDictionary); err != nil {
		return written, err
	}
	defs := [][]string{{"id", "libelle", "theme", "unite", "sens", "formule", "note"}}
	for _, d := range e.Indicators {
		defs = append(defs, []string{d.ID, d.Label, d.Theme, d.Unit, d.Direction, d.Formula(), d.Note})
	}
	if err := put("tables/indicateurs.csv", func(w io.Writer) error { return rfc4180(w, defs) }); err != nil {
		return written, err
	}
	licences := []string{}
	for _, s := range e.Sources {
		if s.Licence != "" && !slices.Contains(licences, s.Licence) {
			licences = append(licences, s.Licence)
		}
	}
	slices.Sort(licences)
	if err := put("LICENCE.txt", func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s, édition %s du %s.\n\nLes chiffres et contours viennent de sources sous :\n\n  %s\n\nReprendre ces données demande de respecter chacune de ces licences, d'en citer les producteurs\net de dire l'édition. Mention à reproduire :\n\n  %s\n",
			e.Title, e.ID, day, strings.Join(licences, "\n  "), tiles.Mention(e))
		return err
	}); err != nil {
		return written, err
	}
	slices.Sort(written)
	var files []depotFile
	for _, path := range written {
		f, err := depotFileOf(out, path)
		if err != nil {
			return written, err
		}
		files = append(files, f)
	}
	if err := put("datapackage.json", func(w io.Writer) error { return writeJSONFile(w, datapackage(e, day, licences, files)) }); err != nil {
		return written, err
	}
	if err := put("catalogue.jsonld", func(w io.Writer) error { return writeJSONFile(w, catalogueLD(e, day, licences, files)) }); err != nil {
		return written, err
	}
	for _, name := range []string{"datapackage.json", "catalogue.jsonld"} {
		f, err := depotFileOf(out, filepath.Join(out, name))
		if err != nil {
			return written, err
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b depotFile) int { return strings.Compare(a.path, b.path) })
	err := put("SHA256SUMS", func(w io.Writer) error { // as sha256sum -c reads it
		for _, f := range files {
			if _, err := fmt.Fprintf(w, "%s  %s\n", f.sha256, f.path); err != nil {
				return err
			}
		}
		return nil
	})
	return written, err
}

// A depotFile is a file of a deposit; its path is from the folder, with slashes.
type depotFile struct {
	path, sha256 string
	bytes        int64
}

func depotFileOf(folder, path string) (depotFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return depotFile{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return depotFile{}, err
	}
	name, err := filepath.Rel(folder, path)
	return depotFile{filepath.ToSlash(name), fmt.Sprintf("%x", h.Sum(nil)), n}, err
}

// packed writes an edition as a GeoPackage of its own: what the store keeps once it is published, views and styles for QGIS included.
func packed(ctx context.Context, w io.Writer, e *indicators.Edition, day, by string) error {
	dir, err := os.MkdirTemp("", "observatoire-depot")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "edition.gpkg")
	st, err := store.Open(ctx, path, dir)
	if err != nil {
		return err
	}
	if err = st.PutEdition(ctx, e); err == nil {
		err = st.Publish(ctx, e.ID, by, day)
	}
	if closed := st.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	_, err = io.Copy(w, in)
	return err
}

func rfc4180(w io.Writer, rows [][]string) error {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	return c.WriteAll(rows)
}

func depotColumnOf(table, column string) depotColumn {
	if c, ok := depotColumns[table+"."+column]; ok {
		return c
	}
	return depotColumns[column]
}

func writeDictionary(w io.Writer) error {
	rows := [][]string{{"table", "colonne", "type", "description"}}
	for _, t := range depotTables() {
		for _, column := range t.header {
			c := depotColumnOf(t.name, column)
			rows = append(rows, []string{t.name, column, c.kind, c.text})
		}
	}
	return rfc4180(w, rows)
}

func writeJSONFile(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// mediaTypes are those of the files of a deposit, by extension.
var mediaTypes = map[string]string{".csv": "text/csv", ".parquet": "application/vnd.apache.parquet", ".geojson": "application/geo+json", ".gpkg": "application/geopackage+sqlite3", ".txt": "text/plain"}

// datapackage is the deposit as a Frictionless Data Package (v1): every file, its digest, the schema of every CSV.
func datapackage(e *indicators.Edition, day string, licences []string, files []depotFile) any {
	type m = map[string]any
	var resources []m
	for _, f := range files {
		ext := filepath.Ext(f.path)
		base := strings.TrimSuffix(filepath.Base(f.path), ext)
		r := m{"name": strings.ToLower(base + "-" + ext[1:]), "path": f.path, "format": ext[1:], "mediatype": mediaTypes[ext], "bytes": f.bytes, "hash": "sha256:" + f.sha256}
		for _, t := range depotTables() {
			if ext != ".csv" || t.name != base {
				continue
			}
			fields := []m{}
			for _, column := range t.header {
				c := depotColumnOf(t.name, column)
				fields = append(fields, m{"name": column, "type": c.kind, "description": c.text})
			}
			r["title"], r["profile"], r["encoding"], r["schema"] = t.title, "tabular-data-resource", "utf-8", m{"fields": fields, "missingValues": []string{""}}
		}
		resources = append(resources, r)
	}
	var sources, allowed []m
	for _, s := range e.Sources {
		x := m{"title": strings.TrimSpace(s.Title + ", " + s.File + " (" + s.Producer + ")")}
		if s.Page != "" {
			x["path"] = s.Page
		}
		sources = append(sources, x)
	}
	for _, l := range licences {
		x := m{"title": l, "name": "other-open"}
		if strings.HasPrefix(l, "Licence Ouverte 2.0") {
			x["name"], x["path"] = "etalab-2.0", "https://www.etalab.gouv.fr/licence-ouverte-open-licence/"
		}
		allowed = append(allowed, x)
	}
	out := m{"profile": "data-package", "name": strings.ToLower("observatoire-" + e.ID), "title": e.Title, "version": e.ID, "created": day + "T00:00:00Z", "description": tiles.Mention(e), "resources": resources}
	if allowed != nil {
		out["licenses"] = allowed
	}
	if sources != nil {
		out["sources"] = sources
	}
	return out
}

// catalogueLD is the deposit as DCAT (JSON-LD): a dataset and its distributions, whose addresses are those of the files beside it.
func catalogueLD(e *indicators.Edition, day string, licences []string, files []depotFile) any {
	type m = map[string]any
	var distributions []m
	for _, f := range files {
		distributions = append(distributions, m{"@type": "dcat:Distribution", "dct:title": f.path, "dcat:downloadURL": m{"@id": f.path}, "dcat:mediaType": mediaTypes[filepath.Ext(f.path)],
			"dcat:byteSize": f.bytes, "spdx:checksum": m{"@type": "spdx:Checksum", "spdx:algorithm": m{"@id": "spdx:checksumAlgorithm_sha256"}, "spdx:checksumValue": f.sha256}})
	}
	from, to := 0, 0
	for i := range e.Values {
		if y := e.Values[i].Millesime; y > 0 && (from == 0 || y < from) {
			from = y
		}
		to = max(to, e.Values[i].Millesime)
	}
	set := m{"@type": "dcat:Dataset", "@id": "#" + e.ID, "dct:title": m{"@language": "fr", "@value": e.Title}, "dct:identifier": e.ID, "dct:description": m{"@language": "fr", "@value": tiles.Mention(e)},
		"dct:issued": m{"@type": "xsd:date", "@value": day}, "dct:language": m{"@id": "http://publications.europa.eu/resource/authority/language/FRA"},
		"dcat:keyword": []string{"politique de la ville", "QPV", "quartiers prioritaires", "IRIS", "indicateurs"}, "dct:license": licences, "dcat:distribution": distributions}
	if from > 0 {
		set["dct:temporal"] = m{"@type": "dct:PeriodOfTime", "dcat:startDate": m{"@type": "xsd:gYear", "@value": fmt.Sprint(from)}, "dcat:endDate": m{"@type": "xsd:gYear", "@value": fmt.Sprint(to)}}
	}
	set["@context"] = m{"dcat": "http://www.w3.org/ns/dcat#", "dct": "http://purl.org/dc/terms/", "spdx": "http://spdx.org/rdf/terms#", "xsd": "http://www.w3.org/2001/XMLSchema#"}
	return set
}
