package check

// Opcodes, as Python's pickletools names them: all of protocols 0 to 5.
const (
	opMark            = '('
	opStop            = '.'
	opPop             = '0'
	opPopMark         = '1'
	opDup             = '2'
	opFloat           = 'F'
	opInt             = 'I'
	opBinInt          = 'J'
	opBinInt1         = 'K'
	opLong            = 'L'
	opBinInt2         = 'M'
	opNone            = 'N'
	opPersID          = 'P'
	opBinPersID       = 'Q'
	opReduce          = 'R'
	opString          = 'S'
	opBinString       = 'T'
	opShortBinString  = 'U'
	opUnicode         = 'V'
	opBinUnicode      = 'X'
	opAppend          = 'a'
	opBuild           = 'b'
	opGlobal          = 'c'
	opDict            = 'd'
	opEmptyDict       = '}'
	opAppends         = 'e'
	opGet             = 'g'
	opBinGet          = 'h'
	opInst            = 'i'
	opLongBinGet      = 'j'
	opList            = 'l'
	opEmptyList       = ']'
	opObj             = 'o'
	opPut             = 'p'
	opBinPut          = 'q'
	opLongBinPut      = 'r'
	opSetItem         = 's'
	opTuple           = 't'
	opEmptyTuple      = ')'
	opSetItems        = 'u'
	opBinFloat        = 'G'
	opBinBytes        = 'B'
	opShortBinBytes   = 'C'
	opProto           = 0x80
	opNewObj          = 0x81
	opExt1            = 0x82
	opExt2            = 0x83
	opExt4            = 0x84
	opTuple1          = 0x85
	opTuple2          = 0x86
	opTuple3          = 0x87
	opNewTrue         = 0x88
	opNewFalse        = 0x89
	opLong1           = 0x8a
	opLong4           = 0x8b
	opShortBinUnicode = 0x8c
	opBinUnicode8     = 0x8d
	opBinBytes8       = 0x8e
	opEmptySet        = 0x8f
	opAddItems        = 0x90
	opFrozenSet       = 0x91
	opNewObjEx        = 0x92
	opStackGlobal     = 0x93
	opMemoize         = 0x94
	opFrame           = 0x95
	opByteArray8      = 0x96
	opNextBuffer      = 0x97
	opReadOnlyBuffer  = 0x98
)

// argument says what follows an opcode.
type argument uint8

const (
	noSuchOp argument = iota
	argNone
	argFixed   // width bytes
	argCounted // a little-endian length of width bytes, then as many bytes
	argLine    // bytes up to a newline
	argLines   // two of them
)

// argumentOf returns what follows op, and the width of its fixed part in bytes.
func argumentOf(op byte) (argument, int) {
	switch op {
	case opMark, opStop, opPop, opPopMark, opDup, opNone, opBinPersID, opReduce, opAppend, opBuild, opDict, opEmptyDict, opAppends, opList,
		opEmptyList, opObj, opSetItem, opTuple, opEmptyTuple, opSetItems, opNewObj, opTuple1, opTuple2, opTuple3, opNewTrue, opNewFalse,
		opEmptySet, opAddItems, opFrozenSet, opNewObjEx, opStackGlobal, opMemoize, opNextBuffer, opReadOnlyBuffer:
		return argNone, 0
	case opProto, opBinInt1, opBinGet, opBinPut, opExt1:
		return argFixed, 1
	case opBinInt2, opExt2:
		return argFixed, 2
	case opBinInt, opLongBinGet, opLongBinPut, opExt4:
		return argFixed, 4
	case opBinFloat, opFrame:
		return argFixed, 8
	case opShortBinString, opShortBinUnicode, opShortBinBytes, opLong1:
		return argCounted, 1
	case opBinString, opBinUnicode, opBinBytes, opLong4:
		return argCounted, 4
	case opBinUnicode8, opBinBytes8, opByteArray8:
		return argCounted, 8
	case opFloat, opInt, opLong, opString, opUnicode, opPersID, opGet, opPut:
		return argLine, 0
	case opGlobal, opInst:
		return argLines, 0
	}
	return noSuchOp, 0
}
