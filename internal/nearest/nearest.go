// Package nearest finds the word that was probably meant by one that is unknown.
package nearest

import "strings"

// Word returns the one of the known words that name is a slip of; empty: none is
// near enough. Letter case does not count.
func Word(name string, known []string) string {
	best, at := 3, ""
	for _, k := range known {
		if d := distance(name, k); d < best && d*2 < len(k)+1 {
			best, at = d, k
		}
	}
	return at
}

// distance is how many letters must be changed, added, left out or swapped with
// the next one to make b of a; names that are long are far from all.
func distance(a, b string) int {
	if len(a) > 24 || len(b) > 24 {
		return 24
	}
	a = strings.ToLower(a)
	var before, last, row [25]int
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
