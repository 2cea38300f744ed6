package lab

import (
	"fmt"
	"strings"
	"time"
)

func updateFaults() []fault {
	inside := func(name, text string, apply func(*updateState), reasons ...string) fault {
		return fault{Fault{Name: name, Network: "internal", Collector: "update", Reasons: reasons, Text: text}, onFrontEnds(apply)}
	}
	outside := func(name, text string, apply func(*updateState), reasons ...string) fault {
		return fault{Fault{Name: name, Network: "external", Collector: "update", Reasons: reasons, Text: text}, onProxy(apply)}
	}
	does := func(mode updateMode) func(*updateState) {
		return func(s *updateState) { s.mode = mode }
	}
	admits := func(access updateAccess) func(*updateState) {
		return func(s *updateState) { s.access = access }
	}
	handler := func(t webTrouble) func(*state) { return onFrontEnds(func(s *updateState) { s.trouble = t }) }
	says := func(content string) func(*updateState) { return func(s *updateState) { s.content = content } }
	return append(webFaults("update", "update", "the update service", handler, "silent", "garbage", "418"),
		inside("update_401", "the update service wants a logon inside", func(s *updateState) { s.trouble = webTrouble{status: 401, name: "Www-Authenticate", value: "NTLM"} },
			"update_logon_wanted"),
		inside("update_https", "the update service leads to https", func(s *updateState) { s.trouble = redirects("https://pool01.contoso.com/") }, "update_https_only"),
		inside("update_late", "the update service's clock is 20 minutes slow", func(s *updateState) { s.late = 20 * time.Minute }, "update_clock_off"),
		inside("update_steep", "a version is offered that no firmware in use can install", func(s *updateState) { s.version = "4.0.7577.1" }, "ladder_unreachable"),
		inside("update_odd", "the answer speaks of a file and names none", says("<Response><NumOfFiles>1</NumOfFiles></Response>"), "update_not_understood"),
		with(outside("proxy_basic", "the reverse proxy offers no NTLM", admits(wantsBasic), "update_no_ntlm"),
			map[string][]string{"firmware": {"firmware_logon_wanted"}, "firmware_download": {"no_image"}}),
		with(outside("proxy_wrong_name", "the reverse proxy's certificate is for another name",
			func(s *updateState) { s.leaf = leafWrongName }), map[string][]string{"firmware": {"update_certificate"}}),
		outside("proxy_hardened", "the reverse proxy takes nothing older than TLS 1.2", func(s *updateState) { s.hardened = true }, "update_hardened"),
		with(outside("proxy_deaf", "the reverse proxy ends every handshake", func(s *updateState) { s.deaf = true }, "update_tls_failed"),
			map[string][]string{"firmware": {"firmware_tls_failed"}}),
		fault{Fault{Name: "update_crowd", Network: "internal", Collector: "update", Reasons: []string{"update_left_out", "update_unreachable"},
			Also: map[string][]string{"firmware": {"firmware_unreachable"}},
			Text: "fe02 leads to many addresses where nothing listens"}, crowded(frontEndName)},
		inside("update_500", "the update service answers 500", does(fails), "update_server_error"),
		inside("update_blank_urls", "BaseURL and ExternalBaseURL are blank", func(s *updateState) { s.blankURLs = true },
			"base_url_blank", "external_base_url_blank"),
		inside("update_other_version", "another version is offered: nothing is wrong",
			func(s *updateState) { s.version = otherVersion }),
		fault{Fault{Name: "update_front_end_differs", Network: "internal", Collector: "update", Reasons: []string{"front_ends_differ"},
			Also: map[string][]string{"firmware": {"firmware_not_found"}},
			Text: "the second front end offers a version without files"}, func(s *state) { s.updates[secondFrontEnd].version = otherVersion }},
		inside("update_entity_bomb", "the answer's entities stand for gigabytes", does(hasEntityBomb), "update_unparsable"),
		inside("update_redirect_circle", "the update service redirects in a circle", does(goesInCircles), "update_redirect"),
		inside("update_html", "the update service answers with a page and status 200", does(isPage), "update_unparsable"),
		fault{Fault{Name: "update_down", Network: "internal", Collector: "update", Reasons: []string{"update_unreachable"},
			Also: map[string][]string{"firmware": {"firmware_unreachable"}},
			Text: "nothing listens at the front ends"}, moved(poolName, frontEndName, updateName)},
		with(outside("update_anonymous_outside", "the update service asks for no logon outside", admits(everybody), "update_anonymous"),
			map[string][]string{"firmware": {"firmware_anonymous"}}),
		with(outside("update_403_outside", "the reverse proxy forbids the update service", admits(forbids), "update_forbidden"),
			map[string][]string{"firmware": {"firmware_forbidden"}, "firmware_download": {"no_image"}}),
		with(outside("update_404_outside", "the reverse proxy does not know the update service", admits(unpublished), "update_not_found"),
			map[string][]string{"firmware": {"interim_image_missing"}, "firmware_download": {"no_image"}}))
}

func firmwareFaults() []fault {
	firmware := func(name, text, collector string, mode imageMode, reasons ...string) fault {
		return fault{Fault{Name: name, Network: "internal", Collector: collector, Reasons: reasons, Text: text},
			onFrontEnds(func(s *updateState) { s.image = mode })}
	}
	images := func(t webTrouble) func(*state) { return onFrontEnds(func(s *updateState) { s.imageTrouble = t }) }
	return append(webFaults("firmware", "firmware", "the store of images", images, "silent", "garbage", "418", "500", "302"),
		fault{Fault{Name: "firmware_401", Network: "internal", Collector: "firmware", Reasons: []string{"firmware_logon_wanted"},
			Text: "the images want a logon inside"}, images(basicOnly())},
		firmware("firmware_empty", "the image is empty", "firmware", imageEmpty, "firmware_empty"),
		firmware("firmware_page", "a page is given for the image", "firmware", imagePage, "firmware_page"),
		firmware("firmware_stalls", "the image stops in the middle", "firmware_download", imageStalls, "firmware_stalled"),
		fault{Fault{Name: "firmware_elsewhere", Network: "internal", Collector: "firmware", Reasons: []string{"base_url_foreign"},
			Text: "BaseURL leads to another company"}, onFrontEnds(func(s *updateState) { s.base = "http://updates.example.com/" })},
		fault{Fault{Name: "firmware_members_differ", Network: "internal", Collector: "firmware", Reasons: []string{"images_differ"},
			Also: map[string][]string{"firmware_download": {"images_differ"}, "pool": {"pool_certificates_differ"}},
			Text: "the image is shorter at a second address of pool01"}, func(s *state) {
			s.updates[secondFrontEnd].image = imageShort
			joins(poolName, frontEndName)(s)
		}},
		fault{Fault{Name: "firmware_many", Network: "internal", Collector: "firmware", Reasons: []string{"firmware_left_out", "firmware_not_found"},
			Text: "many files are offered, and are not there"}, onFrontEnds(func(s *updateState) { s.content = manyOffers() })},
		firmware("firmware_missing", "the image that is offered is not there", "firmware", imageMissing, "firmware_not_found"),
		firmware("firmware_replaced", "the image has other bytes under the same version", "firmware_download", imageReplaced),
		firmware("firmware_cut", "the image shrinks; shows only after it was read as a whole", "firmware", imageShort, "firmware_cut_off"),
		firmware("firmware_cut_wrong_length", "the connection ends in the middle of the image", "firmware_download",
			imageCutOff, "firmware_cut_off"),
		firmware("firmware_slow", "the image comes at 16 KiB a second", "firmware_download", imageSlow, "firmware_slow"),
		fault{Fault{Name: "update_half_published", Network: "external", Collector: "firmware",
			Reasons: []string{"firmware_forbidden", "publishing_half"}, Also: map[string][]string{"firmware_download": {"no_image"}},
			Text: "the reverse proxy knows the request handler and not the files"},
			onProxy(func(s *updateState) { s.filesUnpublished = true })})
}

func onFrontEnds(apply func(*updateState)) func(*state) {
	return func(s *state) {
		for i := range s.updates {
			apply(&s.updates[i])
		}
	}
}

func onProxy(apply func(*updateState)) func(*state) {
	return func(s *state) { apply(&s.proxy) }
}

// manyOffers is an answer with more files than are looked for.
func manyOffers() string {
	var files strings.Builder
	for i := range 12 {
		fmt.Fprintf(&files, "<File><FileName>CPE.nbt</FileName><BaseURL>http://pool01.contoso.com/DeviceUpdateFiles_Int/UCPhone/Polycom/CX700/A/ENU/1.0.522.%d/CPE</BaseURL>"+
			"<ExternalBaseURL>https://ocsrp.fabrikam.com/</ExternalBaseURL><SignatureFileName>CPE.cat</SignatureFileName></File>", 110+i)
	}
	return "<Response><NumOfFiles>12</NumOfFiles>" + files.String() + "</Response>"
}
