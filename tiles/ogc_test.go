package tiles

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"observatoire/geo"
)

// read asks for JSON and decodes it, with the status and type expected.
func read[T any](t *testing.T, ts *httptest.Server, path string, headers ...string) T {
	t.Helper()
	var doc T
	resp, body := fetch(t, ts, "GET", strings.TrimPrefix(path, ts.URL), headers...)
	if err := json.Unmarshal(body, &doc); err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %d, %v: %.400s", path, resp.StatusCode, err, body)
	}
	return doc
}

func linked(links []link, rel, contentType string) string {
	for _, l := range links {
		if l.Rel == rel && (contentType == "" || strings.HasPrefix(l.Type, contentType)) {
			return l.Href
		}
	}
	return ""
}

type featurePage struct {
	Type      string
	Links     []link
	TimeStamp string
	Matched   *int `json:"numberMatched"`
	Returned  *int `json:"numberReturned"`
	Features  []struct {
		Type, ID   string
		Geometry   *struct{ Coordinates [][][][2]float64 }
		Properties map[string]any
	}
}

func (p featurePage) codes() []string {
	list := []string{}
	for _, f := range p.Features {
		list = append(list, f.ID)
	}
	return list
}

// TestOGCFeaturesCore is the abstract test suite of OGC 17-069r4 (Features, part 1), annex A, each test under its id.
func TestOGCFeaturesCore(t *testing.T) {
	ts := server(t, sample(3))
	const accept, asJSON = "Accept", "application/json"
	type landing struct {
		Title string
		Links []link
	}
	home := read[landing](t, ts, "/", accept, asJSON)
	type collections struct {
		Links       []link
		Collections []collection
	}
	t.Run("conf/core/http", func(t *testing.T) {
		if resp, _ := fetch(t, ts, "HEAD", "/collections"); resp.StatusCode != 200 || resp.ProtoMajor != 1 {
			t.Errorf("HEAD: %d", resp.StatusCode)
		}
	})
	t.Run("conf/core/root-op", func(t *testing.T) {
		resp, _ := fetch(t, ts, "GET", "/", accept, asJSON)
		if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), asJSON) {
			t.Errorf("%d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
		}
	})
	t.Run("conf/core/root-success", func(t *testing.T) {
		for _, rel := range []string{"self", "alternate", "conformance", "data", "service-desc", "service-doc"} {
			href := linked(home.Links, rel, "")
			if href == "" {
				t.Errorf("no link %s", rel)
				continue
			}
			if resp, body := fetch(t, ts, "GET", strings.TrimPrefix(href, ts.URL)); resp.StatusCode != 200 || len(body) == 0 {
				t.Errorf("%s: %d", href, resp.StatusCode)
			}
		}
	})
	for _, id := range []string{"conf/core/api-definition-op", "conf/core/api-definition-success", "conf/oas30/oas-definition-1", "conf/oas30/oas-definition-2", "conf/oas30/oas-impl"} {
		t.Run(id, func(t *testing.T) {
			href := linked(home.Links, "service-desc", "application/vnd.oai.openapi+json")
			resp, body := fetch(t, ts, "GET", strings.TrimPrefix(href, ts.URL))
			if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "application/vnd.oai.openapi+json;version=3.0" {
				t.Fatalf("%d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
			}
			loader := openapi3.NewLoader()
			doc, err := loader.LoadFromData(body)
			if err != nil {
				t.Fatal(err)
			}
			if err := doc.Validate(loader.Context); err != nil {
				t.Error(err)
			}
			for _, path := range []string{"/", "/conformance", "/collections", "/collections/{layer}", "/collections/iris-2016/items", "/collections/iris-2016/items/{code}"} {
				if doc.Paths.Value(path) == nil {
					t.Errorf("no path %s", path)
				}
			}
		})
	}
	t.Run("conf/core/conformance-op", func(t *testing.T) {
		for _, path := range []string{"/conformance", linked(home.Links, "conformance", "")} {
			read[object](t, ts, path)
		}
	})
	t.Run("conf/core/conformance-success", func(t *testing.T) {
		doc := read[struct{ ConformsTo []string }](t, ts, "/conformance")
		for _, class := range []string{"core", "geojson", "html", "oas30"} {
			if !slices.Contains(doc.ConformsTo, "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/"+class) {
				t.Errorf("no class %s", class)
			}
		}
	})
	list := read[collections](t, ts, "/collections")
	t.Run("conf/core/fc-md-op", func(t *testing.T) {
		for _, path := range []string{"/collections", linked(home.Links, "data", "")} {
			read[collections](t, ts, path)
		}
	})
	t.Run("conf/core/fc-md-success", func(t *testing.T) {
		if linked(list.Links, "self", asJSON) == "" || linked(list.Links, "alternate", "text/html") == "" || len(list.Collections) != 4 {
			t.Errorf("%d collections, links %v", len(list.Collections), list.Links)
		}
	})
	t.Run("conf/core/fc-md-items", func(t *testing.T) {
		for _, c := range list.Collections {
			for _, kind := range []string{"application/geo+json", "text/html"} {
				if linked(c.Links, "items", kind) == "" {
					t.Errorf("%s: no items as %s", c.ID, kind)
				}
			}
			spatial, _ := c.Extent["spatial"].(object)
			boxes, _ := spatial["bbox"].([]any)
			if c.ID == "" || len(boxes) != 1 || len(boxes[0].([]any)) != 4 || spatial["crs"] != crs84 {
				t.Errorf("%s: extent %v", c.ID, c.Extent)
			}
		}
	})
	for _, id := range []string{"conf/core/sfc-md-op", "conf/core/sfc-md-success"} {
		t.Run(id, func(t *testing.T) {
			for _, c := range list.Collections {
				one := read[collection](t, ts, "/collections/"+c.ID)
				if fmt.Sprint(one) != fmt.Sprint(c) {
					t.Errorf("%s is described in two ways:\n%v\n%v", c.ID, one, c)
				}
			}
		})
	}
	for _, id := range []string{"conf/core/fc-op", "conf/core/fc-response", "conf/core/fc-links", "conf/core/fc-rel-type", "conf/core/fc-timeStamp", "conf/core/fc-numberMatched", "conf/core/fc-numberReturned", "conf/geojson/definition", "conf/geojson/content"} {
		t.Run(id, func(t *testing.T) {
			for _, c := range list.Collections {
				resp, _ := fetch(t, ts, "GET", strings.TrimPrefix(linked(c.Links, "items", "application/geo+json"), ts.URL))
				if !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/geo+json") {
					t.Errorf("%s: %s", c.ID, resp.Header.Get("Content-Type"))
				}
				page := read[featurePage](t, ts, linked(c.Links, "items", "application/geo+json"))
				if page.Type != "FeatureCollection" || *page.Matched != c.Count || *page.Returned != len(page.Features) || len(page.Features) != c.Count {
					t.Errorf("%s: %s of %d, %d, %d zones", c.ID, page.Type, *page.Matched, *page.Returned, len(page.Features))
				}
				if linked(page.Links, "self", "application/geo+json") == "" || linked(page.Links, "alternate", "text/html") == "" {
					t.Errorf("%s: links %v", c.ID, page.Links)
				}
				for _, l := range page.Links {
					if l.Rel == "" || l.Type == "" {
						t.Errorf("%s: link %v", c.ID, l)
					}
				}
				for _, f := range page.Features {
					if f.Type != "Feature" || f.ID == "" || f.Properties["code"] != f.ID {
						t.Errorf("%s: %v", c.ID, f)
					}
				}
			}
		})
	}
	items := "/collections/iris-2016/items"
	for _, id := range []string{"conf/core/fc-limit-definition", "conf/core/fc-limit-response"} {
		t.Run(id, func(t *testing.T) {
			for limit, want := range map[string]int{"1": 1, "4": 4, "10": 10, "10000": 10, "10001": 10, "99999999999999999999": 10} {
				if page := read[featurePage](t, ts, items+"?limit="+limit); len(page.Features) != want || *page.Returned != want || *page.Matched != 10 {
					t.Errorf("limit=%s: %d zones", limit, len(page.Features))
				}
			}
		})
	}
	t.Run("conf/core/fc-response links", func(t *testing.T) { // forth by next, and back by prev
		var forth, back []string
		last := ""
		for path := items + "?limit=3"; path != ""; {
			page := read[featurePage](t, ts, path)
			forth, last = append(forth, page.codes()...), path
			path = linked(page.Links, "next", "")
		}
		for path := last; path != ""; {
			page := read[featurePage](t, ts, path)
			back = append(page.codes(), back...)
			path = linked(page.Links, "prev", "")
		}
		if len(forth) != 10 || !slices.Equal(forth, back) {
			t.Errorf("forth %v, back %v", forth, back)
		}
	})
	for _, id := range []string{"conf/core/fc-bbox-definition", "conf/core/fc-bbox-response"} {
		t.Run(id, func(t *testing.T) {
			all := read[featurePage](t, ts, items)
			box := list.Collections[slices.IndexFunc(list.Collections, func(c collection) bool { return c.ID == "iris-2016" })].Extent["spatial"].(object)["bbox"].([]any)[0].([]any)
			// Of a grid of 3 × 3, the middle of a zone is met by that zone alone.
			for _, f := range all.Features {
				if f.Geometry == nil || f.ID == "130470101" { // it has a hole there
					continue
				}
				a, c := f.Geometry.Coordinates[0][0][0], f.Geometry.Coordinates[0][0][2]
				x, y := (a[0]+c[0])/2, (a[1]+c[1])/2
				for _, b := range []string{fmt.Sprintf("%f,%f,%f,%f", x-.001, y-.001, x+.001, y+.001), fmt.Sprintf("%f,%f,-50,%f,%f,5000", x-.001, y-.001, x+.001, y+.001), fmt.Sprintf("%f,%f,%f,%f", x, y, x, y)} {
					if page := read[featurePage](t, ts, items+"?bbox="+b); !slices.Equal(page.codes(), []string{f.ID}) {
						t.Errorf("bbox %s: %v, want %s", b, page.codes(), f.ID)
					}
				}
			}
			for b, want := range map[string]int{
				fmt.Sprintf("%v,%v,%v,%v", box[0], box[1], box[2], box[3]): 9, "-180,-90,180,90": 9, "2,48,3,49": 0,
				"170,40,10,50": 9, "170,-20,-170,-10": 0, "4,40,3,50": 9, "5.2,40,4,50": 0, // across the antimeridian
			} {
				if page := read[featurePage](t, ts, items+"?bbox="+b); *page.Matched != want {
					t.Errorf("bbox %s: %d, want %d", b, *page.Matched, want)
				}
			}
			for _, b := range []string{"", "1,2,3", "1,2,3,4,5", "a,b,c,d", "0,50,1,40", "0,0,5,1,1,4", "0,0,200,1", "NaN,0,1,1", "Inf,0,1,1"} {
				if resp, body := fetch(t, ts, "GET", items+"?bbox="+b); resp.StatusCode != 400 || !strings.Contains(string(body), `"parametre":"bbox"`) {
					t.Errorf("bbox=%s: %d %s", b, resp.StatusCode, body)
				}
			}
		})
	}
	for _, id := range []string{"conf/core/fc-time-definition", "conf/core/fc-time-response"} {
		t.Run(id, func(t *testing.T) {
			for _, v := range []string{"2018-02-12T23:20:50Z", "2018-02-12T00:00:00+01:00/2018-03-18T12:31:12Z", "2018-02-12T00:00:00Z/..", "../2018-03-18T12:31:12Z", "/2018-03-18T12:31:12Z", "../..", "2018-02-12", "2018-02-12T00:00:00.5Z"} {
				if page := read[featurePage](t, ts, items+"?datetime="+url.QueryEscape(v)); *page.Matched != 10 { // none has a date
					t.Errorf("datetime %s: %d", v, *page.Matched)
				}
			}
			for _, v := range []string{"", "hier", "2018", "2018-13-01T00:00:00Z", "a/b", "2018-01-01T00:00:00Z/2017-01-01T00:00:00Z", "../../..", ".."} {
				if resp, body := fetch(t, ts, "GET", items+"?datetime="+url.QueryEscape(v)); resp.StatusCode != 400 || !strings.Contains(string(body), `"parametre":"datetime"`) {
					t.Errorf("datetime=%s: %d %s", v, resp.StatusCode, body)
				}
			}
		})
	}
	for _, id := range []string{"conf/core/query-param-unknown", "conf/core/query-param-invalid"} {
		t.Run(id, func(t *testing.T) {
			paths := []string{"/", "/conformance", "/api", "/collections", "/collections/iris-2016", items, items + "/130470101", "/collections/iris-2016/tiles", "/tileMatrixSets"}
			for _, path := range paths {
				for _, q := range []string{"inconnu=1", "limite=3"} {
					if resp, body := fetch(t, ts, "GET", path+"?"+q, accept, asJSON); resp.StatusCode != 400 || !strings.Contains(string(body), strings.Split(q, "=")[0]) {
						t.Errorf("%s?%s: %d %.200s", path, q, resp.StatusCode, body)
					}
				}
			}
			for _, path := range paths[:7] {
				if resp, body := fetch(t, ts, "GET", path+"?f=xml", accept, asJSON); resp.StatusCode != 400 || !strings.Contains(string(body), `"parametre":"f"`) {
					t.Errorf("%s?f=xml: %d %.200s", path, resp.StatusCode, body)
				}
			}
			for _, q := range []string{"limit=0", "limit=-1", "limit=a", "limit=", "limit=1.5", "offset=-1", "offset=a"} {
				if resp, body := fetch(t, ts, "GET", items+"?"+q); resp.StatusCode != 400 || !strings.Contains(string(body), `"parametre":"`+strings.Split(q, "=")[0]) {
					t.Errorf("%s: %d %.200s", q, resp.StatusCode, body)
				}
			}
		})
	}
	t.Run("rec/core/fc-filters", func(t *testing.T) {
		for q, want := range map[string]int{"code=130470102": 1, "nom=" + url.QueryEscape("Îlot 2"): 1, "nom=rien": 0, "commune=13047": 9, "commune=13": 0, "type=Z": 1, "type=H&commune=13047&limit=2": 9} {
			if page := read[featurePage](t, ts, items+"?"+q); *page.Matched != want {
				t.Errorf("%s: %d, want %d", q, *page.Matched, want)
			}
		}
	})
	for _, id := range []string{"conf/core/f-op", "conf/core/f-success", "conf/core/f-links"} {
		t.Run(id, func(t *testing.T) {
			for _, f := range read[featurePage](t, ts, items).Features {
				one := read[struct {
					Type, ID string
					Links    []link
				}](t, ts, items+"/"+f.ID)
				if one.Type != "Feature" || one.ID != f.ID || linked(one.Links, "self", "") == "" || linked(one.Links, "collection", "") == "" || linked(one.Links, "alternate", "text/html") == "" {
					t.Errorf("%s: %v", f.ID, one)
				}
			}
			for _, path := range []string{items + "/rien", "/collections/rien", "/collections/rien/items"} {
				if resp, _ := fetch(t, ts, "GET", path); resp.StatusCode != 404 {
					t.Errorf("%s: %d", path, resp.StatusCode)
				}
			}
		})
	}
	for _, id := range []string{"conf/html/definition", "conf/html/content"} {
		t.Run(id, func(t *testing.T) {
			for path, says := range map[string]string{"/": "<h1>", "/api": "/collections/iris-2016/items", "/conformance": "ogcapi-features-1", "/collections": "iris-2016", "/collections/iris-2016": "EPSG/0/2154",
				items + "?limit=2&indicateurs=part_cmuc": "0.25", items + "?offset=2&limit=2&indicateurs=part_cmuc": "secret statistique", items + "/130470101": "Îlot 1"} {
				sep := "?"
				if strings.Contains(path, "?") {
					sep = "&"
				}
				for _, ask := range [][]string{{path, accept, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}, {path + sep + "f=html", accept, asJSON}} {
					resp, body := fetch(t, ts, "GET", ask[0], ask[1:]...)
					if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") || !strings.Contains(string(body), says) || !strings.Contains(string(body), `lang="fr"`) {
						t.Errorf("%s: %d %s, no %q: %.300s", ask[0], resp.StatusCode, resp.Header.Get("Content-Type"), says, body)
					}
					if !strings.Contains(resp.Header.Get("Vary"), "Accept,") && !strings.HasSuffix(resp.Header.Get("Vary"), ", Accept") {
						t.Errorf("%s: Vary %s", ask[0], resp.Header.Get("Vary"))
					}
				}
			}
			// The next page is a page too, and each form has its tag.
			_, body := fetch(t, ts, "GET", items+"?limit=2", accept, "text/html")
			if !strings.Contains(string(body), `rel="next"`) || !strings.Contains(string(body), "f=html&amp;limit=2&amp;offset=2") {
				t.Errorf("no next page: %s", body)
			}
			a, _ := fetch(t, ts, "GET", items, accept, "text/html")
			b, _ := fetch(t, ts, "GET", items, accept, asJSON)
			if a.Header.Get("ETag") == b.Header.Get("ETag") {
				t.Error("the page and the JSON have one tag")
			}
		})
	}
}

// TestOGCFeaturesCRS is the abstract test suite of OGC 18-058r1 (Features, part 2), annex A.
func TestOGCFeaturesCRS(t *testing.T) {
	ts := server(t, sample(3))
	const legal = epsgURI + "2154"
	items := "/collections/iris-2016/items"
	list := read[struct{ Collections []collection }](t, ts, "/collections").Collections
	t.Run("conf/crs/crs-uri", func(t *testing.T) {
		for _, c := range list {
			for _, uri := range c.CRS {
				if !strings.HasPrefix(uri, "http://www.opengis.net/def/crs/") {
					t.Errorf("%s: %s", c.ID, uri)
				}
			}
		}
	})
	t.Run("conf/crs/fc-md-crs-list", func(t *testing.T) {
		for _, c := range list {
			if !slices.Equal(c.CRS, []string{crs84, legal}) {
				t.Errorf("%s: %v", c.ID, c.CRS)
			}
		}
	})
	t.Run("conf/crs/fc-md-storageCrs", func(t *testing.T) {
		for _, c := range list {
			if c.StorageCRS != legal || !slices.Contains(c.CRS, c.StorageCRS) {
				t.Errorf("%s: %s", c.ID, c.StorageCRS)
			}
		}
	})
	crs, err := geo.ByEPSG(2154)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"conf/crs/fc-crs-definition", "conf/crs/fc-crs-valid-value", "conf/crs/ogc-crs-header", "conf/crs/ogc-crs-header-value", "conf/crs/geojson"} {
		t.Run(id, func(t *testing.T) {
			lonlat := read[featurePage](t, ts, items)
			for uri, want := range map[string]string{"": crs84, crs84: crs84, legal: legal} {
				q := ""
				if uri != "" {
					q = "?crs=" + url.QueryEscape(uri)
				}
				for _, path := range []string{items, items + "/130470102"} {
					if resp, _ := fetch(t, ts, "GET", path+q); resp.Header.Get("Content-Crs") != "<"+want+">" {
						t.Errorf("%s%s: Content-Crs %q", path, q, resp.Header.Get("Content-Crs"))
					}
				}
				page := read[featurePage](t, ts, items+q)
				for i, f := range page.Features {
					if f.Geometry == nil {
						continue
					}
					p, x := lonlat.Features[i].Geometry.Coordinates[0][0][0], f.Geometry.Coordinates[0][0][0]
					if want == crs84 {
						if p != x {
							t.Errorf("%s: %v, not %v", f.ID, x, p)
						}
					} else if e, n := crs.Forward(p[0], p[1]); math.Hypot(e-x[0], n-x[1]) > 0.02 || x[0] != math.Round(x[0]*1000)/1000 {
						t.Errorf("%s: %v is %v, %v", f.ID, x, e, n)
					}
				}
			}
		})
	}
	t.Run("conf/crs/fc-crs-invalid-value", func(t *testing.T) {
		for _, v := range []string{"", "2154", "EPSG:2154", epsgURI + "4326", epsgURI + "99999"} {
			for _, path := range []string{items + "?crs=", items + "/130470102?crs=", items + "?bbox=1,2,3,4&bbox-crs="} {
				name := "crs"
				if strings.Contains(path, "bbox") {
					name = "bbox-crs"
				}
				if resp, body := fetch(t, ts, "GET", path+url.QueryEscape(v)); resp.StatusCode != 400 || !strings.Contains(string(body), `"parametre":"`+name+`"`) {
					t.Errorf("%s%s: %d %s", path, v, resp.StatusCode, body)
				}
			}
		}
	})
	for _, id := range []string{"conf/crs/fc-bbox-crs-definition", "conf/crs/fc-bbox-crs-valid-value", "conf/crs/bbox-crs-action"} {
		t.Run(id, func(t *testing.T) {
			q := "&bbox-crs=" + url.QueryEscape(legal)
			for box, want := range map[string][]string{
				"862400,6271400,862600,6271600": {"130470102"}, "861350,6271350,861450,6271450": {}, "861900,6271900,862100,6272100": {"130470101", "130470102", "130470104", "130470105"},
				"0,6000000,1,6000001": {}, "862500,6271500,862500,6271500": {"130470102"}, "862400,6271400,0,862600,6271600,9": {"130470102"},
			} {
				if got := read[featurePage](t, ts, items+"?bbox="+box+q).codes(); !slices.Equal(got, want) {
					t.Errorf("%s: %v, want %v", box, got, want)
				}
			}
			if resp, _ := fetch(t, ts, "GET", items+"?bbox=862600,6271400,862400,6271600"+q); resp.StatusCode != 400 {
				t.Errorf("a box the wrong way round: %d", resp.StatusCode)
			}
			// The same box in both systems.
			a := read[featurePage](t, ts, items+"?bbox=5.0,43.52,5.004,43.522&bbox-crs="+url.QueryEscape(crs84))
			b := read[featurePage](t, ts, items+"?bbox=5.0,43.52,5.004,43.522")
			if !slices.Equal(a.codes(), b.codes()) || len(a.Features) == 0 {
				t.Errorf("%v and %v", a.codes(), b.codes())
			}
		})
	}
	t.Run("next page keeps the system", func(t *testing.T) {
		page := read[featurePage](t, ts, items+"?limit=2&crs="+url.QueryEscape(legal))
		next := read[featurePage](t, ts, linked(page.Links, "next", ""))
		if x := next.Features[0].Geometry.Coordinates[0][0][0]; x[0] < 1000 {
			t.Errorf("%v", x)
		}
	})
}

// TestOGCTilesCore is what OGC 20-057 (Tiles, part 1) asks of a service of vector tiles.
func TestOGCTilesCore(t *testing.T) {
	ts := server(t, sample(3))
	type templated struct {
		link
		Templated bool
	}
	type tileset struct {
		DataType, CRS, TileMatrixSetURI string
		Links                           []templated
		Layers                          []struct{ ID string }
	}
	for _, c := range read[struct{ Collections []collection }](t, ts, "/collections").Collections {
		list := read[struct{ Tilesets []tileset }](t, ts, linked(c.Links, relTilesets, ""))
		if len(list.Tilesets) != 1 {
			t.Fatalf("%s: %d tilesets", c.ID, len(list.Tilesets))
		}
		one := read[tileset](t, ts, list.Tilesets[0].Links[0].Href)
		if one.DataType != "vector" || one.TileMatrixSetURI != schemeURI || one.CRS != mercatorURI || len(one.Layers) != 1 || one.Layers[0].ID != c.ID {
			t.Errorf("%s: %+v", c.ID, one)
		}
		var scheme, item string
		for _, l := range one.Links {
			switch {
			case l.Rel == relScheme:
				scheme = l.Href
			case l.Rel == "item" && l.Templated:
				item = l.Href
			}
		}
		set := read[struct {
			TileMatrices []struct {
				ID                        string
				ScaleDenominator          float64
				MatrixWidth, MatrixHeight int
			}
		}](t, ts, scheme)
		if m := set.TileMatrices; len(m) != maxZoom+1 || math.Abs(m[0].ScaleDenominator-559082264.0287178) > 1e-3 || m[18].MatrixWidth != 1<<18 || m[8].ID != "8" {
			t.Errorf("matrices: %v", set.TileMatrices)
		}
		at := func(z, row, col string) string {
			return strings.TrimPrefix(strings.NewReplacer("{tileMatrix}", z, "{tileRow}", row, "{tileCol}", col).Replace(item), ts.URL)
		}
		resp, body := fetch(t, ts, "GET", at("8", "93", "131"))
		_, same := fetch(t, ts, "GET", "/tiles/"+c.ID+"/8/131/93.mvt")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != typeTile || string(body) != string(same) || len(body) == 0 {
			t.Errorf("%s: %d %s, %d bytes, not %d", c.ID, resp.StatusCode, resp.Header.Get("Content-Type"), len(body), len(same))
		}
		for path, want := range map[string]int{at("8", "0", "0"): 204, at("8", "256", "0"): 404, at("8", "0", "-1"): 404, at("19", "0", "0"): 404, at("a", "0", "0"): 404, at("8", "93", "131") + "?x=1": 400} {
			if resp, _ := fetch(t, ts, "GET", path); resp.StatusCode != want {
				t.Errorf("%s: %d, want %d", path, resp.StatusCode, want)
			}
		}
	}
}

// GDAL reads every zone of every collection.
func TestGDAL(t *testing.T) {
	if _, err := exec.LookPath("ogrinfo"); err != nil {
		t.Skip("ogrinfo is not installed: make deps")
	}
	e := sample(20) // 401 IRIS: several pages
	ts := server(t, e)
	for _, set := range e.Layers {
		out, err := exec.Command("ogrinfo", "-ro", "-al", "-q", "-oo", "PAGE_SIZE=100", "OAPIF:"+ts.URL, string(set.Layer)).CombinedOutput()
		n := strings.Count(string(out), "OGRFeature(")
		if err != nil || n != len(set.Zones) {
			t.Errorf("%s: %d zones of %d: %v\n%.1000s", set.Layer, n, len(set.Zones), err, out)
		}
		for _, z := range set.Zones {
			if !strings.Contains(string(out), "code (String) = "+z.Code+"\n") {
				t.Errorf("%s: %s was not read", set.Layer, z.Code)
				break
			}
		}
	}
	out, err := exec.Command("ogrinfo", "-ro", "-al", "-so", "OAPIF:"+ts.URL, "iris-2016", "-where", "type='Z'").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Feature Count: 1\n") {
		t.Errorf("by type: %v\n%s", err, out)
	}
	out, err = exec.Command("ogrinfo", "-ro", "-al", "-so", "OAPIF:"+ts.URL, "iris-2016", "-spat", "4.98", "43.51", "5.01", "43.53").CombinedOutput()
	var few, all int
	if _, e := fmt.Sscanf(string(out)[max(0, strings.Index(string(out), "Feature Count:")):], "Feature Count: %d", &few); e != nil || err != nil {
		t.Fatalf("by box: %v\n%s", err, out)
	}
	if all = len(e.Layers[1].Zones); few == 0 || few >= all {
		t.Errorf("by box: %d of %d", few, all)
	}
	// The MVT driver: one tile holds the whole territory.
	tile := fmt.Sprintf("MVT:/vsicurl/%s/tiles/%s/%%s.mvt", ts.URL, "iris-2016")
	s := snapshot(t, e)
	l := s.byName["iris-2016"]
	box := l.zones[0].box
	for i := range l.zones[:400] {
		box = box.Union(l.zones[i].box)
	}
	for z := 14; ; z-- {
		n := float64(int(1) << z)
		if x, y := math.Floor(box.Min[0]*n), math.Floor(box.Min[1]*n); x == math.Floor(box.Max[0]*n) && y == math.Floor(box.Max[1]*n) {
			at := fmt.Sprintf(tile, fmt.Sprintf("%d/%d/%d", z, int(x), int(y)))
			out, err := exec.Command("ogrinfo", "-ro", "-al", "-q", "-oo", "CLIP=NO", "-oo", fmt.Sprintf("Z=%d", z), "-oo", fmt.Sprintf("X=%d", int(x)), "-oo", fmt.Sprintf("Y=%d", int(y)), at).CombinedOutput()
			if n := strings.Count(string(out), "OGRFeature("); err != nil || n != 400 {
				t.Errorf("%s: %d zones of 400: %v\n%.500s", at, n, err, out)
			}
			break
		}
	}
}
