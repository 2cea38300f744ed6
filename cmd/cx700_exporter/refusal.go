package main

import (
	"strconv"

	"github.com/cx700/cx700_exporter/internal/catalogue"
	"github.com/cx700/cx700_exporter/internal/metric"
	"github.com/cx700/cx700_exporter/internal/site"
)

const (
	// maxFaultsTold bounds the lines in the log and the series that one site file can give.
	maxFaultsTold = 10
	// longestTold bounds a key, which is what somebody typed, as a label's value, and an error in a line of the log.
	longestTold = 200
)

// refusal is why a site file was not taken over, for the page and for Prometheus.
type refusal struct {
	text string
	set  *metric.Set
}

func refusalOf(err error) *refusal {
	r := &refusal{text: "The site file was not taken over, the one before stays:\n" + err.Error()}
	told := map[[2]string]bool{} // one value may have several faults
	var samples []metric.Sample
	for _, f := range site.Faults(err) {
		at := [2]string{strconv.Itoa(f.Line), shortened(f.Key)}
		if !told[at] && len(told) < maxFaultsTold {
			told[at] = true
			samples = append(samples, metric.Sample{Desc: catalogue.ReloadFault, Value: 1, Labels: at[:]})
		}
	}
	r.set, _ = metric.NewSet(samples) // fails on what is there twice only
	return r
}

func shortened(text string) string {
	if letters := []rune(text); len(letters) > longestTold {
		return string(letters[:longestTold]) + "…"
	}
	return text
}
