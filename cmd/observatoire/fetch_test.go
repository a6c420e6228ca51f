package main

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"observatoire/ingest"
)

// published is a file of 300 kB, as a producer would publish it.
var published = func() []byte {
	var b bytes.Buffer
	b.WriteString("IRIS;POP\n")
	for i := range 20000 {
		fmt.Fprintf(&b, "13047%04d;%d\n", i%10000, i*7%5000)
	}
	return b.Bytes()
}()

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// fetchProject is a project whose tables are the given lines of YAML.
func fetchProject(t *testing.T, tables ...string) string {
	t.Helper()
	dir := t.TempDir()
	putFile(t, filepath.Join(dir, projectFile), "title: Essai\ntables:\n  - "+strings.Join(tables, "\n  - ")+"\n")
	return dir
}

func putFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// oneFile is a project of one table, downloaded from an address.
func oneFile(t *testing.T, address string) (dir, path string) {
	t.Helper()
	dir = fetchProject(t, fmt.Sprintf("{card: recensement-iris, file: sources/pop.csv, url: %q}", address))
	return dir, filepath.Join(dir, "sources", "pop.csv")
}

// fetchCLI runs fetch with the patience of a test.
func fetchCLI(t *testing.T, dir string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return cli(t, append([]string{"-C", dir, "fetch", "--backoff=1ms", "--stall=300ms", "--retries=3", "--max-wait=3s"}, args...)...)
}

// A flaw is a handler that knows how many times it was asked.
func flawed(t *testing.T, h func(n int, w http.ResponseWriter, r *http.Request)) *httptest.Server {
	t.Helper()
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h(int(n.Add(1)), w, r) }))
	t.Cleanup(s.Close)
	return s
}

// serveRange serves bytes as a good server does, with a strong ETag.
func serveRange(w http.ResponseWriter, r *http.Request, b []byte) {
	w.Header().Set("ETag", `"`+digestOf(b)[:8]+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

// cut serves the beginning of a file, then drops the connection.
func cut(w http.ResponseWriter, b []byte, n int, reset bool) {
	conn, buf, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	fmt.Fprintf(buf, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: \"%s\"\r\n\r\n", len(b), digestOf(b)[:8])
	buf.Write(b[:n])
	buf.Flush()
	if reset {
		time.Sleep(30 * time.Millisecond) // let what was sent be read
		conn.(*net.TCPConn).SetLinger(0)
	}
	conn.Close()
}

func holds(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes that are not the %d published", path, len(got), len(want))
	}
	if left, _ := filepath.Glob(path + ".part*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func lockOf(t *testing.T, dir string) *ingest.Lock {
	t.Helper()
	l, err := ingest.ReadLock(filepath.Join(dir, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// Servers that do their job badly: the file comes all the same, whole.
func TestFetchGetsThrough(t *testing.T) {
	other := bytes.ReplaceAll(published, []byte("13047"), []byte("13063"))
	half := len(published) / 2
	for _, tt := range []struct {
		name   string
		server func(n int, w http.ResponseWriter, r *http.Request)
		want   []byte
		says   string // on stderr
	}{
		{"good", func(_ int, w http.ResponseWriter, r *http.Request) { serveRange(w, r, published) }, published, ""},
		{"truncates", func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				cut(w, published, half, false)
				return
			}
			if want := fmt.Sprintf("bytes=%d-", half); r.Header.Get("Range") != want {
				t.Errorf("Range: %q, want %q", r.Header.Get("Range"), want)
			}
			serveRange(w, r, published)
		}, published, "going on from"},
		{"resets", func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				cut(w, published, half, true)
				return
			}
			serveRange(w, r, published)
		}, published, "again in"},
		{"resets before it answers", func(n int, w http.ResponseWriter, r *http.Request) {
			if n <= 2 {
				conn, _, _ := w.(http.Hijacker).Hijack()
				conn.(*net.TCPConn).SetLinger(0)
				conn.Close()
				return
			}
			serveRange(w, r, published)
		}, published, "reset"},
		{"always truncates, a little further", func(n int, w http.ResponseWriter, r *http.Request) {
			var from int
			fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from)
			w.Header().Set("ETag", `"x"`)
			end := min(from+len(published)/12, len(published))
			w.Header().Set("Content-Length", strconv.Itoa(len(published)-from))
			if from > 0 {
				w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(published)-1, len(published)))
				w.WriteHeader(http.StatusPartialContent)
			}
			w.Write(published[from:end])
		}, published, "the connection was cut"},
		{"stalls in the middle", func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				w.Header().Set("ETag", `"`+digestOf(published)[:8]+`"`)
				w.Header().Set("Content-Length", strconv.Itoa(len(published)))
				w.Write(published[:half])
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				return
			}
			serveRange(w, r, published)
		}, published, "nothing came for 300ms"},
		{"stalls before it answers", func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				<-r.Context().Done()
				return
			}
			serveRange(w, r, published)
		}, published, "nothing came for 300ms"},
		{"ignores ranges", func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				cut(w, published, half, false)
				return
			}
			w.Write(published)
		}, published, "starting again"},
		{"says neither date nor ETag", func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				w.Header().Set("Content-Length", strconv.Itoa(len(published)))
				w.Write(published[:half])
				return
			}
			if r.Header.Get("Range") != "" {
				t.Error("a range is asked for, and nothing says that the file is the same")
			}
			w.Write(published)
		}, published, "the connection was cut"},
		{"changes the file between two ranges", func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				cut(w, published, half, false)
				return
			}
			serveRange(w, r, other) // If-Range no longer holds: the whole file
		}, other, "starting again"},
		{"changes the file, and goes on all the same", func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				cut(w, published, half, false)
				return
			}
			r.Header.Del("If-Range")
			serveRange(w, r, other)
		}, other, "the file has changed on the server"},
		{"has a shorter file now", func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				cut(w, published, half, false)
				return
			}
			r.Header.Del("If-Range")
			serveRange(w, r, other[:half/2])
		}, other[:half/2], "less than an earlier attempt"},
		{"503 then 429 with Retry-After", func(n int, w http.ResponseWriter, r *http.Request) {
			switch n {
			case 1:
				w.WriteHeader(http.StatusServiceUnavailable)
			case 2:
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusTooManyRequests)
			default:
				serveRange(w, r, published)
			}
		}, published, "429 Too Many Requests: again in 1s"},
		{"compresses whatever is asked", func(_ int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(published)
			z.Close()
		}, published, ""},
		{"compresses, and truncates", func(n int, w http.ResponseWriter, r *http.Request) {
			var z bytes.Buffer
			zw := gzip.NewWriter(&z)
			zw.Write(published)
			zw.Close()
			w.Header().Set("Content-Encoding", "gzip")
			w.Header().Set("Content-Length", strconv.Itoa(z.Len()))
			w.Header().Set("ETag", `"x"`)
			if n == 1 {
				w.Write(z.Bytes()[:z.Len()/2])
				return
			}
			if r.Header.Get("Range") != "" {
				t.Error("a range of what was decoded is asked for")
			}
			w.Write(z.Bytes())
		}, published, "the connection was cut"},
		{"gives no length", func(_ int, w http.ResponseWriter, r *http.Request) {
			w.Write(published[:half])
			w.(http.Flusher).Flush()
			w.Write(published[half:])
		}, published, ""},
		{"gives no length, and closes", func(_ int, w http.ResponseWriter, r *http.Request) {
			conn, buf, _ := w.(http.Hijacker).Hijack()
			fmt.Fprintf(buf, "HTTP/1.0 200 OK\r\n\r\n%s", published)
			buf.Flush()
			conn.Close()
		}, published, "the server does not say how long the file is"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := flawed(t, tt.server)
			dir, path := oneFile(t, s.URL+"/pop.csv")
			code, out, errs := fetchCLI(t, dir)
			if code != exitDone || !strings.Contains(errs, tt.says) {
				t.Fatalf("exit %d, want %q\n%s%s", code, tt.says, out, errs)
			}
			holds(t, path, tt.want)
			f, ok := lockOf(t, dir).File("sources/pop.csv")
			if !ok || f.SHA256 != digestOf(tt.want) || f.Size != int64(len(tt.want)) || f.URL != s.URL+"/pop.csv" || f.Retrieved != today() ||
				f.Card != "recensement-iris" || f.Licence != "Licence Ouverte 2.0 (données Insee)" {
				t.Errorf("locked: %+v", f)
			}
		})
	}
}

// Servers that have something else: nothing takes the file's name, and one line says what to do.
func TestFetchRefuses(t *testing.T) {
	half := len(published) / 2
	for _, tt := range []struct {
		name   string
		server func(n int, w http.ResponseWriter, r *http.Request)
		code   int
		want   string
	}{
		{"404", func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, exitFailed, "404 Not Found: the file is no longer there: look for it at"},
		{"403", func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, exitFailed, "403 Forbidden"},
		{"407", func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(407) }, exitFailed, "the proxy wants a name and a password"},
		{"always 503", func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, exitFailed, "given up after 4 attempts: the server answers 503"},
		{"429 for an hour", func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(429)
		}, exitFailed, "the server asks to wait 1h0m0s: fetch again later"},
		{"a web page with status 200", func(_ int, w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "\n <!DOCTYPE html><html><title>Page introuvable</title>")
		}, exitRefused, "the answer is a web page, not the file: look for it at"},
		{"a message with status 200", func(_ int, w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"error": "no such file"}`)
		}, exitRefused, `the answer is a message, not a table: it begins with "{\"error\": \"no such file\"}": look for it at`},
		{"a message of a store of objects", func(_ int, w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>")
		}, exitRefused, "the answer is a message, not a table"},
		{"nothing", func(_ int, w http.ResponseWriter, _ *http.Request) {}, exitRefused, "the answer is empty"},
		{"always truncates at the same place", func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(len(published)))
			w.Write(published[:half])
		}, exitFailed, "given up after 4 attempts: the connection was cut"},
		{"always stalls", func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, exitFailed, "nothing came for 300ms"},
		{"loops", func(_ int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, map[string]string{"/pop.csv": "/b", "/b": "/pop.csv"}[r.URL.Path], http.StatusFound)
		}, exitFailed, "it redirects in a loop"},
		{"redirects without end", func(n int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/"+strconv.Itoa(n), http.StatusFound)
		}, exitFailed, "it redirects more than 10 times"},
		{"redirects to a file", func(_ int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(302)
		}, exitFailed, "which is not on the web"},
		{"an unknown encoding", func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			w.Write(published)
		}, exitRefused, `encoded as "br"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := flawed(t, tt.server)
			dir, path := oneFile(t, s.URL+"/pop.csv")
			code, _, errs := fetchCLI(t, dir)
			if code != tt.code || !strings.Contains(errs, tt.want) {
				t.Fatalf("exit %d, want %d and %q\n%s", code, tt.code, tt.want, errs)
			}
			if strings.Count(errs, "error: ") != 1 {
				t.Errorf("more than one error:\n%s", errs)
			}
			if exists(path) || exists(filepath.Join(dir, lockFile)) {
				t.Error("a file was put in place all the same")
			}
		})
	}
	t.Run("nobody listens", func(t *testing.T) {
		s := httptest.NewServer(nil)
		s.Close()
		dir, _ := oneFile(t, s.URL+"/pop.csv")
		if code, _, errs := fetchCLI(t, dir); code != exitFailed || !strings.Contains(errs, "connection refused") {
			t.Errorf("exit %d: %s", code, errs)
		}
	})
}

// An archive must be one: a message in JSON, or an archive cut short by a server that gives no length, is not.
func TestFetchArchive(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"a.zip", `{"error": "quota"}`, `is not a .zip file: it begins with "{\"error\"`},
		{"a.zip", "PK\x03\x04 and then nothing", "the archive is cut short or damaged"},
		{"a.csv.gz", "IRIS;POP\n", "is not a .gz file"},
		{"a.7z", "7zip", "is not a .7z file"},
	} {
		s := flawed(t, func(_ int, w http.ResponseWriter, _ *http.Request) { io.WriteString(w, tt.body) })
		dir := fetchProject(t, fmt.Sprintf("{card: recensement-iris, file: sources/%s, url: %q}", tt.name, s.URL))
		if code, _, errs := fetchCLI(t, dir); code != exitRefused || !strings.Contains(errs, tt.want) {
			t.Errorf("%s: exit %d, want %q\n%s", tt.name, code, tt.want, errs)
		}
	}
	// A length that is too short hides the end of the file: an archive has its table of contents there.
	var whole bytes.Buffer
	archive := zip.NewWriter(&whole)
	member, err := archive.Create("pop.csv")
	if err != nil {
		t.Fatal(err)
	}
	member.Write(published)
	archive.Close()
	lying := flawed(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(whole.Len()-100))
		w.Write(whole.Bytes()[:whole.Len()-100])
	})
	dir := fetchProject(t, fmt.Sprintf("{card: recensement-iris, file: sources/a.zip, url: %q}", lying.URL))
	if code, _, errs := fetchCLI(t, dir); code != exitRefused || !strings.Contains(errs, "the archive is cut short or damaged") {
		t.Errorf("exit %d: %s", code, errs)
	}

	// A .gz is kept as it is published, though its server labels it as an encoding.
	var z bytes.Buffer
	zw := gzip.NewWriter(&z)
	zw.Write(published)
	zw.Close()
	s := flawed(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Write(z.Bytes())
	})
	dir = fetchProject(t, fmt.Sprintf("{card: recensement-iris, file: sources/a.csv.gz, url: %q}", s.URL))
	must(t, "-C", dir, "fetch")
	holds(t, filepath.Join(dir, "sources", "a.csv.gz"), z.Bytes())
}

// A card says where its years are; the size and the digest it gives are checked.
func TestFetchFromCard(t *testing.T) {
	s := flawed(t, func(_ int, w http.ResponseWriter, r *http.Request) { serveRange(w, r, published) })
	card := func(downloads string) string {
		return "id: revenus\nkind: table\ntitle: Revenus\nlevel: iris\nkey: [IRIS]\nlicence: Licence Ouverte 2.0\npage: https://producteur.example/revenus\n" +
			"files: [\"REV_{AAAA}.csv\"]\nvariables: [{id: a, columns: POP, millesime: edition}]\ndownloads:\n" + downloads
	}
	good := fmt.Sprintf("  2019: {url: %[1]q, size: %d, sha256: %s}\n  2020: {url: %[1]q}\n  2021: {url: %[1]q, file: REV_2021_csv.zip}\n",
		s.URL+"/REV_{AAAA}.csv", len(published), digestOf(published))
	for _, tt := range []struct {
		name, downloads, table string
		args                   []string
		code                   int
		want                   string   // on stderr
		files                  []string // in sources/ afterwards
	}{
		{"a file", good, "file: sources/REV_2019.csv", nil, 0, "", []string{"REV_2019.csv"}},
		{"the file of a year, by its name", good, "file: sources/REV_2020.csv", nil, 0, "", []string{"REV_2020.csv"}},
		{"a pattern", good, `file: "sources/REV_*.csv"`, nil, 0, "", []string{"REV_2019.csv", "REV_2020.csv"}},
		{"a name of its own", good, "card: revenus, file: sources/rev_2019.csv", nil, 0, "", []string{"rev_2019.csv"}},
		{"one year of a pattern", good, `file: "sources/REV_*.csv"`, []string{"revenus@2020"}, 0, "", []string{"REV_2020.csv"}},
		{"one file of a pattern", good, `file: "sources/REV_*.csv"`, []string{"REV_2019.csv"}, 0, "", []string{"REV_2019.csv"}},
		{"a card", good, `file: "sources/REV_*.csv"`, []string{"revenus"}, 0, "", []string{"REV_2019.csv", "REV_2020.csv"}},
		{"a year that the project does not name", good, "file: sources/REV_2019.csv", []string{"revenus@2020"}, 0, "", []string{"REV_2020.csv"}},
		{"a year without address", good, "file: sources/REV_2019.csv", []string{"revenus@2012"}, 2, "the card has no address for 2012; it has 2019, 2020, 2021", nil},
		{"an unknown name", good, "file: sources/REV_2019.csv", []string{"revnus"}, 2, `"revnus" is neither a card nor a file`, nil},
		{"a card the project does not use", good, "file: sources/REV_2019.csv", []string{"caf"}, 2, "the project names no file of the card caf", nil},
		{"a year nobody knows", good, "file: sources/REV_2014.csv", nil, 1, "no address for it: download it from https://producteur.example/revenus", nil},
		{"published as an archive", good, "file: sources/REV_2021.csv", nil, 1, "the published file of 2021 is REV_2021_csv.zip: write file: sources/REV_2021_csv.zip", nil},
		{"a pattern nothing fits", good, "card: revenus, file: \"sources/X_*.csv\"", nil, 1, "nothing there fits this pattern", nil},
		{"another size", "  2019: {url: \"" + s.URL + "/REV_2019.csv\", size: 12}", "file: sources/REV_2019.csv", nil, 3,
			"the server announces 320000 bytes, the card revenus says 12", nil},
		{"another digest", "  2019: {url: \"" + s.URL + "/REV_2019.csv\", sha256: " + strings.Repeat("0a", 32) + "}", "file: sources/REV_2019.csv", nil, 3,
			"the card revenus says 0a0a", nil},
		{"an address for all years", `  "{AAAA}": {url: "` + s.URL + `/REV_{AA}.csv"}`, "file: sources/REV_2024.csv", nil, 0, "", []string{"REV_2024.csv"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := fetchProject(t, "{"+tt.table+"}")
			putFile(t, filepath.Join(dir, "cards", "revenus.yaml"), card(tt.downloads))
			want := strings.ReplaceAll(tt.want, "320000", strconv.Itoa(len(published)))
			code, _, errs := fetchCLI(t, dir, tt.args...)
			if code != tt.code || !strings.Contains(errs, want) {
				t.Fatalf("exit %d, want %d and %q\n%s", code, tt.code, want, errs)
			}
			var names []string
			entries, _ := os.ReadDir(filepath.Join(dir, "sources"))
			for _, e := range entries {
				names = append(names, e.Name())
			}
			if diff := cmp.Diff(tt.files, names); diff != "" {
				t.Errorf("sources/ (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("all years", func(t *testing.T) {
		dir := fetchProject(t, "{file: sources/REV_2019.csv}")
		putFile(t, filepath.Join(dir, "cards", "revenus.yaml"), card(strings.ReplaceAll(good, "_csv.zip", ".csv")))
		must(t, "-C", dir, "fetch", "--all")
		for _, year := range []string{"2019", "2020", "2021"} {
			holds(t, filepath.Join(dir, "sources", "REV_"+year+".csv"), published)
		}
	})
}

// With a lock a run can be repeated: another file is refused until it is accepted, and a file of the user's is never replaced.
func TestFetchLock(t *testing.T) {
	now := published
	asked := 0
	s := flawed(t, func(_ int, w http.ResponseWriter, r *http.Request) { asked++; serveRange(w, r, now) })
	dir, path := oneFile(t, s.URL+"/pop.csv")
	must(t, "-C", dir, "fetch")
	first, err := os.ReadFile(filepath.Join(dir, lockFile))
	if err != nil {
		t.Fatal(err)
	}
	must(t, "-C", dir, "fetch")
	if asked != 1 {
		t.Errorf("a file that is there was asked for again: %d requests", asked)
	}
	must(t, "-C", dir, "fetch", "--offline")

	// The same bytes years later: the lock does not move.
	must(t, "-C", dir, "fetch", "--force")
	os.Remove(path)
	must(t, "-C", dir, "fetch")
	again, _ := os.ReadFile(filepath.Join(dir, lockFile))
	if diff := cmp.Diff(string(first), string(again)); diff != "" {
		t.Errorf("the lock moved (-first +again):\n%s", diff)
	}

	// Without an address in the project, that of the lock.
	text, _ := os.ReadFile(filepath.Join(dir, projectFile))
	putFile(t, filepath.Join(dir, projectFile), "title: Essai\ntables:\n  - {card: recensement-iris, file: sources/pop.csv}\n")
	os.Remove(path)
	must(t, "-C", dir, "fetch")
	holds(t, path, published)
	putFile(t, filepath.Join(dir, projectFile), string(text))

	// The producer changes the file.
	now = bytes.ReplaceAll(published, []byte("13047"), []byte("13063"))
	for _, args := range [][]string{{"--force"}, nil} {
		if args == nil {
			os.Remove(path)
		}
		code, _, errs := fetchCLI(t, dir, args...)
		if code != exitRefused || !strings.Contains(errs, "observatoire.lock says "+digestOf(published)) || !strings.Contains(errs, "--update-lock") {
			t.Fatalf("%v: exit %d: %s", args, code, errs)
		}
	}
	if exists(path) {
		t.Error("a file that is not the locked one was put in place")
	}
	must(t, "-C", dir, "fetch", "--update-lock")
	holds(t, path, now)

	// The user changes the file.
	putFile(t, path, "IRIS;POP\n")
	code, out, errs := fetchCLI(t, dir)
	if code != exitRefused || !strings.Contains(errs, "not the file of observatoire.lock") || !strings.Contains(out, "differs") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	code, _, errs = fetchCLI(t, dir, "--force", "--update-lock")
	if code != exitRefused || !strings.Contains(errs, "is left as it is: move it away") {
		t.Errorf("exit %d: %s", code, errs)
	}
	holds(t, path, []byte("IRIS;POP\n"))
	must(t, "-C", dir, "fetch", "--update-lock")
	if f, _ := lockOf(t, dir).File("sources/pop.csv"); f.SHA256 != digestOf([]byte("IRIS;POP\n")) || f.Retrieved != "" {
		t.Errorf("locked: %+v", f)
	}

	code, _, errs = cli(t, "-C", dir, "fetch", "--offline")
	if code != exitDone {
		t.Errorf("exit %d: %s", code, errs)
	}
	os.Remove(path)
	if code, _, errs = cli(t, "-C", dir, "fetch", "--offline"); code != exitFailed || !strings.Contains(errs, "missing: `observatoire fetch` without --offline") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if code, out, _ = cli(t, "-C", dir, "fetch", "--dry-run"); code != exitDone || !strings.Contains(out, "to fetch") || exists(path) {
		t.Errorf("exit %d: %s", code, out)
	}
}

// An address that has moved for good is followed, and said.
func TestFetchMoved(t *testing.T) {
	s := flawed(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/pop.csv":
			http.Redirect(w, r, "/nouveau/pop.csv", http.StatusMovedPermanently)
		case "/nouveau/pop.csv":
			http.Redirect(w, r, "/depot/pop.csv?X-Amz-Signature=abc", http.StatusFound)
		default:
			serveRange(w, r, published)
		}
	})
	dir, path := oneFile(t, s.URL+"/pop.csv")
	code, _, errs := fetchCLI(t, dir)
	want := "sources/pop.csv: its address has moved to " + s.URL + "/nouveau/pop.csv: update tables[0] of observatoire.yaml"
	if code != exitDone || !strings.Contains(errs, want) {
		t.Fatalf("exit %d, want %q\n%s", code, want, errs)
	}
	holds(t, path, published)
	if f, _ := lockOf(t, dir).File("sources/pop.csv"); f.Final != s.URL+"/depot/pop.csv" {
		t.Errorf("final address: %q", f.Final)
	}
}

// https: a certificate nobody vouches for, one that is given, and a redirection that leaves for http.
func TestFetchTLS(t *testing.T) {
	plain := flawed(t, func(_ int, w http.ResponseWriter, r *http.Request) { serveRange(w, r, published) })
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sorti.csv" {
			http.Redirect(w, r, plain.URL, http.StatusFound)
			return
		}
		serveRange(w, r, published)
	}))
	defer s.Close()
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // a certificate that is refused is part of the test
	ca := filepath.Join(t.TempDir(), "ca.pem")
	putFile(t, ca, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))

	dir, path := oneFile(t, s.URL+"/pop.csv")
	if code, _, errs := fetchCLI(t, dir); code != exitFailed || !strings.Contains(errs, "its certificate cannot be trusted") || !strings.Contains(errs, "--ca FILE.pem") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if code, _, errs := fetchCLI(t, dir, "--ca", filepath.Join(dir, projectFile)); code != exitUsage || !strings.Contains(errs, "no certificate in it") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if code, _, errs := fetchCLI(t, dir, "--ca", ca); code != exitDone {
		t.Fatalf("exit %d: %s", code, errs)
	}
	holds(t, path, published)
	dir, _ = oneFile(t, s.URL+"/sorti.csv")
	if code, _, errs := fetchCLI(t, dir, "--ca", ca); code != exitFailed || !strings.Contains(errs, "it redirects from https to") {
		t.Errorf("exit %d: %s", code, errs)
	}

	// Through a proxy: CONNECT for https, the whole address for http; by flag, by environment, with a password.
	var mu sync.Mutex
	var seen []string
	proxy := flawed(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen = append(seen, r.Method+" "+r.Host)
		mu.Unlock()
		if r.Header.Get("Proxy-Authorization") == "" {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		to := strings.TrimPrefix(plain.URL, "http://")
		if r.Method == http.MethodConnect {
			to = strings.TrimPrefix(s.URL, "https://")
		}
		conn, err := net.Dial("tcp", to)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		client, buf, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer client.Close()
		if r.Method == http.MethodConnect {
			io.WriteString(client, "HTTP/1.1 200 OK\r\n\r\n")
		} else {
			r.Header.Set("Connection", "close")
			if err := r.Write(conn); err != nil {
				t.Error(err)
			}
		}
		go io.Copy(conn, buf)
		io.Copy(client, conn)
	})
	with := strings.Replace(proxy.URL, "http://", "http://agent:secret@", 1)
	for _, tt := range []struct {
		name, address, flag, env, noProxy string
		code                              int
		want                              string // the proxy's, or on stderr
	}{
		{"https by flag", "https://example.com/pop.csv", with, "", "", 0, "CONNECT example.com:443"},
		{"http by flag", "http://donnees.example/pop.csv", with, "", "", 0, "GET donnees.example"},
		{"https by environment", "https://example.com/pop.csv", "", with, "", 0, "CONNECT example.com:443"},
		{"http by environment", "http://donnees.example/pop.csv", "", with, "", 0, "GET donnees.example"},
		{"https without password", "https://example.com/pop.csv", proxy.URL, "", "", 1, "the proxy wants a name and a password"},
		{"http without password", "http://donnees.example/pop.csv", proxy.URL, "", "", 1, "the proxy wants a name and a password"},
		{"NO_PROXY", "http://absent.invalid/pop.csv", with, "", "absent.invalid", 1, "absent.invalid"},
		{"not an address", "http://donnees.example/pop.csv", "proxy:3128", "", "", 2, `is not an address such as http://proxy.mairie.fr:3128`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seen = nil
			for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
				t.Setenv(name, tt.env)
			}
			t.Setenv("NO_PROXY", tt.noProxy)
			dir, path := oneFile(t, tt.address)
			code, out, errs := fetchCLI(t, dir, "--ca", ca, "--proxy", tt.flag)
			if code != tt.code || !strings.Contains(strings.Join(seen, "\n")+errs, tt.want) {
				t.Fatalf("exit %d, want %d and %q: the proxy saw %q\n%s", code, tt.code, tt.want, seen, errs)
			}
			if tt.noProxy != "" && len(seen) > 0 {
				t.Errorf("NO_PROXY: the proxy saw %q", seen)
			}
			if code == 0 {
				holds(t, path, published)
			}
			if lock, _ := os.ReadFile(filepath.Join(dir, lockFile)); strings.Contains(out+errs+string(lock), "secret") {
				t.Error("the password of the proxy was written")
			}
		})
	}
}

// Killed without warning, the next fetch goes on from there.
func TestFetchKilled(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("signals")
	}
	half := len(published) / 2
	sent := make(chan bool, 1)
	s := flawed(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			w.Header().Set("ETag", `"`+digestOf(published)[:8]+`"`)
			w.Header().Set("Content-Length", strconv.Itoa(len(published)))
			w.Write(published[:half])
			w.(http.Flusher).Flush()
			sent <- true
			<-r.Context().Done()
			return
		}
		if !strings.HasPrefix(r.Header.Get("Range"), "bytes=") {
			t.Error("the second fetch starts from the beginning")
		}
		serveRange(w, r, published)
	})
	dir, path := oneFile(t, s.URL+"/pop.csv")
	cmd := exec.Command(os.Args[0], "-C", dir, "fetch")
	cmd.Env = append(os.Environ(), asProgram+"=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-sent
	for deadline := time.Now().Add(10 * time.Second); partSize(path) < int64(half); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("only %d bytes arrived", partSize(path))
		}
	}
	// Meanwhile another fetch finds the folder taken.
	if code, _, errs := fetchCLI(t, dir); code != exitFailed || !strings.Contains(errs, "another fetch is at work in this project") {
		t.Errorf("exit %d: %s", code, errs)
	}
	cmd.Process.Kill()
	cmd.Wait()
	if exists(path) {
		t.Fatal("half a file has taken its name")
	}
	code, _, errs := fetchCLI(t, dir)
	if code != exitDone || !strings.Contains(errs, "going on from") {
		t.Fatalf("exit %d: %s", code, errs)
	}
	holds(t, path, published)
	if left, _ := filepath.Glob(filepath.Join(dir, ".observatoire*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A full disk is one error, whatever the number of files, and what is there is kept.
func TestFetchDiskFull(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	s := flawed(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		time.Sleep(20 * time.Millisecond)
		serveRange(w, r, published)
	})
	var tables []string
	for i := range 6 {
		tables = append(tables, fmt.Sprintf("{card: recensement-iris, file: sources/%d.csv, url: %q}", i, s.URL))
	}
	dir := fetchProject(t, tables...)
	if err := os.MkdirAll(filepath.Join(dir, "sources"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		if err := os.Symlink("/dev/full", filepath.Join(dir, "sources", fmt.Sprintf("%d.csv.part", i))); err != nil {
			t.Fatal(err)
		}
	}
	code, _, errs := fetchCLI(t, dir, "--jobs", "1")
	if code != exitFailed || strings.Count(errs, "the disk is full: make room, then fetch again") != 1 {
		t.Errorf("exit %d:\n%s", code, errs)
	}
}

// Several at once, but not too many for one server.
func TestFetchTogether(t *testing.T) {
	var now, most atomic.Int64
	s := flawed(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		time.Sleep(30 * time.Millisecond)
		serveRange(w, r, published)
	})
	var tables []string
	for i := range 9 {
		tables = append(tables, fmt.Sprintf("{card: recensement-iris, file: sources/%d.csv, url: %q}", i, s.URL))
	}
	dir := fetchProject(t, tables...)
	out := must(t, "-C", dir, "fetch", "--jobs", "8", "--per-host", "3", "--format", "json")
	var rows []fetchRow
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 9 || rows[8].State != "fetched" || rows[8].SHA256 != digestOf(published) {
		t.Errorf("%v: %s", err, out)
	}
	if most.Load() != 3 {
		t.Errorf("%d requests at once, want 3", most.Load())
	}
	if n := len(lockOf(t, dir).Files); n != 9 {
		t.Errorf("%d files in the lock, want 9", n)
	}
}

// Interrupted, it says so once, and goes on from there the next time.
func TestFetchInterrupted(t *testing.T) {
	ctx, interrupt := context.WithCancel(context.Background())
	s := flawed(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if n == 1 {
			w.Header().Set("ETag", `"`+digestOf(published)[:8]+`"`)
			w.Header().Set("Content-Length", strconv.Itoa(len(published)))
			w.Write(published[:len(published)/2])
			w.(http.Flusher).Flush()
			time.AfterFunc(50*time.Millisecond, interrupt)
			<-r.Context().Done()
			return
		}
		serveRange(w, r, published)
	})
	dir, path := oneFile(t, s.URL+"/pop.csv")
	var out, errs bytes.Buffer
	code := execute(ctx, []string{"-C", dir, "fetch"}, &out, &errs)
	if code != exitFailed || errs.String() != "error: interrupted: the next fetch goes on from where this one stopped\n" || exists(path) {
		t.Errorf("exit %d: %s", code, errs.String())
	}
	if code, _, errs := fetchCLI(t, dir); code != exitDone || !strings.Contains(errs, "going on from") {
		t.Errorf("exit %d: %s", code, errs)
	}
	holds(t, path, published)
}

// A file that fails does not keep the others from coming.
func TestFetchOneFails(t *testing.T) {
	s := flawed(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/b" {
			w.WriteHeader(404)
			return
		}
		serveRange(w, r, published)
	})
	dir := fetchProject(t, fmt.Sprintf("{file: sources/a.csv, url: %q}", s.URL+"/a"), fmt.Sprintf("{file: sources/b.csv, url: %q}", s.URL+"/b"),
		fmt.Sprintf("{file: sources/c.csv, url: %q}", s.URL+"/c"))
	code, out, errs := fetchCLI(t, dir)
	if code != exitFailed || !strings.Contains(errs, "sources/b.csv: ") || strings.Count(out, "fetched") != 2 {
		t.Errorf("exit %d:\n%s%s", code, out, errs)
	}
}

// Entries that cannot be: each said with its place.
func TestFetchEntriesRefused(t *testing.T) {
	for _, tt := range []struct{ table, want string }{
		{`{file: "sources/*.csv", url: "https://x.example/a"}`, "tables[0]: url: one address gives one file"},
		{`{file: sources/a.csv, url: "x.example/a"}`, "begins with https:// or http://"},
		{`{file: sources/a.csv, url: "https://x.example/{AAAA}.csv"}`, "no year in the name a.csv"},
		{`{file: sources/a.csv, card: fiosofi}`, "no card \"fiosofi\""},
		{`{file: "${OBSERVATOIRE_NULLE_PART}/a.csv"}`, "OBSERVATOIRE_NULLE_PART} is not set"},
	} {
		if code, _, errs := fetchCLI(t, fetchProject(t, tt.table)); code == exitDone || !strings.Contains(errs, tt.want) {
			t.Errorf("%s: exit %d, want %q\n%s", tt.table, code, tt.want, errs)
		}
	}
	for _, args := range [][]string{{"--jobs", "0"}, {"--format", "xml"}, {"--stall", "0s"}, {"--nope"}} {
		if code, _, errs := fetchCLI(t, fetchProject(t, "{file: a.csv}"), args...); code != exitUsage {
			t.Errorf("%v: exit %d: %s", args, code, errs)
		}
	}
}

// A run says which files are not those of the lock; the dates of the lock do not change the edition.
func TestRunChecksTheLock(t *testing.T) {
	dir := demoProject(t)
	first := strings.TrimSpace(must(t, "-C", dir, "run"))
	must(t, "-C", dir, "fetch", "--update-lock")
	lock := lockOf(t, dir)
	if len(lock.Files) < 10 {
		t.Fatalf("%d files in the lock: %+v", len(lock.Files), lock.Files)
	}
	for i := range lock.Files {
		lock.Files[i].Retrieved = "2031-01-01"
	}
	text, err := lock.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	putFile(t, filepath.Join(dir, lockFile), string(text))
	if again := strings.TrimSpace(must(t, "-C", dir, "run")); again != first {
		t.Errorf("the lock made another edition: %s, %s", first, again)
	}
	path := filepath.Join(dir, "donnees", "contrat-qpv-2015.csv")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	putFile(t, path, strings.TrimRight(string(b), "\n")) // the same figures in another file
	must(t, "-C", dir, "run")
	out := must(t, "-C", dir, "review")
	s := bufio.NewScanner(strings.NewReader(out))
	var lines []string
	for s.Scan() {
		if strings.Contains(s.Text(), "verrou") {
			lines = append(lines, s.Text())
		}
	}
	if len(lines) != 1 || !strings.Contains(lines[0], "donnees/contrat-qpv-2015.csv") || !strings.Contains(lines[0], "n'est pas celui que consigne observatoire.lock") {
		t.Errorf("review: %q", lines)
	}
}
