package store

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"observatoire/indicators"
)

// testWatch: whoever watches is told of a publication, soon.
func testWatch(t *testing.T, s Store) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	told := make(chan string, 100)
	go func() {
		defer close(done)
		s.Watch(ctx, func() {
			v, err := s.Version(ctx)
			if err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			told <- v
		})
	}()
	for _, id := range []string{"ed-un", "ed-deux"} {
		if err := s.PutEdition(ctx, &indicators.Edition{ID: id, Title: id}); err != nil {
			t.Fatal(err)
		}
		if err := s.Publish(ctx, id, "essai", "2026-01-02"); err != nil {
			t.Fatal(err)
		}
		want, err := s.Version(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for late, got := time.After(5*time.Second), ""; got != want; {
			select {
			case got = <-told:
			case <-late:
				t.Fatalf("%s is published, and nobody said so", id)
			}
		}
	}
	cancel()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Error("still watching")
	}
}

// A connection that is cut is made again, and a publication after that is told of without waiting for the next look.
func TestWatchReconnects(t *testing.T) {
	address := pgAddress(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := Open(ctx, address, "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	pg := s.(*postgis)
	told := make(chan struct{}, 100)
	go s.Watch(ctx, func() { told <- struct{}{} })
	listener := func() (pid int) {
		for range 100 {
			err := pg.pool.QueryRow(ctx, "SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE query = 'LISTEN "+channel+"' AND datname = current_database() AND state = 'idle'").Scan(&pid)
			if err != nil {
				t.Fatal(err)
			}
			if pid != 0 {
				return pid
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatal("nobody listens")
		return 0
	}
	first := listener()
	if _, err := pg.pool.Exec(ctx, "SELECT pg_terminate_backend($1)", first); err != nil {
		t.Fatal(err)
	}
	var second int
	for range 100 {
		if second = listener(); second != first {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if second == first {
		t.Fatal("the connection was not cut")
	}
	time.Sleep(200 * time.Millisecond)
	for len(told) > 0 {
		<-told
	}
	if err := pgx.BeginFunc(ctx, pg.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "SELECT pg_notify($1, 'x')", channel)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-told:
	case <-time.After(pollPeriod / 2):
		t.Error("a notification after the connection was made again is not heard")
	}
}
