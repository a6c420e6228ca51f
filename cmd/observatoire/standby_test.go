package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// A cluster is a private PostgreSQL cluster of the test.
type cluster struct {
	folder string
	port   int
	pg     func(t *testing.T, name string, args ...string)
}

func (c *cluster) address(user, database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", user, c.port, database)
}

// newCluster prepares one whose data is still to be made.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 || os.Getenv("OBSERVATOIRE_TEST_PG") == "" {
		t.Skip("PostgreSQL is not installed, or OBSERVATOIRE_TEST_PG does not say to test on it")
	}
	slices.Sort(found)
	bin := found[len(found)-1]
	folder, err := os.MkdirTemp("", "observatoire-pg.") // t.TempDir is of root alone, where root runs the tests
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{folder: folder, port: l.Addr().(*net.TCPAddr).Port}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	command := func(name string, args ...string) *exec.Cmd {
		args = append([]string{filepath.Join(bin, name)}, args...)
		if os.Getuid() == 0 { // PostgreSQL refuses to run as root
			args = append([]string{"runuser", "-u", "postgres", "--"}, args...)
		}
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = folder
		return cmd
	}
	if os.Getuid() == 0 {
		if out, err := exec.Command("chown", "postgres", folder).CombinedOutput(); err != nil {
			t.Skipf("no account postgres: %s", out)
		}
	}
	c.pg = func(t *testing.T, name string, args ...string) {
		t.Helper()
		cmd := command(name, args...)
		log, err := os.CreateTemp(t.TempDir(), name) // not a pipe: the server that pg_ctl leaves behind would hold it
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Run(); err != nil {
			text, _ := os.ReadFile(log.Name())
			server, _ := os.ReadFile(filepath.Join(folder, "log"))
			t.Fatalf("%s: %v\n%s%s", name, err, text, server)
		}
	}
	t.Cleanup(func() { _ = command("pg_ctl", "-D", folder+"/data", "-m", "immediate", "-w", "stop").Run() })
	return c
}

func (c *cluster) start(t *testing.T) {
	t.Helper()
	c.pg(t, "pg_ctl", "-D", c.folder+"/data", "-w", "-t", "60", "-l", c.folder+"/log", "start", "-o",
		fmt.Sprintf("-p %d -h 127.0.0.1 -k %s -c fsync=off -c shared_buffers=32MB -c max_connections=40", c.port, c.folder))
}

// Two servers read a hot standby of the primary that a run publishes on, one of them under an address that names both: each
// takes up the new edition, and goes on serving when the primary is lost.
func TestServeOnStandby(t *testing.T) {
	ctx := context.Background()
	primary, standby := newCluster(t), newCluster(t)
	primary.pg(t, "initdb", "-D", primary.folder+"/data", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8")
	primary.start(t)
	exec := func(address, sql string) {
		t.Helper()
		conn, err := pgx.Connect(ctx, address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	exec(primary.address("postgres", "postgres"), "CREATE ROLE dsi LOGIN")
	exec(primary.address("postgres", "postgres"), "CREATE DATABASE sig OWNER dsi")
	exec(primary.address("postgres", "sig"), "CREATE EXTENSION postgis")
	standby.pg(t, "pg_basebackup", "-D", standby.folder+"/data", "-R", "-X", "stream", "-c", "fast", "-h", "127.0.0.1", "-p", fmt.Sprint(primary.port), "-U", "postgres")
	standby.start(t)

	dir := demoProject(t)
	on := func(address string) []string { return []string{"-C", dir, "--store", address} }
	write := on(primary.address("dsi", "sig"))
	must(t, append(write, "run", "--publish", "--by", "essai")...)
	first := servedEdition(t, write)
	caughtUp := func() bool { // the standby has what the primary has
		conn, err := pgx.Connect(ctx, standby.address("dsi", "sig"))
		if err != nil {
			return false
		}
		defer conn.Close(ctx)
		var id string
		err = conn.QueryRow(ctx, "SELECT id FROM observatoire.edition WHERE etat = 'publiée'").Scan(&id)
		return err == nil && id == first
	}
	waitFor(t, "the standby to have the edition", caughtUp)

	both := fmt.Sprintf("postgres://dsi@127.0.0.1:%d,127.0.0.1:%d/sig?sslmode=disable&target_session_attrs=standby", primary.port, standby.port)
	var urls []string
	for _, address := range []string{standby.address("dsi", "sig"), both} {
		url, _, _ := started(t, on(address)...)
		urls = append(urls, url)
	}
	serves := func(id string) bool {
		return !slices.ContainsFunc(urls, func(url string) bool {
			resp, body := get(t, http.DefaultClient, url+"/readyz")
			return resp.StatusCode != 200 || strings.TrimSpace(body) != "édition "+id
		})
	}
	if !serves(first) {
		t.Fatal("the standby's servers do not serve the first edition")
	}
	project := filepath.Join(dir, projectFile)
	text, err := os.ReadFile(project)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitN(string(text), "\ntitle: ", 2)
	if len(lines) != 2 {
		t.Fatalf("no title in %s", project)
	}
	if err := os.WriteFile(project, []byte(lines[0]+"\ntitle: Autre, "+lines[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, append(write, "run", "--publish", "--by", "essai")...)
	second := servedEdition(t, write)
	if second == first {
		t.Fatal("the second run gives the first edition")
	}
	waitFor(t, "both servers to take up the new edition", func() bool { return serves(second) })

	// A standby takes no edition: that is said, not tried for ever.
	if code, _, errs := cli(t, append(on(standby.address("dsi", "sig")), "publish", "--edition", first, "--by", "essai")...); code != exitFailed || !strings.Contains(errs, "read-only") {
		t.Errorf("publishing on the standby: %d, %s", code, errs)
	}
	primary.pg(t, "pg_ctl", "-D", primary.folder+"/data", "-m", "immediate", "-w", "stop")
	time.Sleep(3 * time.Second)
	if !serves(second) {
		t.Error("the servers of the standby stop serving when the primary is lost")
	}
}

// servedEdition is the id of the published edition.
func servedEdition(t *testing.T, args []string) string {
	t.Helper()
	for line := range strings.Lines(must(t, append(args, "editions")...)) {
		if strings.Contains(line, "publiée") {
			return strings.Fields(line)[0]
		}
	}
	t.Fatal("no edition is published")
	return ""
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 300 {
		if done() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("waited 30 s for %s", what)
}
