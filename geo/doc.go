// Package geo holds the zones of the territory and the geometry between them: coordinate reference
// systems, repair, dissolve, and the overlaps that carry a figure from one layer to another.
//
// Units: metres and square metres, in the legal projection of the territory (RGF93 / Lambert-93,
// EPSG:2154, in metropolitan France; 5490, 2972, 2975, 4471 or 3297 overseas). Longitude and latitude
// appear only at the edges: GeoJSON in, GeoJSON and tiles out.
//
// The package reads no file and opens no database.
package geo
