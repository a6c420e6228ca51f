package ingest

import (
	"fmt"
	"testing"
)

func TestKeyLines(t *testing.T) {
	var k keyLines
	const n = 300_000
	key := func(i int) string { return fmt.Sprintf("%09d T %d", i/3, 2019+i%3) }
	for i := range n {
		if at := k.meet(key(i), i+1); at != 0 {
			t.Fatalf("%s is said to be on line %d", key(i), at)
		}
	}
	for i := 0; i < n; i += 7 {
		if at := k.meet(key(i), n+1); at != i+1 {
			t.Fatalf("%s is said to be on line %d, want %d", key(i), at, i+1)
		}
	}
}
