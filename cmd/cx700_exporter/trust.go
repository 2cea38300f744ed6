package main

import (
	"crypto/rsa"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/cx700/cx700_exporter/internal/phone"
)

// printTrust writes the phone's built-in authorities with the guide's dates and the real ones, and how
// many live now and in a year.
func printTrust(w io.Writer, now time.Time) error {
	fmt.Fprintln(w, "Authorities built into every CX700. What is not here must come from Active Directory.")
	fmt.Fprintln(w)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "AUTHORITY\tKEY\tGUIDE SAYS\tEXPIRES\tTODAY")
	var nowLive, yearLive []string
	year := now.AddDate(1, 0, 0)
	for _, a := range phone.Authorities() {
		c := a.Certificate
		state := "expired"
		if now.Before(c.NotAfter) {
			state = "lives"
			nowLive = append(nowLive, a.Name)
		}
		if year.Before(c.NotAfter) {
			yearLive = append(yearLive, a.Name)
		}
		bits := 0
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok {
			bits = key.N.BitLen()
		}
		fmt.Fprintf(table, "%s\tRSA %d\t%s\t%s\t%s\n", a.Name, bits,
			a.Guide.NotAfter.Format(time.DateOnly), c.NotAfter.UTC().Format(time.DateOnly), state)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, a := range phone.Authorities() {
		if a.Note != "" {
			fmt.Fprintf(w, "%s:\n  %s\n", a.Name, a.Note)
		}
	}
	printLeft(w, "Left today", nowLive)
	printLeft(w, "Left in a year, on "+year.Format(time.DateOnly), yearLive)
	return nil
}

func printLeft(w io.Writer, when string, names []string) {
	fmt.Fprintf(w, "\n%s: %d of %d\n", when, len(names), len(phone.Authorities()))
	for _, n := range names {
		fmt.Fprintf(w, "  %s\n", n)
	}
}
