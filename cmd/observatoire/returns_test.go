package main

import (
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
