package main

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/cx700/cx700_exporter/internal/site"
)

// mostShards is more than 100,000 sites need.
const mostShards = 1000

// shardFlags say which of the site file's sites are watched.
type shardFlags struct {
	Index shardIndex `name:"shard.index" default:"0" placeholder:"N" help:"Which shard this is, from 0 on: a number, or a name that ends with -N, as the pods of a StatefulSet have."`
	Count int        `name:"shard.count" default:"1" placeholder:"N" help:"Over how many exporters the sites are spread, by their Active Directory domains; config check shows how."`
}

// Validate implements kong's check of flags.
func (f shardFlags) Validate() error {
	if err := shardCountFits(f.Count); err != nil {
		return err
	}
	if int(f.Index) >= f.Count {
		return fmt.Errorf("--shard.index=%d with --shard.count=%d: write 0 to %d", f.Index, f.Count, f.Count-1)
	}
	return nil
}

func (f shardFlags) shard() site.Shard { return site.Shard{Index: int(f.Index), Count: f.Count} }

func shardCountFits(count int) error {
	if count < 1 || count > mostShards {
		return fmt.Errorf("--shard.count=%d: write 1 to %d", count, mostShards)
	}
	return nil
}

// shardIndex is a number, which may be given as a name that ends with it: a pod of a StatefulSet is told no more.
type shardIndex int

var endsWithIndex = regexp.MustCompile(`^(?:.+-)?(\d{1,4})$`)

// UnmarshalText takes the number off a name.
func (i *shardIndex) UnmarshalText(text []byte) error {
	m := endsWithIndex.FindSubmatch(text)
	if m == nil {
		return fmt.Errorf("%q is no shard; write one such as 2 or cx700-2", text)
	}
	n, err := strconv.Atoi(string(m[1]))
	*i = shardIndex(n)
	return err
}
