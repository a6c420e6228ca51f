package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"

	"observatoire/geo"
	"observatoire/indicators"
)

func TestCutSchema(t *testing.T) {
	for _, tt := range []struct{ address, rest, schema string }{
		{"postgres://u@h/db", "postgres://u@h/db", "observatoire"},
		{"postgres://u:p%40@h1:1,h2:2/db?schema=sop&sslmode=disable", "postgres://u:p%40@h1:1,h2:2/db?sslmode=disable", "sop"},
		{"postgresql://h/db?schema=sop", "postgresql://h/db", "sop"},
		{"service=sig schema=sop", "service=sig", "sop"},
		{"schema='Ouest Provence' host=h", " host=h", "Ouest Provence"},
		{"service=sig", "service=sig", "observatoire"},
	} {
		rest, schema, err := cutSchema(tt.address)
		if err != nil || rest != tt.rest || schema != tt.schema {
			t.Errorf("cutSchema(%q) = %q, %q, %v", tt.address, rest, schema, err)
		}
	}
}

func TestPostGISUnreachable(t *testing.T) {
	start := time.Now()
	_, err := Open(context.Background(), "postgres://zoe:sekret@127.0.0.1:1/obs", "")
	if err == nil || !strings.HasPrefix(err.Error(), "PostGIS unreachable at 127.0.0.1:1 (") ||
		!strings.HasSuffix(err.Error(), "): check the address, or use the default GeoPackage store") || strings.Contains(err.Error(), "sekret") {
		t.Errorf("Open = %v", err)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("it took %v to say so", d)
	}
	if _, err := Open(context.Background(), "postgres://zoe:sekret@127.0.0.1:port/obs", ""); err == nil || strings.Contains(err.Error(), "sekret") {
		t.Errorf("Open = %v", err)
	}
}

func TestPostGISUnknownDatabase(t *testing.T) {
	address := pgAddress(t)
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" {
		t.Skip("needs OBSERVATOIRE_TEST_PG as a URL")
	}
	u.Path = "/nulle_part"
	_, err = Open(context.Background(), u.String(), "")
	if err == nil || !strings.Contains(err.Error(), "refuses database nulle_part") {
		t.Errorf("Open = %v", err)
	}
}

// What other programs read: geometry in the legal projection, of the area we measure; one edition published.
func TestPostGISTables(t *testing.T) {
	ctx := context.Background()
	address := pgAddress(t)
	s := open(t, address, "")
	if err := errors.Join(s.PutEdition(ctx, sampleEdition("e")), s.Publish(ctx, "e", "Zoé", "2026-11-01")); err != nil {
		t.Fatal(err)
	}
	open(t, address, "") // once up to date, it is opened as it is
	pool := s.(*postgis).pool
	want := sampleEdition("e").Layers[1].Zones[0].Geom
	var area, kept float64
	var srid, zones int
	var valid bool
	if err := pool.QueryRow(ctx, `SELECT ST_Area(geom), aire_m2, ST_SRID(geom), ST_IsValid(geom), (SELECT count(*) FROM zone)
		FROM zone WHERE edition = 'e' AND couche = 'iris-2016' AND code = '130470101'`).Scan(&area, &kept, &srid, &valid, &zones); err != nil {
		t.Fatal(err)
	}
	if a := geo.Area(want); math.Abs(area-a) > 1e-6 || kept != a || srid != 2154 || !valid || zones != 5 {
		t.Errorf("area %v, kept %v, SRID %d, valid %v, %d zones", area, kept, srid, valid, zones)
	}
	var point string
	var inZones int
	if err := pool.QueryRow(ctx, `SELECT ST_AsEWKT(geom), (SELECT count(*) FROM equipement_zone WHERE edition = 'e' AND code_equipement = 'A1'
		AND couche = 'iris-2016' AND code = '130470103') FROM equipement WHERE edition = 'e' AND theme = 'gymnase'`).Scan(&point, &inZones); err != nil {
		t.Fatal(err)
	}
	if point != "SRID=2154;POINT(870100 6270100)" || inZones != 1 {
		t.Errorf("a facility at %s, in %d zones", point, inZones)
	}
	var columns, constraints string
	if err := pool.QueryRow(ctx, `SELECT string_agg(DISTINCT table_schema, ' ') FROM information_schema.columns
		WHERE table_name IN ('serie', 'zone', 'journal') AND table_schema = current_schema()`).Scan(&columns); err != nil {
		t.Fatal(err)
	}
	if err := pool.QueryRow(ctx, "SELECT current_schema()").Scan(&constraints); err != nil || columns != constraints {
		t.Errorf("tables in %q, want %q", columns, constraints)
	}
}

func TestPostGISNotifies(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s := open(t, pgAddress(t), "")
	conn, err := pgx.Connect(ctx, os.Getenv("OBSERVATOIRE_TEST_PG"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.PutEdition(ctx, sampleEdition("annonce")), s.Publish(ctx, "annonce", "Zoé", "2026-11-01")); err != nil {
		t.Fatal(err)
	}
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if n.Payload == "annonce" {
			return
		}
	}
}

// Two runs start at once on a new schema.
func TestPostGISOpenedTwiceAtOnce(t *testing.T) {
	address := pgAddress(t)
	errs := make(chan error)
	for range 4 {
		go func() {
			s, err := Open(context.Background(), address, "")
			if err == nil {
				err = s.Close()
			}
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// TestPostGISBoxes compares the boxes that a migration gives the editions of before with those kept since, and reads a
// layer of many blocks by them while every connection of the pool is wanted.
func TestPostGISBoxes(t *testing.T) {
	ctx := context.Background()
	address := pgAddress(t)
	s := open(t, address, "")
	defer s.Close()
	e := &indicators.Edition{ID: "boites", Layers: []geo.ZoneSet{{Layer: "iris-2016", EPSG: 2154}}}
	set := &e.Layers[0]
	for i := range 5 * pgBlock {
		z := geo.Zone{Code: fmt.Sprintf("%09d", i)}
		if i%7 != 0 { // some are known by their code alone
			x, y := 880000.123456789+20*float64(i), 6270000.987654321
			z.Geom = orb.MultiPolygon{{{{x, y}, {x + 10, y}, {x + 10, y + 10}, {x, y + 10}, {x, y}}}}
		}
		set.Zones = append(set.Zones, z)
	}
	if err := s.PutEdition(ctx, e); err != nil {
		t.Fatal(err)
	}
	pool := s.(*postgis).pool
	kept := func() (b []byte) {
		t.Helper()
		if err := pool.QueryRow(ctx, "SELECT boites FROM couche WHERE edition = 'boites'").Scan(&b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	want := kept()
	text, err := migrations.ReadFile("migrations/0007_boites.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, update, _ := strings.Cut(string(text), "EXTERNAL;\n")
	update, _, _ = strings.Cut(update, ";")
	for _, q := range []string{"UPDATE couche SET boites = NULL", update} {
		if _, err := pool.Exec(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	if got := kept(); !bytes.Equal(got, want) {
		t.Errorf("the migration gives %d bytes of boxes, other than the %d that are kept", len(got), len(want))
	}

	near := []orb.Bound{{Min: orb.Point{880000, 6270000}, Max: orb.Point{880000 + 20*3*pgBlock, 6270001}}}
	var wg sync.WaitGroup
	for range 12 {
		wg.Go(func() {
			got, at, err := s.Zones(ctx, "boites", "iris-2016", near)
			if err != nil {
				t.Error(err)
				return
			}
			last := -1
			for k, i := range at {
				if i <= last || i%7 == 0 || got.Zones[k].Code != set.Zones[i].Code || !orb.Equal(got.Zones[k].Geom, set.Zones[i].Geom) {
					t.Errorf("zone %d is read as %s", i, got.Zones[k].Code)
				}
				last = i
			}
			if n := 3*pgBlock - (3*pgBlock+6)/7; len(at) < n || len(at) > n+1 {
				t.Errorf("%d zones are near, want %d", len(at), n)
			}
		})
	}
	wg.Wait()
}
