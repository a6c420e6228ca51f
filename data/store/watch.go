package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// How often [Store.Watch] says that something may have changed.
const (
	filePeriod   = time.Second      // of a file: cheaper than a watch of the system, and true of network drives, that give none
	pollPeriod   = 2 * time.Second  // of a server that cannot be listened to: a standby, or one that is lost
	listenPeriod = 15 * time.Second // of a server that is: what a connection pooler in between may swallow
)

// Watch implements [Store].
func (s *gpkg) Watch(ctx context.Context, changed func()) { every(ctx, filePeriod, changed) }

func every(ctx context.Context, period time.Duration, f func()) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}

// Watch implements [Store]. It listens on a connection of its own, made again whenever it is lost.
func (s *postgis) Watch(ctx context.Context, changed func()) {
	for ctx.Err() == nil {
		s.listen(ctx, changed)
		select {
		case <-ctx.Done():
		case <-time.After(pollPeriod):
			changed()
		}
	}
}

// listen waits for notifications until the connection is lost, or at once where listening is refused, as on a standby.
func (s *postgis) listen(ctx context.Context, changed func()) {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // lost, or of no use any more
	if _, err := conn.Exec(ctx, "LISTEN "+channel); err != nil {
		return
	}
	for {
		changed() // also right after LISTEN: something may have been published before
		wait, cancel := context.WithTimeout(ctx, listenPeriod)
		_, err := conn.WaitForNotification(wait)
		cancel()
		switch {
		case err == nil || pgconn.Timeout(err) && ctx.Err() == nil && !conn.IsClosed():
		default:
			return
		}
	}
}
