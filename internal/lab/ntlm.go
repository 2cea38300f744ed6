package lab

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // what NTLM is made of
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"net"
	"net/http"
	"strings"
	"unicode/utf16"

	"golang.org/x/crypto/md4" //nolint:gosec,staticcheck // what NTLM is made of
)

// account is one that may log on to the lab's web servers.
type account struct{ username, password string }

// ntlmMode is what goes wrong with a logon by NTLM.
type ntlmMode int

const (
	ntlmWorks ntlmMode = iota
	// ntlmParted loses every challenge, as a proxy does that parts the requests of a logon.
	ntlmParted
)

// challengeKey holds the challenge that NTLM keeps with a connection.
type challengeKey struct{}

// withChallenge gives a connection the place of its challenge.
func withChallenge(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, challengeKey{}, new([]byte))
}

// logsOn takes a request through a logon by NTLM ([MS-NTHT] section 3.1). It tells whether the account has logged on; else
// the request is answered.
func (a account) logsOn(w http.ResponseWriter, r *http.Request, mode ntlmMode) bool {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "NTLM ")
	message, err := base64.StdEncoding.DecodeString(token)
	challenge := r.Context().Value(challengeKey{}).(*[]byte)
	offers := []string{"Negotiate", "NTLM"}
	switch kind := ntlmKind(message); {
	case err == nil && kind == ntlmNegotiate && mode == ntlmWorks:
		*challenge = make([]byte, challengeSize)
		_, _ = rand.Read(*challenge) // it never fails
		offers = []string{"NTLM " + base64.StdEncoding.EncodeToString(ntlmChallenge(*challenge))}
		w.Header().Del("Connection") // which is the one that logs on
	case err == nil && kind == ntlmAuthenticate && *challenge != nil && a.answers(message, *challenge):
		return true
	}
	w.Header()["Www-Authenticate"] = offers
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(http.StatusUnauthorized)
	// A client that is gone is no concern of the lab's.
	_, _ = w.Write([]byte("<html><title>401 Unauthorized</title></html>\r\n"))
	return false
}

// The messages of NTLM, and the parts of them that matter here ([MS-NLMP] section 2.2.1).
const (
	ntlmSignature    = "NTLMSSP\x00"
	ntlmNegotiate    = 1
	ntlmAuthenticate = 3
	challengeSize    = 8
	// atAnswer is where the length and the offset of the answer by NTLMv2 stand in AUTHENTICATE.
	atAnswer, answerEnd = 20, 28
	proofSize           = md5.Size
)

// ntlmKind is the number of a message, 0 for what is none.
func ntlmKind(message []byte) uint32 {
	rest, ok := bytes.CutPrefix(message, []byte(ntlmSignature))
	if !ok || len(rest) < 4 {
		return 0
	}
	return binary.LittleEndian.Uint32(rest)
}

// ntlmChallenge is the message that asks for an answer by NTLMv2 in Unicode.
func ntlmChallenge(challenge []byte) []byte {
	const (
		kind = 2
		// flags: Unicode, NTLM, extended session security, and that a target's name and description follow.
		flags   = 0x00000001 | 0x00000004 | 0x00000200 | 0x00010000 | 0x00080000 | 0x00800000
		payload = 48
	)
	name := utf16Bytes("CONTOSO")
	const domainName, end = 2, 0
	described := binary.LittleEndian.AppendUint16(nil, domainName)
	described = append(binary.LittleEndian.AppendUint16(described, uint16(len(name))), name...)
	described = append(described, end, 0, end, 0)
	field := func(out []byte, size, at int) []byte {
		out = binary.LittleEndian.AppendUint16(binary.LittleEndian.AppendUint16(out, uint16(size)), uint16(size))
		return binary.LittleEndian.AppendUint32(out, uint32(at))
	}
	out := binary.LittleEndian.AppendUint32([]byte(ntlmSignature), kind)
	out = binary.LittleEndian.AppendUint32(field(out, len(name), payload), flags)
	out = append(append(out, challenge...), make([]byte, 8)...)
	out = field(out, len(described), payload+len(name))
	return append(append(out, name...), described...)
}

// answers tells whether AUTHENTICATE holds the account's answer to a challenge ([MS-NLMP] section 3.3.2).
func (a account) answers(message, challenge []byte) bool {
	if len(message) < answerEnd {
		return false
	}
	size, at := uint64(binary.LittleEndian.Uint16(message[atAnswer:])), uint64(binary.LittleEndian.Uint32(message[atAnswer+4:]))
	if size < proofSize || at+size > uint64(len(message)) {
		return false
	}
	proof, rest := message[at:at+proofSize], message[at+proofSize:at+size]
	hash := md4.New()
	_, _ = hash.Write(utf16Bytes(a.password)) // a hash takes everything
	key := hmacMD5(hash.Sum(nil), utf16Bytes(strings.ToUpper(a.username)))
	return hmac.Equal(proof, hmacMD5(key, challenge, rest))
}

func hmacMD5(key []byte, parts ...[]byte) []byte {
	h := hmac.New(md5.New, key)
	for _, p := range parts {
		_, _ = h.Write(p) // a hash takes everything
	}
	return h.Sum(nil)
}

func utf16Bytes(s string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return out
}
