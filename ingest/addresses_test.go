package ingest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// banHeader is that of the published file.
const banHeader = "id;id_fantoir;numero;rep;nom_voie;code_postal;code_insee;nom_commune;code_insee_ancienne_commune;nom_ancienne_commune;x;y;lon;lat;type_position;alias;nom_ld;libelle_acheminement;nom_afnor;source_position;source_nom_voie;certification_commune;cad_parcelles\n"

// banSample is invented: a few streets that exist nowhere, in communes that do.
func banSample() string {
	var b strings.Builder
	b.WriteString(banHeader)
	add := func(street, num, rep, name, post, insee, town, former string, lon, lat float64) {
		id := strings.Trim(street+"_"+fmt.Sprintf("%05s", num)+"_"+rep, "_")
		fmt.Fprintf(&b, "%s;%s;%s;%s;%s;%s;%s;%s;;%s;0;0;%.6f;%.6f;entrée;;;;;;;1;\n", id, street, num, rep, name, post, insee, town, former, lon, lat)
	}
	for i := range 20 {
		add("13063_0010", fmt.Sprint(2*i+2), "", "Avenue Jean Jaurès", "13140", "13063", "Miramas", "", 5.001+float64(i)*1e-4, 43.58)
	}
	add("13063_0010", "12", "bis", "Avenue Jean Jaurès", "13140", "13063", "Miramas", "", 5.00155, 43.5801)
	add("13063_0010", "301", "", "Avenue Jean Jaurès", "13140", "13063", "Miramas", "", 5.02, 43.58)
	add("13063_0020", "3", "", "Rue du 8 Mai 1945", "13140", "13063", "Miramas", "", 5.003, 43.581)
	add("13063_0021", "3", "", "Rue du 9 Mai 1945", "13140", "13063", "Miramas", "", 5.013, 43.581)
	add("13063_0030", "7", "", "Impasse Sainte-Geneviève", "13140", "13063", "Miramas", "", 5.004, 43.582)
	add("13063_0040", "5", "a", "Rue Voltaire", "13140", "13063", "Miramas", "", 5.005, 43.583)
	add("13063_0050", "1", "", "Rond-Point des Ormes", "13140", "13063", "Miramas", "", 5.006, 43.584)
	add("13063_0060", "2", "", "Place du Général de Gaulle", "13140", "13063", "Miramas", "", 5.007, 43.585)
	add("13063_0070", "2", "", "Rue des Lilas", "13140", "13063", "Miramas", "", 5.008, 43.585)
	add("13063_0071", "2", "", "Rue des Lys", "13140", "13063", "Miramas", "", 5.009, 43.585)
	add("13047_0010", "5", "", "Rue Voltaire", "13800", "13047", "Istres", "", 4.98, 43.51)
	add("13047_0020", "9", "", "Chemin de la Fontaine", "13800", "13047", "Istres", "", 4.981, 43.511)
	add("13047_0030", "4", "", "Rue de l'Église", "13800", "13047", "Istres", "Entressen", 4.93, 43.6)
	add("13047_0031", "4", "", "Rue de l'Église", "13118", "13047", "Istres", "", 4.982, 43.512)
	add("13201_0010", "6", "", "Rue des Tanneurs", "13001", "13201", "Marseille 1er Arrondissement", "", 5.38, 43.297)
	add("13202_0010", "6", "", "Rue des Tanneurs", "13002", "13202", "Marseille 2e Arrondissement", "", 5.37, 43.301)
	return b.String()
}

func writeBAN(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "adresses-13.csv")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMatchAddresses(t *testing.T) {
	book, err := ReadAddressBook(writeBAN(t, banSample()))
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) Address { return Address{Text: s} }
	tests := []struct {
		name  string
		a     Address
		kind  string
		score float64
		label string // or the reason
	}{
		{"exact", text("12 Avenue Jean Jaurès 13140 Miramas"), MatchNumber, 1, "12 Avenue Jean Jaurès, 13140 Miramas"},
		{"abbreviation, case, accents", text("12, AV JEAN JAURES, 13140 MIRAMAS CEDEX 2"), MatchNumber, 1, "12 Avenue Jean Jaurès, 13140 Miramas"},
		{"accents apart from their letters", text("12 av. Jean Jaure\u0300s 13140 Miramas"), MatchNumber, 1, "12 Avenue Jean Jaurès, 13140 Miramas"},
		{"bis", text("12 bis av Jean Jaurès 13140 Miramas"), MatchNumber, 1, "12 bis Avenue Jean Jaurès, 13140 Miramas"},
		{"glued bis", text("12bis av Jean Jaurès 13140 Miramas"), MatchNumber, 1, "12 bis Avenue Jean Jaurès, 13140 Miramas"},
		{"letter for bis", text("12 B av Jean Jaurès 13140 Miramas"), MatchNumber, 0.97, "12 bis Avenue Jean Jaurès, 13140 Miramas"},
		{"unknown suffix", text("12 ter av Jean Jaurès 13140 Miramas"), MatchSuffix, 0.9, "12 Avenue Jean Jaurès, 13140 Miramas"},
		{"suffix unsaid", text("5 rue Voltaire 13140 Miramas"), MatchSuffix, 0.9, "5 a Rue Voltaire, 13140 Miramas"},
		{"nearest, same side", text("13 av Jean Jaurès 13140 Miramas"), MatchNearest, 0.8, "12 Avenue Jean Jaurès, 13140 Miramas"},
		{"range", text("12-14 av Jean Jaurès 13140 Miramas"), MatchNumber, 1, "12 Avenue Jean Jaurès, 13140 Miramas"},
		{"far number", text("150 av Jean Jaurès 13140 Miramas"), MatchStreet, 0.6, "Avenue Jean Jaurès, 13140 Miramas"},
		{"no number", text("Avenue Jean Jaurès 13140 Miramas"), MatchStreet, 0.7, "Avenue Jean Jaurès, 13140 Miramas"},
		{"building first", text("Résidence Les Pins, bât. B, 12 av. Jean Jaurès, 13140 Miramas"), MatchNumber, 1, "12 Avenue Jean Jaurès, 13140 Miramas"},
		{"flat last", text("12 av. Jean Jaurès appt 4, 13140 Miramas"), MatchNumber, 1, "12 Avenue Jean Jaurès, 13140 Miramas"},
		{"initial", text("12 av J. Jaurès 13140 Miramas"), MatchNumber, 0.85, "12 Avenue Jean Jaurès, 13140 Miramas"},
		{"surname", text("12 av Jaurès 13140 Miramas"), MatchNumber, 0.8, "12 Avenue Jean Jaurès, 13140 Miramas"},
		{"no type", text("12 Jean Jaurès 13140 Miramas"), MatchNumber, 0.85, "12 Avenue Jean Jaurès, 13140 Miramas"},
		{"another type", text("12 bd Jean Jaurès 13140 Miramas"), MatchNumber, 0.55, "12 Avenue Jean Jaurès, 13140 Miramas"},
		{"typing error", text("12 av Jean Jaurés-Miramas 13140"), MatchNumber, 1, "12 Avenue Jean Jaurès, 13140 Miramas"},
		{"one letter", text("12 av Jean Jaurez 13140 Miramas"), MatchNumber, 0.85, "12 Avenue Jean Jaurès, 13140 Miramas"},
		{"digits are never typing errors", text("3 rue du 7 mai 1945 13140 Miramas"), MatchNone, 0, "voie introuvable"},
		{"digits in the name", text("3 rue du 8 mai 1945, 13140 Miramas"), MatchNumber, 1, "3 Rue du 8 Mai 1945, 13140 Miramas"},
		{"Ste", text("7 imp Ste Genevieve 13140 Miramas"), MatchNumber, 1, "7 Impasse Sainte-Geneviève, 13140 Miramas"},
		{"rond-point", text("1 rpt des Ormes 13140 Miramas"), MatchNumber, 1, "1 Rond-Point des Ormes, 13140 Miramas"},
		{"title", text("2 pl du Gal de Gaulle 13140 Miramas"), MatchNumber, 1, "2 Place du Général de Gaulle, 13140 Miramas"},
		{"articles", text("9 ch Fontaine 13800 Istres"), MatchNumber, 0.98, "9 Chemin de la Fontaine, 13800 Istres"},
		{"r for rue is no suffix", text("5 r Voltaire 13800 Istres"), MatchNumber, 1, "5 Rue Voltaire, 13800 Istres"},
		{"commune without postcode", text("5 rue Voltaire Istres"), MatchNumber, 1, "5 Rue Voltaire, 13800 Istres"},
		{"commune after a comma", text("5 rue Voltaire, Istres"), MatchNumber, 1, "5 Rue Voltaire, 13800 Istres"},
		{"number last", text("rue Voltaire 5, 13800 Istres"), MatchNumber, 1, "5 Rue Voltaire, 13800 Istres"},
		{"number and commas", text("5, rue Voltaire, 13800, Istres"), MatchNumber, 1, "5 Rue Voltaire, 13800 Istres"},
		{"two communes", text("5 rue Voltaire"), MatchNone, 0, "adresse ambiguë : plusieurs voies conviennent"},
		{"nowhere said, only one", text("9 chemin de la Fontaine"), MatchNumber, 0.9, "9 Chemin de la Fontaine, 13800 Istres"},
		{"postcode alone", text("5 rue Voltaire 13800"), MatchNumber, 0.95, "5 Rue Voltaire, 13800 Istres"},
		{"postcode and commune differ, both have it", text("5 rue Voltaire 13140 Istres"), MatchNone, 0, "adresse ambiguë : plusieurs voies conviennent"},
		{"postcode and commune differ, one has it", text("9 ch de la Fontaine 13140 Istres"), MatchNumber, 0.9, "9 Chemin de la Fontaine, 13800 Istres"},
		{"homonyms in one commune", text("4 rue de l'Eglise Istres"), MatchNone, 0, "adresse ambiguë : plusieurs voies conviennent"},
		{"homonyms, postcode", text("4 rue de l'Eglise 13118 Istres"), MatchNumber, 1, "4 Rue de l'Église, 13118 Istres"},
		{"homonyms, former commune", text("4 rue de l'Eglise Entressen"), MatchNumber, 1, "4 Rue de l'Église, 13800 Istres"},
		{"arrondissement by postcode", text("6 rue des Tanneurs 13002 Marseille"), MatchNumber, 1, "6 Rue des Tanneurs, 13002 Marseille 2e Arrondissement"},
		{"no arrondissement", text("6 rue des Tanneurs Marseille"), MatchNone, 0, "adresse ambiguë : plusieurs voies conviennent"},
		{"arrondissement", text("6 rue des Tanneurs, Marseille 1er"), MatchNumber, 1, "6 Rue des Tanneurs, 13001 Marseille 1er Arrondissement"},
		{"not in the book", text("5 rue Voltaire 75011 Paris"), MatchNone, 0, "commune ou code postal absents du fichier d'adresses"},
		{"no such street", text("5 rue des Acacias 13800 Istres"), MatchNone, 0, "voie introuvable"},
		{"short names are not mistaken", text("2 rue des Lias 13140 Miramas"), MatchNone, 0, "voie introuvable"},
		{"empty", Address{}, MatchNone, 0, "adresse vide"},
		{"columns", Address{Text: "avenue Jean Jaurès", Number: "12 bis", Postcode: "13140", Town: "MIRAMAS"}, MatchNumber, 1, "12 bis Avenue Jean Jaurès, 13140 Miramas"},
		{"INSEE code", Address{Text: "5 rue Voltaire", Insee: "13047"}, MatchNumber, 1, "5 Rue Voltaire, 13800 Istres"},
		{"INSEE code of Marseille", Address{Text: "6 rue des Tanneurs", Insee: "13055", Postcode: "13001"}, MatchNumber, 1, "6 Rue des Tanneurs, 13001 Marseille 1er Arrondissement"},
	}
	for _, tt := range tests {
		m := book.Match(tt.a)
		if said := m.Label + m.Reason; m.Kind != tt.kind || m.Score != tt.score || said != tt.label {
			t.Errorf("%s: %s %g %q, want %s %g %q", tt.name, m.Kind, m.Score, said, tt.kind, tt.score, tt.label)
		}
	}
}

func TestReadAddressBookRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"another file", "a;b\n1;2\n", ":1: no column numero, nom_voie, code_postal, code_insee, nom_commune, lon, lat: this is not a BAN file"},
		{"number", strings.Replace(banSample(), ";301;", ";301b;", 1), `:23: numero: "301b" is not a house number`},
		{"longitude", strings.Replace(banSample(), "5.001000", "5.0.1", 1), `:2: lon: "5.0.1" is not a number: degrees are expected`},
		{"metres", strings.Replace(banSample(), "5.001000", "861000", 1), ":2: lon: 861000, 43.58 are not degrees"},
		{"nothing in it", banHeader, "no address with its coordinates"},
	}
	for _, tt := range tests {
		_, err := ReadAddressBook(writeBAN(t, tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	_, err := ReadAddressBook(writeBAN(t, strings.Replace(banSample(), ";301;", ";x;", 1)))
	var cellErr *CellError
	if !errors.As(err, &cellErr) || cellErr.Line != 23 || cellErr.Column != "numero" {
		t.Errorf("bad number: %v, want a CellError", err)
	}
}

func FuzzMatchAddress(f *testing.F) {
	book, err := ReadAddressBook(writeBAN(f, banSample()))
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"12 bis av. Jean Jaurès, 13140 Miramas", "5 r Voltaire", "13140", ",,;", "12-14 rue", "\xff\u0301", "rond point", "cedex france"} {
		f.Add(s, "", "", "")
	}
	f.Add("avenue Jean Jaurès", "12 B", "13140", "Miramas")
	f.Fuzz(func(t *testing.T, text, number, postcode, town string) {
		a := Address{Text: text, Number: number, Postcode: postcode, Town: town}
		m := book.Match(a)
		if again := book.Match(a); again != m {
			t.Fatalf("%q: %v then %v", text, m, again)
		}
		if none := m.Kind == MatchNone; none != (m.Score == 0) || none != (m.Label == "") || none != (m.Reason != "") || m.Score < 0 || m.Score > 1 {
			t.Fatalf("%q: %+v", text, m)
		}
	})
}

// Addresses of a département are matched as fast as its points are located.
func BenchmarkMatchAddress(b *testing.B) {
	var text strings.Builder
	text.WriteString(banHeader)
	names := []string{"Voltaire", "Jean Jaurès", "Pasteur", "des Lilas", "du Moulin", "Victor Hugo", "de la Gare", "Émile Zola"}
	for s := range 4000 {
		for n := range 50 {
			fmt.Fprintf(&text, "13%03d_%04d_%05d;;%d;;Rue %s %d;13%03d;13%03d;Commune %d;;;0;0;%.5f;%.5f;;;;;;;;;\n", s%100, s, n, n+1,
				names[s%len(names)], s, s%100, s%100, s%100, 5+float64(s)/1e4, 43+float64(n)/1e4)
		}
	}
	book, err := ReadAddressBook(writeBAN(b, text.String()))
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for i := range b.N {
		s := i % 4000
		if m := book.Match(Address{Text: fmt.Sprintf("%d rue %s %d, 13%03d commune %d", i%50+1, names[s%len(names)], s, s%100, s%100)}); m.Kind != MatchNumber {
			b.Fatal(m)
		}
	}
}
