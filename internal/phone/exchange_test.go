package phone

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const poxHead = `<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006">`

// exchange2007 is shaped as Microsoft's sample of the POX response: no EwsUrl in it.
const exchange2007 = poxHead + `<Response xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a">
<User><DisplayName>Probe</DisplayName></User><Account><AccountType>email</AccountType><Action>settings</Action>
<Protocol><Type>EXCH</Type><Server>mbx01</Server><ASUrl>https://cas01.contoso.com/EWS/Exchange.asmx</ASUrl></Protocol>
<Protocol><Type>EXPR</Type><ASUrl>https://mail.fabrikam.com/EWS/Exchange.asmx</ASUrl></Protocol>
<Protocol><Type>WEB</Type><Internal><Protocol><Type>EXCH</Type><ASUrl>https://other.contoso.com/</ASUrl></Protocol></Internal></Protocol>
</Account></Response></Autodiscover>`

func TestAutodiscoverPlaces(t *testing.T) {
	want := []AutodiscoverPlace{{"fabrikam.com", true}, {"autodiscover.fabrikam.com", true}, {"autodiscover.fabrikam.com", false}}
	if diff := cmp.Diff(want, Domains{SIP: "contoso.com", SMTP: "fabrikam.com"}.AutodiscoverPlaces()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := (Domains{SIP: "contoso.com"}).AutodiscoverPlaces(); got != nil {
		t.Errorf("without Exchange: %v", got)
	}
	if got := want[2].URL(); got != "http://autodiscover.fabrikam.com/autodiscover/autodiscover.xml" {
		t.Errorf("URL %s", got)
	}
}

func TestEWSURL(t *testing.T) {
	for _, c := range []struct {
		name, text      string
		inside          bool
		url, element    string
		errorCode, addr string
	}{
		{name: "Exchange 2007 inside", text: exchange2007, inside: true, url: "https://cas01.contoso.com/EWS/Exchange.asmx", element: "EXCH ASUrl"},
		{name: "Exchange 2007 outside", text: exchange2007, url: "https://mail.fabrikam.com/EWS/Exchange.asmx", element: "EXPR ASUrl"},
		{name: "later", text: strings.Replace(exchange2007, "<Server>", "<EwsUrl>https://new.contoso.com/</EwsUrl><Server>", 1),
			inside: true, url: "https://new.contoso.com/", element: "EXCH EwsUrl"},
		{name: "only the other side", text: strings.Replace(exchange2007, "EXPR", "WEB", 1), url: "https://cas01.contoso.com/EWS/Exchange.asmx", element: "EXCH ASUrl"},
		{name: "no web services", text: poxHead + "<Response><Account><Protocol><Type>EXCH</Type></Protocol></Account></Response></Autodiscover>"},
		{name: "a request that is none", text: poxHead + `<Response><Error Time="x" Id="1"><ErrorCode>600</ErrorCode><Message>Invalid Request</Message></Error></Response></Autodiscover>`,
			errorCode: "600"},
		{name: "another mailbox", text: poxHead + "<Response><Account><Action>redirectAddr</Action><RedirectAddr>a@b.example</RedirectAddr></Account></Response></Autodiscover>",
			addr: "a@b.example"},
	} {
		got, err := ParseAutodiscover([]byte(c.text))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		url, element := got.EWSURL(c.inside)
		if url != c.url || element != c.element || got.ErrorCode != c.errorCode || got.RedirectAddr != c.addr {
			t.Errorf("%s: %q by %q, %+v", c.name, url, element, got)
		}
	}
}

func TestParseAutodiscoverRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "a page": "<html/>", "XML of another kind": "<a/>", "half": poxHead, "too large": strings.Repeat(" ", MaxAutodiscoverAnswer+1),
		"a DOCTYPE": "<!DOCTYPE a><Protocol/>", "deep": strings.Repeat("<Protocol>", 100), "many": "<a>" + strings.Repeat("<b/>", 5000) + "</a>",
	} {
		if got, err := ParseAutodiscover([]byte(text)); err == nil {
			t.Errorf("%s was taken: %+v", name, got)
		}
	}
}

func TestAutodiscoverRequestIsEscaped(t *testing.T) {
	if got := string(AutodiscoverRequest("a<b>@c")); !strings.Contains(got, "<EMailAddress>a&lt;b&gt;@c</EMailAddress>") {
		t.Error(got)
	}
}

func FuzzParseAutodiscover(f *testing.F) {
	f.Add([]byte(exchange2007))
	f.Add([]byte(poxHead))
	f.Add([]byte(`<!DOCTYPE a [<!ENTITY b "lol"><!ENTITY c "&b;&b;&b;">]><Protocol><Type>&c;</Type></Protocol>`))
	f.Add([]byte(strings.Repeat("<Protocol>", 100)))
	f.Add([]byte("<a>" + strings.Repeat("<Protocol/>", 5000) + "</a>"))
	f.Add([]byte("<Error" + strings.Repeat(" a='b'", 5000) + "/>"))
	f.Add([]byte("<RedirectUrl>" + strings.Repeat("x", 3000) + "</RedirectUrl>"))
	f.Add([]byte("\xff\xfe<\x00P\x00/\x00>\x00"))
	f.Fuzz(func(t *testing.T, content []byte) {
		got, err := ParseAutodiscover(content)
		if err == nil && len(got.Protocols) > maxProtocols {
			t.Errorf("%d protocols", len(got.Protocols))
		}
	})
}
