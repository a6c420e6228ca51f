// Package tiles publishes an edition: vector tiles, GeoJSON items, series and gaps as JSON, CSV and workbooks,
// and a page that shows them on a map.
//
// A [Snapshot] is an edition prepared once; a [Server] answers every request from it, in memory, and takes
// another by one atomic switch. Nothing here opens a file or a database.
//
// Units: geometries come in the legal projection, in metres; GeoJSON goes out in longitude and latitude (CRS84,
// degrees rounded to 7 decimals, about 1 cm), tiles in web Mercator, on a grid of 4096 units a tile.
package tiles
