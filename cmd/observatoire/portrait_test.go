package main

import (
	"bytes"
	"html"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"observatoire/data/store"
	"observatoire/geo"
	"observatoire/indicators"
)

// openEdition reads the published edition of a project.
func openEdition(t *testing.T, dir string) *indicators.Edition {
	t.Helper()
	st, err := store.Open(t.Context(), "observatoire.gpkg", dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close() //nolint:errcheck // read only
	e, err := st.Edition(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	return indicators.Withhold(e)
}

var (
	tracedFigure = regexp.MustCompile(`<span data-i="([^"]*)" data-c="([^"]*)" data-z="([^"]*)" data-a="([^"]*)" data-s="([^"]*)">([^<]*)</span>`)
	sentence     = regexp.MustCompile(`(?s)<li>(.*?)</li>`)
	quotedNumber = regexp.MustCompile(`\d[\d\x{202f}]*(?:,\d+)?`)
)

// traced checks every figure of a portrait against the edition, and returns how many there were in tables and in sentences.
func traced(t *testing.T, e *indicators.Edition, code, page string) (cells, told int) {
	t.Helper()
	type key struct {
		id, couche, code, sexe string
		year                   int
	}
	values := map[key]*indicators.Value{}
	decimals := map[string]int{}
	for _, d := range e.Indicators {
		decimals[d.ID] = d.Decimals
	}
	for i := range e.Values {
		if v := &e.Values[i]; v.Retenue {
			values[key{v.Indicateur, string(v.Couche), v.Code, v.Sexe, v.Millesime}] = v
		}
	}
	for _, m := range tracedFigure.FindAllStringSubmatch(page, -1) {
		for i := range m {
			m[i] = html.UnescapeString(m[i])
		}
		year, err := strconv.Atoi(m[4])
		if err != nil {
			t.Errorf("%s: %v", m[0], err)
		}
		v := values[key{m[1], m[2], m[3], m[5], year}]
		if v == nil || v.Statut != indicators.Disponible {
			t.Errorf("%s: the edition has no such figure", m[0])
			continue
		}
		if want := indicators.FrenchNumber(v.V, decimals[m[1]]); strings.SplitN(m[6], "\u00a0", 2)[0] != want {
			t.Errorf("%s: the edition has %s", m[0], want)
		}
		cells++
	}
	// What a sentence may quote of the quarter: its figures and its references', gaps, moves, ranks, years.
	may := map[string]bool{}
	take := func(v float64, places int) {
		v = math.Abs(v)
		for d := 0; d <= max(places, 1); d++ {
			s := indicators.FrenchNumber(v, d)
			may[s] = true
			if d > 0 {
				may[strings.TrimRight(strings.TrimRight(s, "0"), ",")] = true
			}
		}
		for _, step := range []float64{10, 100} {
			may[indicators.FrenchNumber(math.Round(v/step)*step, 0)] = true
		}
	}
	own := map[geo.Layer]map[string]bool{}
	for _, x := range e.Ecarts {
		if x.Code != code {
			continue
		}
		if own[x.Reference] == nil {
			own[x.Reference] = map[string]bool{}
		}
		own[x.Reference][x.ReferenceCode] = true
		take(x.Ecart.V, decimals[x.Indicateur])
		if x.Indicateur == "population" && x.ValeurReference.OK {
			take(100*x.Valeur.V/x.ValeurReference.V, 0)
		}
	}
	for _, v := range values {
		if v.Code == code || own[v.Couche][v.Code] {
			take(v.V, decimals[v.Indicateur])
			may[strconv.Itoa(v.Millesime)] = true
		}
	}
	for _, x := range e.Evolutions {
		if x.Code == code {
			take(x.Evolution.V, 1)
			may[strconv.Itoa(x.Depuis)] = true
		}
	}
	for _, x := range e.EcartsSexe {
		if x.Code == code {
			take(x.Ecart.V, 1)
		}
	}
	for _, x := range e.Rangs {
		if x.Code == code {
			may[strconv.Itoa(x.Rang)], may[strconv.Itoa(x.Sur)] = true, true
		}
	}
	page, _, _ = strings.Cut(page, "Ce qui ne peut pas être dit") // guards and counts, quoted
	labels := regexp.MustCompile(`\d+-\d+ ans|de \d+ à \d+ ans|\d+ ans et plus|D9/D1|moins de \d+|\b\d+ %? ?du niveau|QP\d+|de \d+ personnes|seuil de \d+|\d{4}-\d{4}|trois enfants`)
	for _, m := range sentence.FindAllStringSubmatch(page, -1) {
		text := labels.ReplaceAllString(html.UnescapeString(m[1]), "")
		text = strings.ReplaceAll(text, "("+code+")", "")
		for _, n := range quotedNumber.FindAllString(text, -1) {
			if !may[n] {
				t.Errorf("%s: « %s » : %s is nowhere in the edition", code, m[1], n)
			}
			told++
		}
	}
	return cells, told
}

// Every number of the demonstration's portraits is the edition's, and what the contrat prints of a quarter is written as it prints it.
func TestDemoPortraits(t *testing.T) {
	dir := publishedDemo(t)
	out := filepath.Join(t.TempDir(), "portraits")
	must(t, "-C", dir, "portrait", "-o", out)
	e := openEdition(t, dir)
	pages := map[string]string{}
	cells, told := 0, 0
	for _, code := range []string{"QP013061", "QP013062", "QP013063", "VAUBAN", "CROIZAT", "ECHOPPES", "CENTRE-MIRAMAS", "MOLIERES-1"} {
		b, err := os.ReadFile(filepath.Join(out, code+".html"))
		if err != nil {
			t.Fatal(err)
		}
		pages[code] = string(b)
		c, s := traced(t, e, code, pages[code])
		cells, told = cells+c, told+s
	}
	if cells < 100 || told < 25 {
		t.Errorf("%d figures in tables, %d in sentences: too few to have looked", cells, told)
	}
	expected, err := os.ReadFile(filepath.Join(dir, "attendu.csv"))
	if err != nil {
		t.Fatal(err)
	}
	shown, rows := 0, readCSV(t, string(expected))
	for _, row := range rows {
		for _, m := range tracedFigure.FindAllStringSubmatch(pages[row["code"]], -1) {
			if m[1] != row["indicateur"] || m[3] != row["code"] || m[5] != row["sexe"] || strings.HasPrefix(m[2], levelVecu) {
				continue
			}
			if year, _ := strconv.Atoi(m[4]); year > 0 && m[4] != row["millesime"] {
				continue
			}
			shown++
			got := strings.ReplaceAll(strings.SplitN(html.UnescapeString(m[6]), "\u00a0", 2)[0], "\u202f", "")
			v, err := strconv.ParseFloat(strings.NewReplacer(",", ".", "−", "-").Replace(got), 64)
			want, err2 := strconv.ParseFloat(row["valeur_imprimee"], 64)
			_, places, _ := strings.Cut(row["valeur_imprimee"], ".")
			if err != nil || err2 != nil || math.Abs(v-want) > 0.5*math.Pow10(-len(places))+1e-9 {
				t.Errorf("%s %s %s: the portrait has %s, the contrat %s (l. %s)", row["code"], row["indicateur"], row["sexe"], got, row["valeur_imprimee"], row["ligne"])
			}
			break
		}
	}
	if 3*shown < 2*len(rows) {
		t.Errorf("%d of the %d figures that the contrat prints are in the portraits", shown, len(rows))
	}
	again := filepath.Join(t.TempDir(), "again")
	must(t, "-C", dir, "portrait", "QP013061", "-o", again)
	if b, err := os.ReadFile(filepath.Join(again, "QP013061.html")); err != nil || string(b) != pages["QP013061"] {
		t.Errorf("not the same bytes twice (%v)", err)
	}
}

func TestRealPortraits(t *testing.T) {
	dir := realRun(t)
	out := t.TempDir()
	must(t, "-C", dir, "portrait", "-o", out)
	e := openEdition(t, dir)
	for _, code := range []string{"QP013061", "QP013062", "QP013063"} {
		b, err := os.ReadFile(filepath.Join(out, code+".html"))
		if err != nil {
			t.Fatal(err)
		}
		if cells, told := traced(t, e, code, string(b)); cells < 20 || told < 30 {
			t.Errorf("%s: %d figures in tables, %d in sentences: too few to have looked", code, cells, told)
		}
	}
}

func TestPortraitRefuses(t *testing.T) {
	dir := publishedDemo(t)
	code, _, errs := cli(t, "-C", dir, "portrait", "QP13061", "-o", t.TempDir())
	if code != exitUsage || !strings.Contains(errs, "QP13061") || !strings.Contains(errs, "QP013061") {
		t.Errorf("an unknown code: exit %d, %s", code, errs)
	}
	if code, _, errs = cli(t, "-C", dir, "portrait"); code != exitUsage || !strings.Contains(errs, "-o DIR") {
		t.Errorf("no folder: exit %d, %s", code, errs)
	}
	t.Setenv("OBSERVATOIRE_CHROMIUM", "/nowhere/chromium")
	if code, _, errs = cli(t, "-C", dir, "portrait", "QP013061", "--pdf", "-o", t.TempDir()); code != exitFailed || !strings.Contains(errs, "OBSERVATOIRE_CHROMIUM") {
		t.Errorf("no browser: exit %d, %s", code, errs)
	}
}

// A portrait prints on two pages, tagged for screen readers.
func TestPortraitPrints(t *testing.T) {
	if _, err := browser(); err != nil {
		t.Skip("no Chromium here: nothing prints")
	}
	out := t.TempDir()
	must(t, "-C", publishedDemo(t), "portrait", "QP013062", "VAUBAN", "--pdf", "-o", out)
	codes := []string{"QP013062", "VAUBAN"}
	if os.Getenv("OBSERVATOIRE_REAL") != "" {
		must(t, "-C", realRun(t), "portrait", "QP013063", "--pdf", "-o", out)
		codes = append(codes, "QP013063")
	}
	for _, code := range codes {
		b, err := os.ReadFile(filepath.Join(out, code+".pdf"))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(regexp.MustCompile(`/Type /Page\b`).FindAll(b, -1)); n != 2 {
			t.Errorf("%s: %d pages, want 2", code, n)
		}
		if !bytes.Contains(b, []byte("/StructTreeRoot")) || !bytes.Contains(b, []byte("/Lang (fr")) {
			t.Errorf("%s: not tagged, or not in French", code)
		}
	}
}

// Without a browser the program writes the PDF itself, and says that it has no tags; the DOCX is there for those who edit.
func TestPortraitWithoutBrowser(t *testing.T) {
	dir, out := publishedDemo(t), t.TempDir()
	t.Setenv("PATH", t.TempDir())
	if _, err := browser(); err == nil {
		t.Skip("a browser is installed outside of PATH")
	}
	code, _, errs := cli(t, "-C", dir, "portrait", "QP013061", "VAUBAN", "MOLIERES-1", "--pdf", "--docx", "-o", out)
	if code != exitDone || !strings.Contains(errs, "without tags") {
		t.Fatalf("exit %d: %s", code, errs)
	}
	for _, quarter := range []string{"QP013061", "VAUBAN", "MOLIERES-1"} {
		b, err := os.ReadFile(filepath.Join(out, quarter+".pdf"))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(regexp.MustCompile(`/Type /Page\b`).FindAll(b, -1)); n != 2 || !bytes.Contains(b, []byte("/Lang (fr")) {
			t.Errorf("%s: %d pages, want 2, in French", quarter, n)
		}
		if b, err = os.ReadFile(filepath.Join(out, quarter+".docx")); err != nil || !bytes.HasPrefix(b, []byte("PK")) {
			t.Errorf("%s: no DOCX (%v)", quarter, err)
		}
	}
}
