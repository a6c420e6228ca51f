package ingest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// sharedTexts keeps the texts that the cells of a workbook refer to by number. They stand one after the other, each
// after its length, in blocks of which only the beginnings are noted: half a byte a text. Beyond so many bytes, most,
// the blocks go to a temporary file: whatever the workbook, it takes these, half a byte a text, and cachedBlocks.
type sharedTexts struct {
	most   int64 // bytes in memory at most: memoryTexts, less in tests
	n      int
	block  []byte   // the one being made
	chunk  []byte   // the one being made: blocks in memory
	chunks []string // full ones
	starts []uint64 // of each block: number of its chunk, then its place there; or spilled, then its place in the file
	inside int64    // bytes in memory

	f       *file
	spill   *os.File
	spilled int64 // bytes in it
	cache   [cachedBlocks]struct {
		block int
		texts string
	}
}

const (
	blockTexts    = 16
	chunkBytes    = 1 << 20
	memoryTexts   = 64 << 20
	cachedBlocks  = 1024
	inSpill       = 1 << 63
	maxTextBytes  = 16 << 20
	maxTextsCount = 1 << 31
)

func (s *sharedTexts) add(text string) error {
	if len(text) > maxTextBytes {
		return fmt.Errorf("a text of more than %d MiB", maxTextBytes>>20)
	}
	if s.n >= maxTextsCount {
		return fmt.Errorf("more than %d texts", maxTextsCount)
	}
	s.block = append(binary.AppendUvarint(s.block, uint64(len(text))), text...)
	if s.n++; s.n%blockTexts == 0 {
		return s.endBlock()
	}
	return nil
}

// endBlock puts the block being made where it belongs.
func (s *sharedTexts) endBlock() error {
	if len(s.block) == 0 {
		return nil
	}
	defer func() { s.block = s.block[:0] }()
	// Once one is in the file all the next are: a block ends there where the next one begins.
	if s.spill == nil && s.inside+int64(len(s.block)) <= s.most {
		s.starts = append(s.starts, uint64(len(s.chunks))<<32|uint64(len(s.chunk)))
		s.chunk = append(s.chunk, s.block...)
		s.inside += int64(len(s.block))
		if len(s.chunk) >= chunkBytes {
			s.endChunk()
		}
		return nil
	}
	if s.spill == nil {
		tmp, err := os.CreateTemp("", "observatoire-*")
		if err != nil {
			return err
		}
		s.spill = tmp
		s.f.closes = append(s.f.closes, func() error { tmp.Close(); return os.Remove(tmp.Name()) })
	}
	s.starts = append(s.starts, inSpill|uint64(s.spilled))
	n, err := s.spill.Write(s.block)
	s.spilled += int64(n)
	return err
}

func (s *sharedTexts) endChunk() {
	s.chunks = append(s.chunks, string(s.chunk))
	s.chunk = s.chunk[:0]
}

// end is called after the last text.
func (s *sharedTexts) end() error {
	err := s.endBlock()
	s.endChunk()
	s.block, s.chunk = nil, nil
	return err
}

// at is the text of that number, which is one there is.
func (s *sharedTexts) at(i int) (string, error) {
	b := i / blockTexts
	start := s.starts[b]
	if start&inSpill == 0 {
		return textIn(s.chunks[start>>32][uint32(start):], i%blockTexts), nil
	}
	c := &s.cache[b%cachedBlocks]
	if c.texts == "" || c.block != b {
		from, to := int64(start&^inSpill), s.spilled
		if b+1 < len(s.starts) {
			to = int64(s.starts[b+1] &^ inSpill)
		}
		var buf bytes.Buffer
		if _, err := io.Copy(&buf, io.NewSectionReader(s.spill, from, to-from)); err != nil {
			return "", err
		}
		c.block, c.texts = b, buf.String()
	}
	return textIn(c.texts, i%blockTexts), nil
}

// textIn is the text of rank n in a block.
func textIn(block string, n int) string {
	for {
		size, at := uint64(0), 0
		for shift := 0; ; shift += 7 {
			c := block[at]
			at++
			if size |= uint64(c&0x7F) << shift; c < 0x80 {
				break
			}
		}
		if n == 0 {
			return block[at : at+int(size)]
		}
		block = block[at+int(size):]
		n--
	}
}
