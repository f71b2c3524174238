package ledger

import "encoding/binary"

// skimmer goes through a struct in Thrift's compact protocol without taking any
// memory, to see that it is whole and how much there is in it: every list and
// text is as long as it says, and structs stand in lists only so often.
type skimmer struct {
	rest    []byte
	structs int // that may still stand in lists
}

// The types of the protocol.
const (
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftStruct = 12
)

const maxThriftDepth = 16

func (s *skimmer) skip(n uint64) bool {
	if n > uint64(len(s.rest)) {
		return false
	}
	s.rest = s.rest[n:]
	return true
}

func (s *skimmer) number() (uint64, bool) {
	v, n := binary.Uvarint(s.rest)
	if n <= 0 {
		return 0, false
	}
	s.rest = s.rest[n:]
	return v, true
}

func (s *skimmer) skimStruct(depth int) bool {
	if depth > maxThriftDepth {
		return false
	}
	for len(s.rest) > 0 {
		head := s.rest[0]
		s.rest = s.rest[1:]
		if head == 0 {
			return true
		}
		if head>>4 == 0 { // the field's number in full
			if _, ok := s.number(); !ok {
				return false
			}
		}
		if kind := head & 15; kind != thriftTrue && kind != thriftFalse && !s.skimValue(kind, depth) {
			return false
		}
	}
	return false
}

func (s *skimmer) skimValue(kind byte, depth int) bool {
	switch {
	case kind == thriftTrue || kind == thriftFalse || kind == thriftByte:
		return s.skip(1)
	case kind <= thriftI64:
		_, ok := s.number()
		return ok
	case kind == thriftDouble:
		return s.skip(8)
	case kind == thriftBinary:
		n, ok := s.number()
		return ok && s.skip(n)
	case kind == thriftList || kind == thriftSet:
		return s.skimList(depth)
	case kind == thriftStruct:
		return s.skimStruct(depth + 1)
	}
	return false // maps, which Parquet has none of
}

func (s *skimmer) skimList(depth int) bool {
	if len(s.rest) == 0 {
		return false
	}
	head := s.rest[0]
	s.rest = s.rest[1:]
	size, ok := uint64(head>>4), true
	if size == 15 {
		size, ok = s.number()
	}
	kind := head & 15
	if !ok || size > uint64(len(s.rest)) {
		return false
	}
	if kind == thriftStruct || kind == thriftList {
		if s.structs -= int(size); s.structs < 0 {
			return false
		}
	}
	for range size {
		if !s.skimValue(kind, depth+1) {
			return false
		}
	}
	return true
}
