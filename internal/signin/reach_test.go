package signin

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
)

// reached holds the names of the reasons that a test's case gave.
var reached sync.Map

// TestMain runs all tests, and then fails for reasons that no case of them gave.
func TestMain(m *testing.M) {
	code := m.Run()
	if flag.Lookup("test.run").Value.String() == "" {
		for _, r := range Reasons() {
			if _, ok := reached.Load(r.Name); !ok {
				fmt.Printf("no case gives the reason %s\n", r.Name)
				code = 1
			}
		}
	}
	os.Exit(code)
}
