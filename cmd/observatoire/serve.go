package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"observatoire/data/store"
	"observatoire/tiles"
)

// pollInterval is how often the server asks the store whether another edition is published.
const pollInterval = 2 * time.Second

func (a *app) serveCmd() *cobra.Command {
	var addr, id string
	c := &cobra.Command{
		Use:     "serve",
		Aliases: []string{"servir"},
		Short:   "Serve the published edition: map, tiles, GeoJSON, API",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(ctx context.Context, p *project, st store.Store) error {
				return a.serve(ctx, p, st, addr, id)
			})
		},
	}
	c.Flags().StringVar(&addr, "addr", envOr("OBSERVATOIRE_ADDR", ":8080"), "address to listen on")
	c.Flags().StringVar(&id, "edition", "", "serve this edition, published or not, and no other")
	return c
}

// serve answers from memory; a new edition is read aside and swapped in without a dropped request. It returns
// when ctx ends, once the requests under way are answered.
func (a *app) serve(ctx context.Context, p *project, st store.Store, addr, id string) error {
	log := slog.New(slog.NewTextHandler(a.stderr, nil))
	srv := tiles.NewServer(tiles.Options{Title: p.Title, Version: build(), Logger: log})
	seen := ""
	load := func() error {
		version, err := st.Version(ctx)
		if err != nil || version == seen {
			return err
		}
		e, err := st.Edition(ctx, id)
		if errors.Is(err, store.ErrNotFound) && id == "" {
			srv.Swap(nil)
			seen = version
			log.Warn("no edition is published: waiting for one")
			return nil
		}
		if err != nil {
			return err
		}
		snap, err := tiles.NewSnapshot(e, version)
		if err != nil {
			return err
		}
		srv.Swap(snap)
		seen = version
		log.Info("edition served", "edition", e.ID)
		return nil
	}
	if err := load(); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w: choose another address with --addr", addr, err)
	}
	server := &http.Server{Handler: srv.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 1 << 16,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	a.say("serving on %s", reachable(listener.Addr()))

	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			return err
		case <-tick.C:
			if id != "" {
				continue
			}
			if err := load(); err != nil && ctx.Err() == nil {
				log.Error("the edition served is kept: the store could not be read", "error", err)
			}
		case <-ctx.Done():
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			return server.Shutdown(stop)
		}
	}
}

// reachable is the address a person types in a browser.
func reachable(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port) + "/"
}

// build names the program that answers: its version, and the commit it was built from where the builder said so.
func build() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version
	}
	name := version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" || s.Key == "vcs.modified" {
			name += "+" + s.Value
		}
	}
	return name
}
