package main

import "encoding/binary"

// protectedWorkbook is the smallest file a spreadsheet saves under a password: an OLE2 container with a stream
// named EncryptedPackage.
func protectedWorkbook() []byte {
	const sector = 512
	b := make([]byte, sector*4)
	le := binary.LittleEndian
	copy(b, []byte{0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1})
	le.PutUint16(b[24:], 0x3e)
	le.PutUint16(b[26:], 3)
	le.PutUint16(b[28:], 0xfffe)
	le.PutUint16(b[30:], 9)
	le.PutUint16(b[32:], 6)
	le.PutUint32(b[44:], 1)          // FAT sectors
	le.PutUint32(b[48:], 1)          // first directory sector
	le.PutUint32(b[56:], 4096)       // mini stream cutoff
	le.PutUint32(b[60:], 0xfffffffe) // no mini FAT
	le.PutUint32(b[68:], 0xfffffffe) // no DIFAT
	for i := range 109 {
		le.PutUint32(b[76+4*i:], 0xffffffff)
	}
	le.PutUint32(b[76:], 0) // the FAT is sector 0
	fat := b[sector:]
	for i := range sector / 4 {
		le.PutUint32(fat[4*i:], 0xffffffff)
	}
	le.PutUint32(fat[0:], 0xfffffffd) // itself
	le.PutUint32(fat[4:], 0xfffffffe) // the directory ends
	entry := func(i int, name string, kind byte, child uint32) {
		e := b[2*sector+128*i:]
		for j, r := range name {
			le.PutUint16(e[2*j:], uint16(r))
		}
		le.PutUint16(e[64:], uint16(2*len(name)+2))
		e[66], e[67] = kind, 1
		le.PutUint32(e[68:], 0xffffffff)
		le.PutUint32(e[72:], 0xffffffff)
		le.PutUint32(e[76:], child)
		le.PutUint32(e[116:], 0xfffffffe)
	}
	entry(0, "Root Entry", 5, 1)
	entry(1, "EncryptedPackage", 2, 0xffffffff)
	return b
}
