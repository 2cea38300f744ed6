package phone

// Step is one part of what a phone goes through.
type Step string

// The steps of a sign-in, in the phone's order (guide pages 18 to 20), and what a phone needs besides.
const (
	StepLease      Step = "lease"
	StepTime       Step = "time"
	StepRegistrar  Step = "registrar"
	StepTLS        Step = "tls"
	StepController Step = "domain_controller"
	StepRoot       Step = "root"
	StepTrust      Step = "trust"
	StepSignIn     Step = "signin"

	StepExchange Step = "exchange"
	StepUpdate   Step = "update"
	StepFirmware Step = "firmware"
)
