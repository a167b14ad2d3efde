// Package simtest runs the whole order path in virtual time under seeded faults: the session of the Trading Service
// itself (sequencer, gate, journal, engine, router, venue/remote) on a simulated disk, the Risk Service's own decisions
// in lockstep over a pipe, a simulated exchange, its network, and clients. The same seed gives the same run.
//
// Everything happens in one bubble of testing/synctest, so that a goroutine's sleep, deadline and heartbeat cost
// nothing, and virtual time goes on only when every goroutine waits. The world is one goroutine: it alone decides what
// arrives where and when, at a time of its own for each, so that whatever the session's goroutines do because of it
// follows from one cause at a time.
package simtest
