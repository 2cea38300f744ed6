package reach

import (
	"encoding/binary"
	"fmt"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/iana/patype"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/cx700/cx700_exporter/internal/facts"
)

// maxIterations bounds how often a KDC may let a password be hashed; 4096 is what all use (RFC 3962
// section 4).
const maxIterations = 100_000

// vetKDCMessage looks at what a KDC, or whoever stands in for it, asks of a client before the library
// does it: RC4, by which a password can be guessed offline, or hashing without end.
func vetKDCMessage(m []byte) (err error) {
	defer func() {
		if p := recover(); p != nil { // the library's parsers were not made for hostile bytes
			err = problem(facts.KerberosUnavailable, "the KDC's answer is malformed: %s", printable(fmt.Sprint(p)))
		}
	}()
	var refusal messages.KRBError
	if refusal.Unmarshal(m) == nil {
		var wants types.PADataSequence
		if len(refusal.EData) == 0 || wants.Unmarshal(refusal.EData) != nil {
			return nil // no wishes; other errors carry other things there
		}
		return vetWishes(wants)
	}
	var reply messages.ASRep
	if reply.Unmarshal(m) != nil {
		return nil // a ticket for a service, or nothing the library takes either
	}
	if !strong(reply.EncPart.EType) {
		return problem(facts.KerberosRC4, "the KDC answers with encryption type %d; the exporter takes AES only", reply.EncPart.EType)
	}
	return vetWishes(reply.PAData)
}

// vetWishes looks at how a client is to make its key (RFC 4120 section 5.2.7). The library takes the first
// entry of ETYPE-INFO2, and without one the first of ETYPE-INFO.
func vetWishes(wants types.PADataSequence) error {
	var first []int32
	for _, w := range wants {
		switch w.PADataType {
		case patype.PA_ETYPE_INFO2:
			entries, err := w.GetETypeInfo2()
			if err != nil || len(entries) == 0 {
				return problem(facts.KerberosUnavailable, "the KDC's answer is malformed: ETYPE-INFO2")
			}
			for _, e := range entries {
				if len(e.S2KParams) > 0 && (len(e.S2KParams) != 4 || binary.BigEndian.Uint32(e.S2KParams) > maxIterations) {
					return problem(facts.KerberosUnavailable, "the KDC wants the password hashed more than %d times", maxIterations)
				}
			}
			first = []int32{entries[0].EType}
		case patype.PA_ETYPE_INFO:
			entries, err := w.GetETypeInfo()
			if err != nil || len(entries) == 0 {
				return problem(facts.KerberosUnavailable, "the KDC's answer is malformed: ETYPE-INFO")
			}
			if first == nil {
				first = []int32{entries[0].EType}
			}
		}
	}
	if first != nil && !strong(first[0]) {
		return problem(facts.KerberosRC4, "the KDC wants encryption type %d; the exporter logs on with AES only", first[0])
	}
	return nil
}

func strong(etype int32) bool {
	return etype == etypeID.AES256_CTS_HMAC_SHA1_96 || etype == etypeID.AES128_CTS_HMAC_SHA1_96
}
