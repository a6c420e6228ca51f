package ingest

import (
	"strings"
	"testing"
)

// Other years, other départements and other levels of the catalogue's families, from the columns that are documented: the samples are
// invented, no published file stands behind them.
func TestOtherYearsOfTheFamilies(t *testing.T) {
	cat := bundled(t)
	columns := func(prefix string, names ...string) string {
		return prefix + strings.Join(names, ";"+prefix)
	}
	census := func(aa string) string {
		head := "IRIS;COM;TYP_IRIS;LAB_IRIS"
		for _, a := range []string{"", "0014", "1529", "3044", "4559", "6074", "75P"} {
			for _, s := range []string{"POP", "H", "F"} {
				if a == "" && s != "POP" {
					s = "POP" + s
				}
				head += ";P" + aa + "_" + s + a
			}
		}
		return head
	}
	ones := func(head, code string) string { // the code under each key, 1 everywhere else
		cells := strings.Split(head, ";")
		for i, h := range cells {
			switch h {
			case "IRIS", "CODGEO", "GEO":
				cells[i] = code
			default:
				cells[i] = "1"
			}
		}
		return head + "\n" + strings.Join(cells, ";") + "\n"
	}
	filo := "IRIS;" + columns("DISP_", "TP6021", "Q121", "MED21", "Q321", "D121", "D221", "D321", "D421", "D621", "D721", "D821", "D921", "RD21", "GI21", "PACT21", "PPEN21", "PPSOC21", "INCERT21")
	communes := strings.NewReplacer("IRIS;COM", "CODGEO;LIBGEO", "P19_POP75P", "P19_POP7589;P19_POP90P", "P19_H75P", "P19_H7589;P19_H90P", "P19_F75P", "P19_F7589;P19_F90P")
	tests := []struct{ file, text, card, level, want string }{
		{"base-ic-evol-struct-pop-2022.CSV", ones(census("22")+";C22_POP15P;C22_POP15P_STAT_GSEC13_23", "380010000"), "recensement-population", "iris", "380010000 csp_cadres.T.2022 1"},
		{"base-ic-evol-struct-pop-2008.csv", ones(census("08")+";C08_POP15P;C08_POP15P_CS3", "2A0040101"), "recensement-population", "iris", "2A0040101 csp_cadres.T.2008 1"},
		{"base-cc-evol-struct-pop-2019.csv", ones(communes.Replace(census("19")), "35238"), "recensement-population", "commune", "35238 population_75_ans_plus.F.2019 2"},
		{"BASE_TD_FILO_IRIS_2021_DISP.csv", ones(filo, "440010000"), "filosofi-iris", "iris", "440010000 niveau_de_vie_median.T.2021 1"},
		{"data_CAF_2022_QP24.csv", ones("CODGEO;NOTE;A;PERCOU;AM;AI;ACSSENF;ACAVENF;AC3ENF;ENF;APPA;ARSAS;AAAH", "QN06901M"), "caf", "qpv", "QN06901M allocataires.T.2022 1"},
		{"data_CNAM_2021_IRIS.csv", ones("CODGEO;NOTE;C;C_C2SNP;C_C2SP", "690010000"), "cnam", "iris", "690010000 nb_c2s_sans_participation.T.2021 1"},
		{"DS_POPULATIONS_REFERENCE_2023_data.csv", "GEO;GEO_OBJECT;POPREF_MEASURE;TIME_PERIOD;OBS_VALUE\n93001;COM;PMUN;2023;5\n93001;COM;PCAP;2023;6\n93;DEP;PMUN;2023;7\n", "melodi-populations", "commune", "93001 population.T.2023 5"},
		{"DS_FILOSOFI_CC_2021_data.csv", "GEO;GEO_OBJECT;FILOSOFI_MEASURE;UNIT_MEASURE;OBS_STATUS;TIME_PERIOD;OBS_VALUE\n93;DEP;MED_SL;EUR;A;2021;5\n93001;COM;MED_SL;EUR;A;2021;6\n", "melodi-filosofi", "departement", "93 niveau_de_vie_median.T.2021 5"},
	}
	for _, tt := range tests {
		cards := cat.Match(tt.file)
		if len(cards) != 1 || cards[0].ID != tt.card {
			t.Errorf("%s: %d cards fit, want %s", tt.file, len(cards), tt.card)
			continue
		}
		c := cards[0]
		if c.LevelColumn != "" {
			c = c.At(tt.level)
		}
		table, err := openNamed(t, c, tt.file, tt.text)
		if err != nil {
			t.Error(err)
			continue
		}
		src, _ := table.Source()
		got, err := figuresOf(t, table, nil)
		if err != nil || src.Level != tt.level || !strings.Contains(got, tt.want) {
			t.Errorf("%s: level %s, %v\n%s", tt.file, src.Level, err, got)
		}
	}
}
