package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A full disk is told in one line, with the file and what to do, and what was there is kept.
func TestFullDisk(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("mounting a small disk needs Linux and root")
	}
	disk := t.TempDir()
	mount := func(options string) {
		t.Helper()
		if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "tmpfs", disk).CombinedOutput(); err != nil {
			t.Skipf("no disk can be mounted: %v %s", err, out)
		}
	}
	mount("size=600k")
	defer exec.Command("umount", disk).Run() //nolint:errcheck // of the test's own
	dir := filepath.Join(disk, "demo")
	store := filepath.Join(dir, "observatoire.gpkg")
	full := func(what string, wants string, args ...string) {
		t.Helper()
		code, _, errs := cli(t, args...)
		_, line, _ := strings.Cut(errs, "error: ")
		if code != exitFailed || line != wants+"\n" {
			t.Errorf("%s: exit %d\n%s\nwant %s", what, code, errs, wants)
		}
	}
	full("no room for the edition", store+": the disk is full: make room there, then run the command again; the published edition is unchanged",
		"demo", "--dir", dir, "--no-serve")
	resize := func(options string) {
		t.Helper()
		if out, err := exec.Command("mount", "-o", "remount,"+options, disk).CombinedOutput(); err != nil {
			t.Fatalf("remount: %v %s", err, out)
		}
	}
	resize("size=2500k") // the draft is kept, and has no room to be published
	full("no room to publish", store+": the disk is full: make room there, then run the command again; the published edition is unchanged",
		"-C", dir, "run", "--publish", "--by", "test")
	resize("size=8m")
	must(t, "-C", dir, "run", "--publish", "--by", "test")
	if err := os.WriteFile(filepath.Join(disk, "fill"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	exec.Command("dd", "if=/dev/zero", "of="+filepath.Join(disk, "fill"), "bs=1k").Run() //nolint:errcheck // it fails, having filled the disk
	full("no room for an export", disk+": the disk is full: make room there, or write elsewhere, then run the command again",
		"-C", dir, "export", "--format", "xlsx", "-o", filepath.Join(disk, "x.xlsx"))
	if exists(filepath.Join(disk, "x.xlsx")) {
		t.Error("half a workbook is left")
	}
}

func TestFullStandardOutput(t *testing.T) {
	out, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("no /dev/full here")
	}
	defer out.Close()
	dir := demoProject(t)
	was := os.Stdout
	os.Stdout = out // whose name is told from a file's
	defer func() { os.Stdout = was }()
	var errs bytes.Buffer
	if code := execute(context.Background(), []string{"-C", dir, "deposits"}, out, &errs); code != exitFailed ||
		errs.String() != "error: the standard output: no room left where it is written: make room there, or write elsewhere\n" {
		t.Errorf("exit %d\n%s", code, errs.String())
	}
}
