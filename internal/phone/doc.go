// Package phone is what a Polycom CX700 with Office Communicator 2007 R2 Phone Edition does: the
// records it asks for and their order, how it appends DNS suffixes, where it looks for the time, the
// authorities it was built with, and what differs between firmwares.
//
// It holds tables and pure functions only. It opens no socket and reads no clock, so that what the
// phone would do can be tested without a network. "Guide" in the comments is the Polycom CX700
// deployment guide, 1725-31424-001 Rev. A, July 2010.
package phone
