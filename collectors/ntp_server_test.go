package collectors

import (
	"testing"

	"github.com/cx700/cx700_exporter/internal/facts"
)

func TestServerReason(t *testing.T) {
	tests := map[string]struct {
		server facts.TimeServer
		want   *Reason
	}{
		"good":                               {facts.TimeServer{Stratum: 3}, nil},
		"unsynchronised, as ntpd says it":    {facts.TimeServer{Stratum: 16, Leap: 3}, reasonTimeUnsynchronised},
		"unsynchronised, as chronyd says it": {facts.TimeServer{Stratum: 0, Leap: 3}, reasonTimeUnsynchronised},
		"only the leap indicator says it":    {facts.TimeServer{Stratum: 3, Leap: 3}, reasonTimeUnsynchronised},
		"not synchronised yet":               {facts.TimeServer{Leap: 3, KissCode: "INIT"}, reasonTimeUnsynchronised},
		"clock being stepped":                {facts.TimeServer{Leap: 3, KissCode: "STEP"}, reasonTimeUnsynchronised},
		"refuses us":                         {facts.TimeServer{Leap: 3, KissCode: "DENY"}, reasonTimeKiss},
		"asked too often":                    {facts.TimeServer{KissCode: "RATE"}, reasonTimeKiss},
		"closed":                             {facts.TimeServer{Err: "connection refused", Closed: true}, reasonTimeUnreachable},
		"garbage":                            {facts.TimeServer{Err: "response too short", Malformed: true}, reasonTimeMalformed},
		"silent":                             {facts.TimeServer{Err: "i/o timeout"}, reasonTimeSilent},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := serverReason(test.server); got != test.want {
				t.Errorf("reason %+v, want %+v", got, test.want)
			}
		})
	}
}
