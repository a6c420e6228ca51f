// Package ingest reads the files of the field into parsed tables and layers, as their cards describe them.
//
// A table is a stream of Arrow records: a text column "code" and, for each measured column X, a float64
// column X with a uint8 companion X__statut (an [indicators.Statut]); X is valid only when its companion is
// disponible. A layer is a [geo.ZoneSet] in the legal projection, repaired, one zone a code.
//
// A bad cell names file, line, column and remedy; a reader goes through the whole file and joins them all.
package ingest
