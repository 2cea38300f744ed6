package collectors

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/cx700/cx700_exporter/internal/labtest"
)

func TestMain(m *testing.M) {
	labtest.Main()
	goleak.VerifyTestMain(m)
}
