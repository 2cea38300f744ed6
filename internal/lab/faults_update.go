package lab

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
	return []fault{
		inside("update_500", "the update service answers 500", does(fails), "update_server_error"),
		inside("update_blank_urls", "BaseURL and ExternalBaseURL are blank", func(s *updateState) { s.blankURLs = true },
			"base_url_blank", "external_base_url_blank"),
		inside("update_other_version", "another version is offered: nothing is wrong",
			func(s *updateState) { s.version = otherVersion }),
		{Fault{Name: "update_front_end_differs", Network: "internal", Collector: "update", Reasons: []string{"front_ends_differ"},
			Also: map[string][]string{"firmware": {"firmware_not_found"}},
			Text: "the second front end offers a version without files"}, func(s *state) { s.updates[secondFrontEnd].version = otherVersion }},
		inside("update_entity_bomb", "the answer's entities stand for gigabytes", does(hasEntityBomb), "update_unparsable"),
		inside("update_redirect_circle", "the update service redirects in a circle", does(goesInCircles), "update_redirect"),
		inside("update_html", "the update service answers with a page and status 200", does(isPage), "update_unparsable"),
		{Fault{Name: "update_down", Network: "internal", Collector: "update", Reasons: []string{"update_unreachable"},
			Also: map[string][]string{"firmware": {"firmware_unreachable"}},
			Text: "nothing listens at the front ends"}, moved(poolName, frontEndName, updateName)},
		with(outside("update_anonymous_outside", "the update service asks for no logon outside", admits(everybody), "update_anonymous"),
			map[string][]string{"firmware": {"firmware_anonymous"}}),
		with(outside("update_403_outside", "the reverse proxy forbids the update service", admits(forbids), "update_forbidden"),
			map[string][]string{"firmware": {"firmware_forbidden"}, "firmware_download": {"no_image"}}),
		with(outside("update_404_outside", "the reverse proxy does not know the update service", admits(unpublished), "update_not_found"),
			map[string][]string{"firmware": {"interim_image_missing"}, "firmware_download": {"no_image"}}),
	}
}

func firmwareFaults() []fault {
	firmware := func(name, text, collector string, mode imageMode, reasons ...string) fault {
		return fault{Fault{Name: name, Network: "internal", Collector: collector, Reasons: reasons, Text: text},
			onFrontEnds(func(s *updateState) { s.image = mode })}
	}
	return []fault{
		firmware("firmware_missing", "the image that is offered is not there", "firmware", imageMissing, "firmware_not_found"),
		firmware("firmware_cut", "the image shrinks; shows only after it was read as a whole", "firmware", imageShort, "firmware_cut_off"),
		firmware("firmware_cut_wrong_length", "the connection ends in the middle of the image", "firmware_download",
			imageCutOff, "firmware_cut_off"),
		firmware("firmware_slow", "the image comes at 16 KiB a second", "firmware_download", imageSlow, "firmware_slow"),
		{Fault{Name: "update_half_published", Network: "external", Collector: "firmware",
			Reasons: []string{"firmware_forbidden", "publishing_half"}, Also: map[string][]string{"firmware_download": {"no_image"}},
			Text: "the reverse proxy knows the request handler and not the files"},
			onProxy(func(s *updateState) { s.filesUnpublished = true })},
	}
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
