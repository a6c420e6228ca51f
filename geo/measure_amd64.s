//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// func underAVX2(ix *index, l *segments) float64
//
// Four pieces at a time. No multiplication is fused with an addition, so that the result is that of any processor.
TEXT ·underAVX2(SB), NOSPLIT, $0-24
	MOVQ ix+0(FP), DI
	MOVQ l+8(FP), AX
	MOVQ segments_n(AX), CX
	MOVQ segments_x0(AX), SI
	MOVQ segments_x1(AX), BX
	SUBQ SI, BX                // the five arrays of l are BX bytes apart
	LEAQ (BX)(BX*2), R15
	MOVQ index_starts(DI), R8
	MOVQ (index_pieces+segments_x0)(DI), R9
	MOVQ (index_pieces+segments_x1)(DI), R10
	MOVQ (index_pieces+segments_slope)(DI), R11
	MOVQ (index_pieces+segments_c)(DI), R12
	MOVQ (index_pieces+segments_side)(DI), R13
	MOVQ index_strips(DI), DX
	DECQ DX                    // the last strip
	VMOVSD index_perM(DI), X15
	MOVQ BX, DI
	VXORPD Y14, Y14, Y14       // the four sums
	VPCMPEQD Y13, Y13, Y13
	VPSRLQ $1, Y13, Y13        // all bits but the sign
	MOVQ $0x3FE0000000000000, AX
	VMOVQ AX, X12
	VPBROADCASTQ X12, Y12      // 0.5

segment:
	VMULSD (SI), X15, X0
	VCVTTSD2SIQ X0, AX
	CMPQ AX, DX
	CMOVQGT DX, AX
	VMULSD (SI)(DI*1), X15, X0
	VCVTTSD2SIQ X0, BX
	CMPQ BX, DX
	CMOVQGT DX, BX
	MOVLQSX (R8)(AX*4), AX     // the first piece
	MOVLQSX 4(R8)(BX*4), BX    // past the last one
	CMPQ AX, BX
	JGE  next
	VBROADCASTSD (SI), Y0      // x0
	VBROADCASTSD (SI)(DI*1), Y1 // x1
	VBROADCASTSD (SI)(DI*2), Y2 // slope
	VBROADCASTSD (SI)(R15*1), Y3 // c
	VBROADCASTSD (SI)(DI*4), Y4 // side

group:
	VMAXPD (R9)(AX*8), Y0, Y5  // west
	VMINPD (R10)(AX*8), Y1, Y6
	VMAXPD Y6, Y5, Y6          // east
	VMOVUPD (R11)(AX*8), Y11   // slope of the pieces
	VADDPD Y6, Y5, Y7          // x
	VSUBPD Y5, Y6, Y6          // width
	VMULPD Y7, Y2, Y8
	VADDPD Y3, Y8, Y8          // ye
	VMULPD Y7, Y11, Y9
	VADDPD (R12)(AX*8), Y9, Y9 // yf
	VSUBPD Y9, Y8, Y10         // gap
	VSUBPD Y11, Y2, Y11
	VMULPD Y6, Y11, Y11        // turn
	VMINPD Y9, Y8, Y5          // low
	VMULPD Y10, Y10, Y10       // gap²
	VMULPD Y11, Y11, Y7        // turn²
	VCMPPD $0x1E, Y10, Y7, Y7  // turn² > gap²
	VMOVMSKPD Y7, R14
	TESTL R14, R14
	JNE   cross

add:
	VMULPD Y5, Y6, Y6          // width · low
	VMULPD (R13)(AX*8), Y4, Y5 // the two sides
	VMULPD Y5, Y6, Y6
	VADDPD Y6, Y14, Y14
	ADDQ $4, AX
	CMPQ AX, BX
	JLT  group

next:
	ADDQ $8, SI
	DECQ CX
	JNE  segment

	VEXTRACTF128 $1, Y14, X1
	VADDPD X1, X14, X0         // 0+2, 1+3
	VPERMILPD $1, X0, X1
	VADDSD X1, X0, X0
	VZEROUPPER
	VMOVSD X0, ret+16(FP)
	RET

cross:
	// low = (ye + yf - (gap² + turn²)/|2·turn|) / 2, where they cross
	VADDPD Y9, Y8, Y8
	VMULPD Y11, Y11, Y9
	VADDPD Y9, Y10, Y10
	VADDPD Y11, Y11, Y11
	VANDPD Y13, Y11, Y11
	VDIVPD Y11, Y10, Y10
	VSUBPD Y10, Y8, Y8
	VMULPD Y12, Y8, Y8
	VBLENDVPD Y7, Y8, Y5, Y5
	JMP add

// func sweepAVX2(pts *orb.Point, n int, ox, oy float64, box *orb.Bound) float64
//
// Two edges at a time: a vector is the x and y of one point, then of the next.
TEXT ·sweepAVX2(SB), NOSPLIT, $0-48
	MOVQ pts+0(FP), SI
	MOVQ n+8(FP), CX
	VMOVUPD ox+16(FP), X0
	VINSERTF128 $1, X0, Y0, Y0 // ox oy ox oy
	MOVQ box+32(FP), DI
	VMOVUPD (SI), X1
	VINSERTF128 $1, X1, Y1, Y1 // least
	VMOVAPD Y1, Y2             // most
	VXORPD Y3, Y3, Y3          // the two sums, each twice
	DECQ CX                    // edges
	SUBQ $2, CX
	JLT  one

two:
	VMOVUPD (SI), Y4           // p0 p1
	VMOVUPD 16(SI), Y5         // p1 p2
	VMINPD Y5, Y1, Y1
	VMAXPD Y5, Y2, Y2
	VSUBPD Y0, Y4, Y4
	VSUBPD Y0, Y5, Y5
	VPERMILPD $5, Y5, Y5       // y and x
	VMULPD Y4, Y5, Y5
	VHSUBPD Y5, Y5, Y5
	VADDPD Y5, Y3, Y3
	ADDQ $32, SI
	SUBQ $2, CX
	JGE  two

one:
	ADDQ $2, CX
	JEQ  done
	VMOVUPD (SI), X4
	VMOVUPD 16(SI), X5
	VINSERTF128 $1, X5, Y5, Y6
	VMINPD Y6, Y1, Y1
	VMAXPD Y6, Y2, Y2
	VSUBPD X0, X4, X4
	VSUBPD X0, X5, X5
	VPERMILPD $1, X5, X5
	VMULPD X4, X5, X5          // and 0 above
	VHSUBPD Y5, Y5, Y5
	VADDPD Y5, Y3, Y3

done:
	VEXTRACTF128 $1, Y1, X4
	VMINPD X4, X1, X1
	VMOVUPD X1, (DI)
	VEXTRACTF128 $1, Y2, X4
	VMAXPD X4, X2, X2
	VMOVUPD X2, 16(DI)
	VEXTRACTF128 $1, Y3, X4
	VADDSD X4, X3, X0
	VZEROUPPER
	VMOVSD X0, ret+40(FP)
	RET

// func clipAVX2(l *segments, pts *orb.Point, edges int, west, south, width float64) int
//
// Four edges at a time.
TEXT ·clipAVX2(SB), NOSPLIT, $0-56
	MOVQ l+0(FP), AX
	MOVQ segments_n(AX), BX
	MOVQ segments_x0(AX), R9
	MOVQ segments_x1(AX), R10
	MOVQ segments_slope(AX), R11
	MOVQ segments_c(AX), R12
	MOVQ segments_side(AX), R13
	MOVQ BX, R15
	MOVQ pts+8(FP), SI
	MOVQ edges+16(FP), CX
	VBROADCASTSD west+24(FP), Y0
	VBROADCASTSD south+32(FP), Y1
	VBROADCASTSD width+40(FP), Y2
	VXORPD Y3, Y3, Y3
	LEAQ kept<>(SB), R8

edges:
	VMOVUPD (SI), Y4
	VMOVUPD 32(SI), Y5
	VMOVUPD 16(SI), Y6
	VMOVUPD 48(SI), Y7
	VUNPCKLPD Y5, Y4, Y8
	VUNPCKHPD Y5, Y4, Y5
	VUNPCKLPD Y7, Y6, Y9
	VUNPCKHPD Y7, Y6, Y7
	VPERMPD $0xD8, Y8, Y4
	VPERMPD $0xD8, Y5, Y5
	VPERMPD $0xD8, Y9, Y6
	VPERMPD $0xD8, Y7, Y7
	VSUBPD Y0, Y4, Y4          // px
	VSUBPD Y1, Y5, Y5          // py
	VSUBPD Y0, Y6, Y6          // qx
	VSUBPD Y1, Y7, Y7          // qy
	VMAXPD Y5, Y7, Y8
	VCMPPD $0x1E, Y3, Y8, Y15  // some of it above the foot
	VMAXPD Y4, Y6, Y8
	VCMPPD $0x1E, Y3, Y8, Y8   // east of the west
	VANDPD Y8, Y15, Y15
	VMINPD Y4, Y6, Y8
	VCMPPD $0x11, Y2, Y8, Y8   // west of the east
	VANDPD Y8, Y15, Y15
	VMOVMSKPD Y15, AX
	TESTL AX, AX
	JEQ  next
	VSUBPD Y4, Y6, Y8
	VSUBPD Y5, Y7, Y9
	VDIVPD Y8, Y9, Y9          // slope
	VMULPD Y4, Y9, Y10
	VSUBPD Y10, Y5, Y10
	VADDPD Y10, Y10, Y10       // c
	VSUBPD Y6, Y4, Y11
	VPCMPEQD Y12, Y12, Y12
	VPSLLQ $63, Y12, Y13       // the sign
	VPSRLQ $54, Y12, Y12
	VPSLLQ $52, Y12, Y12       // 1
	VANDPD Y13, Y11, Y11
	VORPD Y12, Y11, Y11        // side
	VANDNPD Y9, Y13, Y12
	MOVQ $0x43ABC16D674EC800, AX // steepest, 1e18
	VMOVQ AX, X13
	VPBROADCASTQ X13, Y13
	VCMPPD $0x12, Y13, Y12, Y12
	VANDPD Y12, Y15, Y15
	VCMPPD $0x11, Y3, Y5, Y12  // py < 0
	VCMPPD $0x11, Y3, Y7, Y13  // qy < 0
	VORPD Y12, Y13, Y14
	VMOVMSKPD Y14, AX
	TESTL AX, AX
	JNE  foot

clip:
	VMINPD Y4, Y6, Y12
	VMAXPD Y3, Y12, Y12        // x0
	VMAXPD Y4, Y6, Y13
	VMINPD Y2, Y13, Y13        // x1
	VCMPPD $0x11, Y13, Y12, Y14
	VANDPD Y14, Y15, Y15
	VMOVMSKPD Y15, AX
	TESTL AX, AX
	JEQ  next
	MOVQ AX, DX
	SHLQ $5, DX
	VMOVDQU (R8)(DX*1), Y14
	VPERMD Y12, Y14, Y12
	VMOVUPD Y12, (R9)(BX*8)
	VPERMD Y13, Y14, Y13
	VMOVUPD Y13, (R10)(BX*8)
	VPERMD Y9, Y14, Y9
	VMOVUPD Y9, (R11)(BX*8)
	VPERMD Y10, Y14, Y10
	VMOVUPD Y10, (R12)(BX*8)
	VPERMD Y11, Y14, Y11
	VMOVUPD Y11, (R13)(BX*8)
	POPCNTL AX, AX
	ADDQ AX, BX

next:
	ADDQ $64, SI
	SUBQ $4, CX
	JNE  edges
	VZEROUPPER
	SUBQ R15, BX
	MOVQ BX, ret+48(FP)
	RET

foot:
	// Where an end is below the foot, the edge begins or ends there.
	VDIVPD Y9, Y5, Y14
	VSUBPD Y14, Y4, Y14
	VBLENDVPD Y13, Y14, Y6, Y6
	VBLENDVPD Y12, Y14, Y4, Y4
	JMP clip

// Which numbers of a vector are kept, for each set of them: the places of their halves.
DATA kept<>+0(SB)/8, $0x0000000100000000
DATA kept<>+8(SB)/8, $0x0000000100000000
DATA kept<>+16(SB)/8, $0x0000000100000000
DATA kept<>+24(SB)/8, $0x0000000100000000
DATA kept<>+32(SB)/8, $0x0000000100000000
DATA kept<>+40(SB)/8, $0x0000000100000000
DATA kept<>+48(SB)/8, $0x0000000100000000
DATA kept<>+56(SB)/8, $0x0000000100000000
DATA kept<>+64(SB)/8, $0x0000000300000002
DATA kept<>+72(SB)/8, $0x0000000100000000
DATA kept<>+80(SB)/8, $0x0000000100000000
DATA kept<>+88(SB)/8, $0x0000000100000000
DATA kept<>+96(SB)/8, $0x0000000100000000
DATA kept<>+104(SB)/8, $0x0000000300000002
DATA kept<>+112(SB)/8, $0x0000000100000000
DATA kept<>+120(SB)/8, $0x0000000100000000
DATA kept<>+128(SB)/8, $0x0000000500000004
DATA kept<>+136(SB)/8, $0x0000000100000000
DATA kept<>+144(SB)/8, $0x0000000100000000
DATA kept<>+152(SB)/8, $0x0000000100000000
DATA kept<>+160(SB)/8, $0x0000000100000000
DATA kept<>+168(SB)/8, $0x0000000500000004
DATA kept<>+176(SB)/8, $0x0000000100000000
DATA kept<>+184(SB)/8, $0x0000000100000000
DATA kept<>+192(SB)/8, $0x0000000300000002
DATA kept<>+200(SB)/8, $0x0000000500000004
DATA kept<>+208(SB)/8, $0x0000000100000000
DATA kept<>+216(SB)/8, $0x0000000100000000
DATA kept<>+224(SB)/8, $0x0000000100000000
DATA kept<>+232(SB)/8, $0x0000000300000002
DATA kept<>+240(SB)/8, $0x0000000500000004
DATA kept<>+248(SB)/8, $0x0000000100000000
DATA kept<>+256(SB)/8, $0x0000000700000006
DATA kept<>+264(SB)/8, $0x0000000100000000
DATA kept<>+272(SB)/8, $0x0000000100000000
DATA kept<>+280(SB)/8, $0x0000000100000000
DATA kept<>+288(SB)/8, $0x0000000100000000
DATA kept<>+296(SB)/8, $0x0000000700000006
DATA kept<>+304(SB)/8, $0x0000000100000000
DATA kept<>+312(SB)/8, $0x0000000100000000
DATA kept<>+320(SB)/8, $0x0000000300000002
DATA kept<>+328(SB)/8, $0x0000000700000006
DATA kept<>+336(SB)/8, $0x0000000100000000
DATA kept<>+344(SB)/8, $0x0000000100000000
DATA kept<>+352(SB)/8, $0x0000000100000000
DATA kept<>+360(SB)/8, $0x0000000300000002
DATA kept<>+368(SB)/8, $0x0000000700000006
DATA kept<>+376(SB)/8, $0x0000000100000000
DATA kept<>+384(SB)/8, $0x0000000500000004
DATA kept<>+392(SB)/8, $0x0000000700000006
DATA kept<>+400(SB)/8, $0x0000000100000000
DATA kept<>+408(SB)/8, $0x0000000100000000
DATA kept<>+416(SB)/8, $0x0000000100000000
DATA kept<>+424(SB)/8, $0x0000000500000004
DATA kept<>+432(SB)/8, $0x0000000700000006
DATA kept<>+440(SB)/8, $0x0000000100000000
DATA kept<>+448(SB)/8, $0x0000000300000002
DATA kept<>+456(SB)/8, $0x0000000500000004
DATA kept<>+464(SB)/8, $0x0000000700000006
DATA kept<>+472(SB)/8, $0x0000000100000000
DATA kept<>+480(SB)/8, $0x0000000100000000
DATA kept<>+488(SB)/8, $0x0000000300000002
DATA kept<>+496(SB)/8, $0x0000000500000004
DATA kept<>+504(SB)/8, $0x0000000700000006
GLOBL kept<>(SB), RODATA|NOPTR, $512
