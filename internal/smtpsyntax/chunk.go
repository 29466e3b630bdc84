package smtpsyntax

import (
	"strconv"
	"strings"
)

// ParseChunk reads the argument of BDAT (RFC 3030 section 2): "size [LAST]".
func ParseChunk(arg string) (size int64, last, ok bool) {
	words := strings.Fields(arg)
	switch {
	case len(words) == 2 && strings.EqualFold(words[1], "LAST"):
		last = true
	case len(words) != 1:
		return 0, false, false
	}
	if len(words[0]) > 18 || strings.Trim(words[0], "0123456789") != "" {
		return 0, false, false
	}
	size, err := strconv.ParseInt(words[0], 10, 64)
	return size, last, err == nil
}
