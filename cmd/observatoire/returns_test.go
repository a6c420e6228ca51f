package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
)

func TestDepositsList(t *testing.T) {
	dir := demoProject(t)
	list := func(day string) map[string]string {
		out := map[string]string{}
		for _, r := range readCSV(t, must(t, "-C", dir, "deposits", "--date", day, "--format", "csv")) {
			out[r["convention"]+" "+r["fiche"]+" "+r["millesime"]+" "+r["depose"]] = r["etat"]
		}
		return out
	}
	want := map[string]string{"ops-exemple demo-ops 2014 2015-03-20": "remplacé", "ops-exemple demo-ops 2014 2015-05-04": "reçu",
		"ops-exemple demo-ops 2015 ": "attendu", "suivi-contrat demo-registre 2014 2015-09-15": "reçu"}
	if diff := cmp.Diff(want, list("2016-03-31")); diff != "" {
		t.Errorf("on the day it is due (-want +got):\n%s", diff)
	}
	want["ops-exemple demo-ops 2015 "] = "en retard"
	if diff := cmp.Diff(want, list("2016-04-01")); diff != "" {
		t.Errorf("the day after (-want +got):\n%s", diff)
	}
	if err := os.Remove(filepath.Join(dir, opsFile)); err != nil {
		t.Fatal(err)
	}
	want["ops-exemple demo-ops 2014 2015-05-04"] = "fichier absent"
	if diff := cmp.Diff(want, list("2016-04-01")); diff != "" {
		t.Errorf("without a file (-want +got):\n%s", diff)
	}
	for key := range want {
		want[key] = "échu"
	}
	if diff := cmp.Diff(want, list("2100-01-01")); diff != "" {
		t.Errorf("after the conventions (-want +got):\n%s", diff)
	}
	if out := must(t, "-C", dir, "depots"); !strings.Contains(out, "Bailleur d'exemple (inventé)") {
		t.Errorf("table:\n%s", out)
	}
	for _, args := range [][]string{{"deposits", "--format", "xlsx"}, {"deposits", "--date", "demain"}, {"deposits", "template"},
		{"deposits", "template", "caf"}, {"deposits", "template", "ops-exemple", "--card", "caf"}, {"deposits", "template", "suivi-contrat"}} {
		if code, _, errs := cli(t, append([]string{"-C", dir}, args...)...); code != exitUsage {
			t.Errorf("%v: exit %d\n%s", args, code, errs)
		}
	}
}

// A template filled in and saved again by LibreOffice is read by the same card.
func TestTemplateComesBack(t *testing.T) {
	dir := demoProject(t)
	folder := t.TempDir()
	must(t, "-C", dir, "deposits", "template", "ops-exemple", "-o", folder)
	must(t, "-C", dir, "deposits", "template", "suivi-contrat", "--millesime", "2015", "-o", folder)
	for _, tt := range []struct{ file, convention, card, deposit string }{
		{"ops-residences-2015.xlsx", "ops-exemple", "demo-ops", "bailleur-exemple"},
		{"demo-registre-2015.xlsx", "suivi-contrat", "demo-registre", "pilotes"},
	} {
		path := filepath.Join(folder, tt.file)
		f, err := excelize.OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if rules, err := f.GetDataValidations("Données"); err != nil || len(rules) == 0 {
			t.Errorf("%s: lists %v, %v", tt.file, rules, err)
		}
		rows, err := f.GetRows("Données")
		if err != nil {
			t.Fatal(err)
		}
		set := func(cell string, v any) {
			if err := f.SetCellValue("Données", cell, v); err != nil {
				t.Fatal(err)
			}
		}
		if tt.card == "demo-ops" {
			if len(rows) != 16 {
				t.Fatalf("%s: %d rows, want 4 and 12 residences", tt.file, len(rows))
			}
			for i := 5; i <= 16; i++ {
				for k, v := range []any{100, 5, 90, 20} {
					set(fmt.Sprintf("%c%d", 'C'+k, i), v)
				}
			}
			set("D5", "nd")
		} else {
			set("M2", 8.5)
			set("M3", 51)
			set("N4", "non_disponible")
			set("M5", 130)
			set("M6", 240)
			set("M7", "néant")
		}
		if err := f.Save(); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		path = resaved(t, path)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, depositsFolder, tt.deposit, "2015")
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, tt.file), text, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, depositFile), fmt.Appendf(nil, "card: %s\nconvention: %s\nmillesime: 2015\nfile: %s\ndate: 2016-02-01\n",
			tt.card, tt.convention, tt.file), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	got := seriesOf(t, dir, "ops_logements")
	if got["QP013061 T 2015"] != "200" || got["QP013061 T 2014"] != "216" {
		t.Errorf("Le Prépaou: %v", got)
	}
	rates := seriesOf(t, dir, "ops_part_logements_vacants")
	if rates["QP013061 T 2015"] != "non_disponible" || rates["QP013062 T 2015"] != "5" {
		t.Errorf("vacant dwellings: %v", rates)
	}
	for indicator, want := range map[string][2]string{"EM-1.1.2-plie": {"SAN-OUEST-PROVENCE T 2015", "8.5"}, "RE-1.2.3-places": {"13047 T 2015", "51"},
		"RE-3.1.1-licenciees": {"SAN-OUEST-PROVENCE F 2015", "130"}, "SA-2.2.1": {"SAN-OUEST-PROVENCE T 2015", "non_disponible"}} {
		if got := seriesOf(t, dir, indicator); got[want[0]] != want[1] {
			t.Errorf("%s: %v, want %v", indicator, got, want)
		}
	}
}

// A card of several levels, told by the file's name: the workbook is of the level asked for, or that of the convention, and
// each level is a deposit of its own.
func TestTemplateOfALevelInTheName(t *testing.T) {
	dir := demoProject(t)
	conventions := filepath.Join(dir, conventionsFile)
	text, err := os.ReadFile(conventions)
	if err != nil {
		t.Fatal(err)
	}
	write := func(datasets string) {
		if err := os.WriteFile(conventions, fmt.Appendf(nil, "%s\n- id: ops-quartiers\n  partner: Office (inventé)\n  purpose: essai\n"+
			"  recipients: [comité technique]\n  threshold: 1\n  end: 2099-12-31\n  datasets:\n%s", text, datasets), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(dir, depositsFolder, "office")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ datasets, want string }{
		{"    - {card: ops-occupation, level: QUARTIER, millesimes: [2016]}\n", `level: "QUARTIER": the card ops-occupation has COM, IRIS, QP24, QPV, RESIDENCE: choose one`},
		{"    - {card: demo-ops, level: QPV, millesimes: [2016]}\n", `level: "QPV": the card demo-ops is of one level, residence: take it away`},
	} {
		write(tt.datasets)
		if code, _, errs := cli(t, "-C", dir, "deposits"); code != exitRefused || !strings.Contains(errs, tt.want) {
			t.Errorf("%s: exit %d\n%s\nwant %s", tt.datasets, code, errs, tt.want)
		}
	}
	write("    - {card: ops-occupation, millesimes: [2016]}\n")
	for args, want := range map[string]string{
		"":                 "say which: COM, IRIS, QP24, QPV, RESIDENCE",
		"--level QUARTIER": `"QUARTIER": the card ops-occupation has COM, IRIS, QP24, QPV, RESIDENCE: choose one`,
		"--level IRIS":     "",
	} {
		code, _, errs := cli(t, append([]string{"-C", dir, "deposits", "template", "ops-quartiers", "-o", folder}, strings.Fields(args)...)...)
		if want == "" && code != 0 || want != "" && (code != exitUsage || !strings.Contains(errs, want)) {
			t.Errorf("template %s: exit %d\n%s\nwant %s", args, code, errs, want)
		}
	}
	if err := os.Remove(filepath.Join(folder, "ops_2016_IRIS.xlsx")); err != nil {
		t.Fatal(err)
	}
	write("    - {card: ops-occupation, level: QPV, millesimes: [2016], due: 06-30}\n    - {card: ops-occupation, level: COM, millesimes: [2016]}\n")
	for _, level := range []string{"qpv", "COM"} {
		must(t, "-C", dir, "deposits", "template", "ops-quartiers", "--level", level, "-o", folder)
		name := "ops_2016_" + strings.ToUpper(level) + ".xlsx"
		path := filepath.Join(folder, name)
		f, err := excelize.OpenFile(path)
		if err != nil {
			t.Fatal(err)
		}
		rows, err := f.GetRows("Données")
		if err != nil {
			t.Fatal(err)
		}
		if got := rows[3][:5]; !cmp.Equal(got, []string{"code", "Nom", "logements", "logements_vacants", "menages"}) {
			t.Errorf("%s: header %q", name, got)
		}
		for i := 5; i <= len(rows); i++ {
			for k, v := range []any{100, 5, 90} {
				if err := f.SetCellValue("Données", fmt.Sprintf("%c%d", 'C'+k, i), v); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := errors.Join(f.Save(), f.Close()); err != nil {
			t.Fatal(err)
		}
		of := filepath.Join(folder, level)
		if err := errors.Join(os.MkdirAll(of, 0o755), os.Rename(path, filepath.Join(of, name)),
			os.WriteFile(filepath.Join(of, depositFile), fmt.Appendf(nil, "card: ops-occupation\nconvention: ops-quartiers\nmillesime: 2016\nfile: %s\ndate: 2017-06-30\n", name), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	states := map[string]string{}
	for _, r := range readCSV(t, must(t, "-C", dir, "deposits", "--date", "2017-07-01", "--format", "csv")) {
		if r["convention"] == "ops-quartiers" {
			states[r["fiche"]+" "+r["niveau"]+" "+r["echeance"]] = r["etat"] + r["note"]
		}
	}
	if want := map[string]string{"ops-occupation QPV 2017-06-30": "reçu", "ops-occupation COM ": "reçu"}; !cmp.Equal(want, states) {
		t.Errorf("deposits: %v, want %v", states, want)
	}
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	got := seriesOf(t, dir, "ops_logements")
	if got["QP013061 T 2016"] != "100" || got["13047 T 2016"] != "100" {
		t.Errorf("dwellings: %v", got)
	}
	if err := os.Rename(filepath.Join(folder, "qpv", "ops_2016_QPV.xlsx"), filepath.Join(folder, "qpv", "retour.xlsx")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "qpv", depositFile), []byte("card: ops-occupation\nconvention: ops-quartiers\nmillesime: 2016\nfile: retour.xlsx\ndate: 2017-06-30\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := cli(t, "-C", dir, "run"); code != exitRefused || !strings.Contains(errs, "file: retour.xlsx does not hold the level that the card ops-occupation needs: name it as ops_{AAAA}_{NIVEAU}.*") {
		t.Errorf("a name without its level: exit %d\n%s", code, errs)
	}
}

// resaved is the workbook as LibreOffice writes it again; as it is where there is none.
func resaved(t *testing.T, path string) string {
	t.Helper()
	soffice, err := exec.LookPath("soffice")
	if err != nil {
		t.Log("no LibreOffice: the workbook is taken as it was written")
		return path
	}
	out := t.TempDir()
	cmd := exec.Command(soffice, "-env:UserInstallation=file://"+t.TempDir(), "--headless", "--convert-to", "xlsx", "--outdir", out, path)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return filepath.Join(out, filepath.Base(path))
}
