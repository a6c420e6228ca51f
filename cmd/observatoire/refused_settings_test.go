package main

import (
	"testing"

	"github.com/xuri/excelize/v2"
)

// The project's file.
func badProjects() []badInput {
	return []badInput{
		{name: "project: no file", make: gone(projectFile)},
		{name: "project: empty", make: put(projectFile, "")},
		{name: "project: a list", make: put(projectFile, "- title: x\n")},
		{name: "project: a text", make: put(projectFile, "bonjour\n")},
		{name: "project: not YAML", make: put(projectFile, "title: [x\nstore: y\n")},
		{name: "project: tabs", make: put(projectFile, "title: x\nscope:\n\tcommunes: []\n")},
		{name: "project: a second document", make: also("\n---\ntitle: autre\n")},
		{name: "project: unknown key", make: also("\nreference: [commune]\n")},
		{name: "project: unknown keys, all listed", make: also("\ntitel: x\npublicaton: {}\n")},
		{name: "project: table without a file", make: config("file: donnees/contrat-qpv-2015.csv", `file: ""`)},
		{name: "project: key given twice", make: also("\ntitle: autre\n")},
		{name: "project: no title", make: config("title: SAN Ouest Provence – démonstration, contours schématiques\n", "")},
		{name: "project: title that is a list", make: config("title: SAN Ouest Provence – démonstration, contours schématiques", "title: [un, deux]")},
		{name: "project: store that is a map", make: config("store: observatoire.gpkg", "store: {file: observatoire.gpkg}")},
		{name: "project: scope that is a list", make: config(`scope:`+"\n"+`  communes: ["13029", "13039", "13044", "13047", "13063", "13078"]`, `scope: ["13029"]`)},
		{name: "project: commune without quotes", make: config(`  communes: ["13029"`, `  communes: [01004, "13029"`)},
		{name: "project: commune without quotes that loses nothing but its nature", make: config(`  communes: ["13029"`, `  communes: [1004, "13029"`)},
		{name: "project: commune of six characters", make: config(`  communes: ["13029"`, `  communes: ["130290"`)},
		{name: "project: unknown commune", make: config(`  communes: ["13029"`, `  communes: ["13999"`)},
		{name: "project: communes in one text", make: config(`  communes: ["13029", "13039", "13044", "13047", "13063", "13078"]`, `  communes: "13029, 13039"`)},
		{name: "project: no layers", make: put(projectFile, "title: x\ntables:\n  - {card: demo-qpv, file: "+qpvTable+"}\n")},
		{name: "project: no tables", make: put(projectFile, "title: x\nlayers:\n  - {card: demo-contours, level: qpv, vintage: 2015, file: "+qpvLayer+"}\n")},
		{name: "project: layers that are a map", make: put(projectFile, "title: x\nlayers: {level: qpv}\n")},
		{name: "project: layer without level", make: config("level: qpv, vintage: 2015, file", "vintage: 2015, file")},
		{name: "project: level with an accent", make: config("level: qpv, vintage: 2015, file", "level: quartier_vécu, vintage: 2015, file")},
		{name: "project: layer without vintage", make: config("level: qpv, vintage: 2015, file", "level: qpv, file")},
		{name: "project: vintage in words", make: config("level: qpv, vintage: 2015", "level: qpv, vintage: l'an dernier")},
		{name: "project: vintage of two digits", make: config("level: qpv, vintage: 2015", "level: qpv, vintage: 15")},
		{name: "project: vintage with decimals", make: config("level: qpv, vintage: 2015", "level: qpv, vintage: 2015.5")},
		{name: "project: layer of no card", make: config("card: demo-contours, level: qpv", "card: demo-contour, level: qpv")},
		{name: "project: layer by a card of tables", make: config("card: demo-contours, level: qpv", "card: demo-qpv, level: qpv")},
		{name: "project: layer without file", make: config("vintage: 2015, file: contours/qpv.geojson", "vintage: 2015")},
		{name: "project: layer twice", make: config("\ntables:", "\n  - {card: demo-contours, level: qpv, vintage: 2015, file: contours/qpv.geojson}\n\ntables:")},
		{name: "project: dissolve without code", make: config("code: SAN-OUEST-PROVENCE, ", "")},
		{name: "project: dissolve of no layer", make: config("dissolve: commune-2015", "dissolve: commune-2014")},
		{name: "project: dissolve of no perimeter", make: config("members: perimetre_contrat,", "members: contrat,")},
		{name: "project: perimeter with a commune that is none", make: config(`perimetre_contrat: ["13029"`, `perimetre_contrat: ["13998", "13029"`)},
		{name: "project: perimeter with a commune twice", make: config(`perimetre_contrat: ["13029"`, `perimetre_contrat: ["13039", "13029"`)},
		{name: "project: perimeter of nothing", make: config(`perimetre_contrat: ["13029", "13039", "13044", "13047", "13063", "13078"]`, `perimetre_contrat: []`)},
		{name: "project: table without file", make: config("file: donnees/contrat-qpv-2015.csv", `file: ""`)},
		{name: "project: table file that is a list", make: config("file: donnees/contrat-qpv-2015.csv", `file: [a, b]`)},
		{name: "project: table of no card", make: config("card: demo-qpv", "card: demo-qvp")},
		{name: "project: table by a card of layers", make: config("card: demo-qpv", "card: demo-contours")},
		{name: "project: table that no card fits", make: all(config("{card: demo-qpv, file: donnees/contrat-qpv-2015.csv}", "{file: donnees/chiffres.csv}"), put("donnees/chiffres.csv", qpvHead+qpvRow))},
		{name: "project: table that is not there", make: gone(qpvTable)},
		{name: "project: pattern that matches nothing", make: config(qpvTable, "donnees/contrat-zus-*.csv")},
		{name: "project: table that is a folder", make: config(qpvTable, "donnees")},
		{name: "project: bad address", make: config("file: donnees/contrat-qpv-2015.csv", "file: donnees/contrat-qpv-2015.csv, url: www.insee.fr/x")},
		{name: "project: reference of no layer", make: config("references: [commune", "references: [region, commune")},
		{name: "project: references in a text", make: config("references: [commune, perimetre_contrat, departement]", "references: {commune: oui}")},
		{name: "project: geography_as of no layer", make: also("\ngeography_as: {iris-2019: iris-2016}\n")},
		{name: "project: geography_as of another level", make: also("\ngeography_as: {qpv-2024: iris-2010}\n")},
		{name: "project: geography_as of contours held", make: also("\ngeography_as: {iris-2010: iris-2010}\n")},
		{name: "project: passage without file", make: also("\npassages: [{level: commune, from: 2013, to: 2015}]\n")},
		{name: "project: passage to the same year", make: also("\npassages: [{file: x.csv, level: commune, from: 2015, to: 2015}]\n")},
		{name: "project: passage of no table", make: also("\npassages: [{file: donnees/absent.csv, level: commune, from: 2013, to: 2015}]\n")},
		{name: "project: passage whose shares exceed", make: all(also("\npassages: [{file: donnees/p.csv, level: commune, from: 2013, to: 2015}]\n"), put("donnees/p.csv", "avant;apres;part\n13047;13047;1,4\n13900;13047;x\n"))},
		{name: "project: passage without its columns", make: all(also("\npassages: [{file: donnees/p.csv, level: commune, from: 2013, to: 2015}]\n"), put("donnees/p.csv", "a;b\n1;2\n"))},
		{name: "project: unknown method", make: config("QP013062: iris_principal", "QP013062: au_doigt_mouille")},
		{name: "project: method for no zone", make: config("QP013062: iris_principal", "QP013999: iris_principal")},
		{name: "project: method that is a list", make: config("QP013062: iris_principal", "QP013062: [iris_principal]")},
		{name: "project: buffers of no layer", make: config("from: qpv", "from: zus")},
		{name: "project: buffer of no length", make: config("buffer_m: [100", "buffer_m: [0, 100")},
		{name: "project: buffer in words", make: config("buffer_m: [100", "buffer_m: [cent")},
		{name: "project: buffer clipped by a word", make: config("clip: true", "clip: peut-être")},
		{name: "project: drawn quarters that are not there", make: config("clip: true}", "clip: true, drawn: quartiers.geojson}")},
		{name: "project: comparison of no level", make: config("comparisons:\n  veille:", "comparisons:\n  zus:")},
		{name: "project: comparison of no zone", make: config("CROIZAT: [VAUBAN]", "CROISAT: [VAUBAN]")},
		{name: "project: comparison with no zone", make: config("CROIZAT: [VAUBAN]", "CROIZAT: [VAUBAN-NORD]")},
		{name: "project: weights of no layer", make: also("\nweights: {layer: carreau200-2017, variable: ind}\n")},
		{name: "project: weights without a variable", make: also("\nweights: {layer: iris-2010}\n")},
		{name: "project: weights that are no figures", make: also("\nweights: {layer: veille-2015, variable: nom}\n")},
		{name: "project: facilities of a missing attribute", make: config("theme: theme}", "theme: domaine}")},
		{name: "project: facilities that are not there", make: gone("contours/equipements.geojson")},
		{name: "project: indicators in a word", make: config("indicators: default", "indicators: tous")},
		{name: "project: indicator that is none", make: config("indicators: default", "indicators: [populaton]")},
		{name: "project: indicators that are a map", make: config("indicators: default", "indicators: {population: oui}")},
		{name: "project: variable that is not set", make: config("file: donnees/contrat-qpv-2015.csv", "file: \"${OBSERVATOIRE_ABSENT}/contrat-qpv-2015.csv\"")},
		{name: "project: deposit without a convention", make: also("\ndeposits: [{card: demo-ops, millesime: 2015, file: x.csv, date: 2016-01-01}]\n")},
		{name: "project: deposit under no convention", make: also("\ndeposits: [{card: demo-ops, convention: ops, millesime: 2015, file: " + qpvTable + ", date: 2016-01-01}]\n")},
	}
}

// Cards.
func badCards() []badInput {
	card := func(pairs ...string) func(*testing.T, string) { return swap(qpvCard, pairs...) }
	ops := func(pairs ...string) func(*testing.T, string) { return swap("cards/demo-ops.yaml", pairs...) }
	return []badInput{
		{name: "card: empty", make: put(qpvCard, "")},
		{name: "card: a list", make: put(qpvCard, "- id: x\n")},
		{name: "card: not YAML", make: put(qpvCard, "id: x\n  kind: [table\n")},
		{name: "card: a second document", make: add(qpvCard, "---\nid: autre\n")},
		{name: "card: unknown key", make: card("vintage: 2015", "vintag: 2015")},
		{name: "card: unknown key in a map", make: card("separator:", "separateur:")},
		{name: "card: key twice", make: card("level: qpv", "level: qpv\nlevel: iris")},
		{name: "card: no id", make: card("id: demo-qpv\n", "")},
		{name: "card: id taken", make: card("id: demo-qpv", "id: demo-san")},
		{name: "card: other extension", make: put("cards/autre.yml", "id: autre\n")},
		{name: "card: no kind", make: card("kind: table\n", "")},
		{name: "card: unknown kind", make: card("kind: table", "kind: tableau")},
		{name: "card: no level", make: card("level: qpv\n", "")},
		{name: "card: no key", make: card("key: [code]\n", "")},
		{name: "card: key that is a text of YAML", make: card("key: [code]", "key: {code: oui}")},
		{name: "card: neither variables nor long", make: ops("variables:", "x_variables:")},
		{name: "card: year rule", make: card("vintage: 2015", "vintage: l'an dernier")},
		{name: "card: year far away", make: card("vintage: 2015", "vintage: 215")},
		{name: "card: decimal mark", make: card(`decimal: ","`, `decimal: ";"`)},
		{name: "card: separator of two characters", make: card(`separator: ";"`, `separator: ";;"`)},
		{name: "card: encoding", make: card("encoding: utf-8", "encoding: latin9")},
		{name: "card: header row in words", make: card("table: {", "table: {header_row: premier, ")},
		{name: "card: key width in words", make: card("key: [code]", "key: [code]\nkey_width: neuf")},
		{name: "card: token that means nothing", make: card("key: [code]", "key: [code]\ntokens: {x: caché}")},
		{name: "card: note that means nothing", make: card("key: [code]", "key: [code]\nnotes: {A: douteux}")},
		{name: "card: protection", make: card("protection: aucune", "protection: forte")},
		{name: "card: release month", make: card("key: [code]", "key: [code]\nrelease_month: 13")},
		{name: "card: release month in words", make: card("key: [code]", "key: [code]\nrelease_month: mars")},
		{name: "card: break without a text", make: card("key: [code]", "key: [code]\nbreaks: [{millesime: 2012}]")},
		{name: "card: statut of a table in length", make: card("reference: reference", "statuts: {A: caché}\n  reference: reference")},
		{name: "card: enquetes", make: card("reference: reference", "enquetes: cycles\n  reference: reference")},
		{name: "card: variable without columns", make: ops("columns: LOGEMENTS, ", "")},
		{name: "card: variable of an unknown sex", make: ops("columns: LOGEMENTS", "columns: {X: LOGEMENTS}")},
		{name: "card: variable twice", make: ops("id: ops_menages,", "id: ops_logements,")},
		{name: "card: variable of a missing column", make: ops("columns: LOGEMENTS", "columns: LOGTS")},
		{name: "card: exploitation", make: ops("columns: LOGEMENTS", "exploitation: totale, columns: LOGEMENTS")},
		{name: "card: totals of no variable", make: add("cards/demo-ops.yaml", "totals: {ops_total: [ops_logements, ops_x]}\n")},
		{name: "card: optional in words", make: ops("columns: LOGEMENTS", "optional: parfois, columns: LOGEMENTS")},
		{name: "card: not UTF-8", make: add(qpvCard, "note: caf\xe9\n")},
		{name: "card: downloads without address", make: add(qpvCard, "downloads: {2015: {}}\n")},
		{name: "card: downloads of a bad address", make: add(qpvCard, "downloads: {2015: {url: insee.fr}}\n")},
	}
}

// The other files of settings: indicators, conventions, deposits, corrections, the lock, the workbook.
func badSettings() []badInput {
	def := func(text string) func(*testing.T, string) { return add("indicators.yaml", text) }
	conv := func(pairs ...string) func(*testing.T, string) { return swap("conventions.yaml", pairs...) }
	const depot = "depots/bailleur-exemple/2014/depot.yaml"
	dep := func(pairs ...string) func(*testing.T, string) { return swap(depot, pairs...) }
	const opsTable = "depots/bailleur-exemple/2014-rectifie/ops-residences-2014.csv"
	corr := func(rows string) func(*testing.T, string) {
		return put("corrections.csv", "fiche;variable;code;millesime;sexe;valeur;motif;auteur;jusqu_au\n"+rows)
	}
	book := func(name, sheet, cell string, v any) badInput {
		return badInput{name: name, args: importArgs, make: sheetImport(func(t *testing.T, f *excelize.File) { setCell(t, f, sheet, cell, v) })}
	}
	return []badInput{
		{name: "indicators: not a list", make: put("indicators.yaml", "id: population\n")},
		{name: "indicators: a second document", make: def("\n---\n- id: x\n")},
		{name: "indicators: unknown key", make: def("\n- {id: x, libelle: X}\n")},
		{name: "indicators: no id", make: def("\n- {label: X, unit: n, rule: somme, value: population}\n")},
		{name: "indicators: no label", make: def("\n- {id: x, unit: n, rule: somme, value: population}\n")},
		{name: "indicators: unknown rule", make: def("\n- {id: x, label: X, unit: n, rule: moyenne, value: population}\n")},
		{name: "indicators: ratio without terms", make: def("\n- {id: x, label: X, unit: \"%\", rule: ratio}\n")},
		{name: "indicators: unknown direction", make: def("\n- {id: x, label: X, unit: n, rule: somme, value: population, direction: haut}\n")},
		{name: "indicators: unknown sex", make: def("\n- {id: x, label: X, unit: n, rule: somme, value: population, sexes: [G]}\n")},
		{name: "indicators: twice", make: def("\n- {id: population, label: X, unit: n, rule: somme, value: population}\n")},
		{name: "indicators: decimals in words", make: def("\n- {id: x, label: X, unit: n, rule: somme, value: population, decimals: deux}\n")},
		{name: "indicators: decimals out of bounds", make: def("\n- {id: x, label: X, unit: n, rule: somme, value: population, decimals: 12}\n")},

		{name: "conventions: gone", make: gone("conventions.yaml")},
		{name: "conventions: not a list", make: put("conventions.yaml", "id: x\n")},
		{name: "conventions: unknown key", make: conv("partner:", "partenaire:")},
		{name: "conventions: no id", make: conv("id: ops-exemple", "note: x")},
		{name: "conventions: id with capitals", make: conv("id: ops-exemple", "id: OPS Exemple")},
		{name: "conventions: twice", make: conv("id: suivi-contrat", "id: ops-exemple")},
		{name: "conventions: no purpose", make: conv("  purpose: \"Suivi", "  note: \"Suivi")},
		{name: "conventions: no recipients", make: conv("recipients: [comité technique]", "recipients: []")},
		{name: "conventions: no threshold", make: conv("  threshold: 5        # effectifs masqués au-dessous\n", "")},
		{name: "conventions: threshold in words", make: conv("threshold: 5 ", "threshold: cinq ")},
		{name: "conventions: threshold below zero", make: conv("threshold: 5 ", "threshold: -5 ")},
		{name: "conventions: fiscal under eleven", make: conv("threshold: 5 ", "fiscal: true\n  threshold: 5 ")},
		{name: "conventions: fiscal in words", make: conv("threshold: 5 ", "fiscal: un peu\n  threshold: 5 ")},
		{name: "conventions: no end", make: conv("  end: 2099-12-31     # passé cette date, les dépôts ne sont plus repris\n", "")},
		{name: "conventions: end as the French write it", make: conv("end: 2099-12-31     #", "end: 31/12/2099 #")},
		{name: "conventions: end before start", make: conv("end: 2099-12-31     #", "start: 2100-01-01\n  end: 2099-12-31 #")},
		{name: "conventions: due day", make: conv("due: 03-31", "due: 31-03")},
		{name: "conventions: year in words", make: conv("[2014, 2015]", "[2014, prochain]")},
		{name: "conventions: card that is none", make: conv("card: demo-ops", "card: demo-opx")},
		{name: "conventions: zones that are not there", make: conv("contours/residences.geojson", "contours/absent.geojson")},
		{name: "conventions: zones by a missing attribute", make: conv("residences.geojson, code: id", "residences.geojson, code: ident")},
		{name: "conventions: detail at no level", make: conv("detail: [qpv, veille", "detail: [zus, qpv, vielle")},
		{name: "conventions: x without y", make: conv("contours/residences.geojson, code", "contours/residences.geojson, x: lon, code")},

		{name: "deposit: empty", make: put(depot, "")},
		{name: "deposit: unknown key", make: dep("date:", "jour:")},
		{name: "deposit: a second document", make: add(depot, "---\ncard: x\n")},
		{name: "deposit: no convention", make: dep("convention: ops-exemple\n", "")},
		{name: "deposit: unknown convention", make: dep("convention: ops-exemple", "convention: ops")},
		{name: "deposit: unknown card", make: dep("card: demo-ops", "card: ops")},
		{name: "deposit: no file", make: dep("file: ops-residences-2014.csv\n", "")},
		{name: "deposit: file that is not there", make: gone(opsTable)},
		{name: "deposit: year of two digits", make: dep("millesime: 2014", "millesime: 14")},
		{name: "deposit: year in words", make: dep("millesime: 2014", "millesime: deux mille")},
		{name: "deposit: date as the French write it", make: dep("date: 2015-03-20", "date: 20/03/2015")},
		{name: "deposit: supersedes what is not there", make: swap("depots/bailleur-exemple/2014-rectifie/depot.yaml", "supersedes: ../2014/ops-residences-2014.csv", "supersedes: ../2013/x.csv")},
		{name: "deposit: bad figures", make: swap(opsTable, "120;6;112;34", "cent vingt;6;112;3x")},
		{name: "deposit: residence twice", make: swap(opsTable, "RES-02;", "RES-01;")},
		{name: "deposit: unknown residence", make: swap(opsTable, "RES-02;", "RES-99;")},
		{name: "deposit: residence lost", make: swap(opsTable, "RES-02;", ";")},
		{name: "deposit: column lost", make: swap(opsTable, "LOGEMENTS;", "LOGTS;")},
		{name: "register: target in words", make: swap("depots/pilotes/2014/registre-2014.csv", ";2013;10;2019;", ";2013;dix;2019;")},
		{name: "register: figure in words", make: swap("depots/pilotes/2014/registre-2014.csv", ";2013;10;2019;6,2;", ";2013;10;2019;six;")},
		{name: "register: level that is none", make: swap("depots/pilotes/2014/registre-2014.csv", ";nombre;commune;", ";nombre;comune;")},
		{name: "register: no level", make: swap("depots/pilotes/2014/registre-2014.csv", ";nombre;commune;", ";nombre;;")},
		{name: "register: no key", make: swap("depots/pilotes/2014/registre-2014.csv", "EM-1.1.2-plie;", ";")},

		{name: "corrections: empty", make: put("corrections.csv", "")},
		{name: "corrections: no column of the reason", make: put("corrections.csv", "variable;code;millesime;valeur;auteur\npopulation;13039;2015;1;A\n")},
		{name: "corrections: two files", make: all(corr(""), func(t *testing.T, dir string) { put("corrections.xlsx", sheet(t, "", nil))(t, dir) })},
		{name: "corrections: no such zone", make: corr("demo-commune;population;99999;2015;T;1;essai;A;\n")},
		{name: "corrections: no such variable", make: corr("demo-commune;popultion;13039;2015;T;1;essai;A;\n")},
		{name: "corrections: every bad cell", make: corr(";;;15;X;un;;;31/12/2026\n")},
		{name: "corrections: no figure", make: corr("demo-commune;population;13039;2015;T;;essai;A;\n")},
		{name: "corrections: twice", make: corr("demo-commune;population;13039;2015;T;1;essai;A;\ndemo-commune;population;13039;2015;T;2;essai;A;\n")},
		{name: "corrections: a web page", make: put("corrections.csv", "<html>")},

		{name: "late: correction of no zone, after a table that changed", make: all(corr("demo-commune;population;99999;2015;T;1;essai;A;\n"), swap(qpvTable, ";3100;", ";3101;"))},
		{name: "late: no figure that all may see, after a table that changed", make: all(config("indicators: default", "indicators: [taux_pauvrete]"), swap(qpvTable, ";3100;", ";3101;"))},
		{name: "late: one table of two is bad", make: all(swap(qpvTable, ";3100;", ";3101;"), swap("donnees/contrat-veille-2015.csv", "population;T;2009;2419", "population;T;2009;2419x"))},

		{name: "lock: not YAML", make: put("observatoire.lock", "{")},
		{name: "lock: unknown key", make: put("observatoire.lock", "fichiers: []\n")},

		{name: "spreadsheet: a text", args: importArgs, make: put("reglages.xlsx", "a;b\n")},
		{name: "spreadsheet: not there", args: importArgs, make: all()},
		{name: "spreadsheet: with a password", args: importArgs, make: put("reglages.xlsx", protectedWorkbook())},
		{name: "spreadsheet: sheet gone", args: importArgs, make: sheetImport(func(t *testing.T, f *excelize.File) {
			if err := f.DeleteSheet(sheetVariables); err != nil {
				t.Fatal(err)
			}
		})},
		book("spreadsheet: rule", sheetIndicateurs, "F7", "moyenne"),
		book("spreadsheet: decimals", sheetIndicateurs, "H3", "deux"),
		book("spreadsheet: no label", sheetIndicateurs, "B4", ""),
		book("spreadsheet: header", sheetIndicateurs, "B1", "nom"),
		book("spreadsheet: level", sheetComparaisons, "A2", "vielle"),
		book("spreadsheet: correction without the rest", sheetCorrections, "B2", "population"),
		book("spreadsheet: card", sheetFiches, "A2", "demo-comune"),
		book("spreadsheet: year rule", sheetVariables, "G2", "l'an passé"),
	}
}

// Commands that read a file of their own.
func badCommands() []badInput {
	table := func(name, text string, args ...string) badInput {
		return badInput{name: name, make: put("f.csv", text), args: append(args, "{}/f.csv")}
	}
	return []badInput{
		table("locate: empty", "", "locate"),
		table("locate: no coordinates and no address", "a;b\n1;2\n", "locate"),
		table("locate: a web page", "<html>", "locate"),
		{name: "locate: not there", make: all(), args: []string{"locate", "{}/absent.csv"}},
		{name: "interpolate: no such target", make: all(), args: []string{"interpolate", "--source", "{}/" + qpvLayer, "--target", "{}/absent.geojson", "--extensive", "pop"}},
		{name: "interpolate: no such column", make: all(), args: []string{"interpolate", "--source", "{}/contours/iris.geojson", "--target", "{}/" + qpvLayer, "--extensive", "pop"}},
		{name: "interpolate: column of texts", make: all(), args: []string{"interpolate", "--source", "{}/contours/iris.geojson", "--target", "{}/" + qpvLayer, "--extensive", "nom"}},
		{name: "series: a project that is not there", make: all(), args: []string{"-C", "{}/absent", "series", "--indicator", "population"}},
		{name: "series: a store that is no store", make: put("autre.gpkg", "bonjour"), args: []string{"--store", "{}/autre.gpkg", "series", "--indicator", "population"}, code: exitFailed},
		{name: "run: a day as the French write it", make: all(), args: []string{"run", "--date", "31/12/2026"}, code: exitUsage},
		{name: "series: no indicator of that name", make: all(), args: []string{"series", "--indicator", "popultion"}, code: exitUsage},
		{name: "series: an indicator without figures", make: all(), args: []string{"series", "--indicator", "taux_pauvrete"}, code: exitUsage},
		{name: "publish: no edition of that name", make: all(), args: []string{"publish", "--by", "A", "--edition", "x"}, code: exitFailed},
	}
}
