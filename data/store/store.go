// Package store keeps parsed tables and editions, in a GeoPackage file by default and in PostGIS for those who
// run a server: one interface, one logical schema (edition, zone, recouvrement, serie, source, journal), the
// same figures byte for byte.
package store

import (
	"context"
	"errors"

	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/paulmach/orb"

	"observatoire/geo"
	"observatoire/indicators"
)

// ErrNotFound is returned for a source or an edition the store does not hold.
var ErrNotFound = errors.New("not found")

// A Store keeps sources (parsed tables) and editions.
type Store interface {
	// HasSource says whether the source is held, read from the same bytes with the same card.
	HasSource(ctx context.Context, id, sha256, cardHash string) (bool, error)
	// PutSource replaces a source by the records of r, in one transaction: all of it, or nothing. The counts
	// of src that are only known at the end of the stream are asked of done after the last record.
	PutSource(ctx context.Context, src indicators.Source, r array.RecordReader, done func() (indicators.Source, error)) error
	// Sources lists the sources held, by id.
	Sources(ctx context.Context) ([]indicators.Source, error)
	// Columns returns the measured columns of a source, in the order of its table. Those of a variable that want refuses have
	// neither codes nor figures; nil wants them all.
	Columns(ctx context.Context, id string, want func(variable string) bool) ([]indicators.Column, error)
	// DropSource forgets a source; one that is not held is no error.
	DropSource(ctx context.Context, id string) error

	// PutEdition keeps an edition as a draft, whole or not at all. Putting the same edition again is a no-op
	// when it is published, and replaces it when it is a draft.
	PutEdition(ctx context.Context, e *indicators.Edition) error
	// Edition reads an edition whole; id "" is the published one, or ErrNotFound.
	Edition(ctx context.Context, id string) (*indicators.Edition, error)
	// Outline reads an edition without what it is full of: its title, its layers without their zones, and which
	// overlaps it holds without their pairs.
	Outline(ctx context.Context, id string) (*indicators.Edition, error)
	// Zones reads the zones of one layer of an edition, and their positions in it: all of them when near is nil,
	// else those whose box meets one of near, and maybe some whose box passes within a metre of it.
	Zones(ctx context.Context, id string, layer geo.Layer, near []orb.Bound) (*geo.ZoneSet, []int, error)
	// Editions lists them, the published one first, then the latest first.
	Editions(ctx context.Context) ([]indicators.EditionInfo, error)
	// Publish makes an edition the published one, in one atomic switch. day is AAAA-MM-JJ.
	Publish(ctx context.Context, id, by, day string) error
	// Withdraw takes the published edition back and publishes the one before it, whose id it returns; "" when
	// there was none, and nothing is published any more.
	Withdraw(ctx context.Context, by, day string) (string, error)
	// Version changes whenever another edition is published: a cheap check for a server to make.
	Version(ctx context.Context) (string, error)
	// Watch calls changed soon after another edition may have been published, and from time to time besides, until
	// ctx ends. It says nothing of a store that does not answer: Version does.
	Watch(ctx context.Context, changed func())

	Close() error
}
