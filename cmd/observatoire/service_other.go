//go:build !windows

package main

// runService is for Windows alone.
func runService() (code int, ran bool) { return 0, false }
