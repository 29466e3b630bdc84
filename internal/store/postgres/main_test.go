package postgres

import (
	"flag"
	"os"
	"testing"
)

// TestMain lets more tests run at once than there are cores: they wait for the
// server's disk.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f != nil {
		if err := f.Value.Set("16"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}
