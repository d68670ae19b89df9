package main

import (
	"fmt"
	"strings"

	"github.com/anishathalye/porcupine"
)

// What a store is to the checker: the value that each key holds. Every write has a value of its own, so that a value
// also stands for the etag of its version: "with the etag of 17" holds while the key holds 17.

const keysMax = 4

// 0: no record.
type state [keysMax]int

type kind string

const (
	get        kind = "get"
	set        kind = "set"
	erase      kind = "delete"
	transact   kind = "transaction"
	anyVersion      = 0
	noVersion       = -1 // first-write
)

// One write, alone or in a transaction. When is anyVersion, noVersion, or the value whose etag was sent.
type write struct {
	Kind  kind `json:"kind"`
	Key   int  `json:"key"`
	Value int  `json:"value,omitempty"`
	When  int  `json:"when,omitempty"`
}

type outcome string

const (
	done    outcome = "done"
	refused outcome = "refused" // the condition did not hold
	unknown outcome = "unknown" // no answer, or one that says so
)

// One call of a client, as it is kept, printed and read again.
type operation struct {
	Client  int     `json:"client"`
	Kind    kind    `json:"kind"`
	Key     int     `json:"key,omitempty"` // of a get
	Writes  []write `json:"writes,omitempty"`
	Call    int64   `json:"call"`
	Return  int64   `json:"return"`
	Outcome outcome `json:"outcome"`
	Read    int     `json:"read,omitempty"` // what a get found
}

func (w write) holds(now state) bool {
	switch w.When {
	case anyVersion:
		return true
	case noVersion:
		return now[w.Key] == 0
	}
	return now[w.Key] == w.When
}

func (w write) apply(now *state) {
	now[w.Key] = w.Value // 0 of a deletion
}

// step says whether the outcome may be this operation's in that state, and what the state is then. A write without an
// answer takes effect when it is its turn; one that never did has its turn after everything that could see it.
func step(now state, op operation) (bool, state) {
	if op.Kind == get {
		return now[op.Key] == op.Read, now
	}
	holds := true
	for _, one := range op.Writes {
		holds = holds && one.holds(now)
	}
	if op.Outcome == refused {
		return !holds, now
	}
	if !holds {
		return op.Outcome == unknown, now
	}
	for _, one := range op.Writes {
		one.apply(&now)
	}
	return true, now
}

func describe(op operation) string {
	if op.Kind == get {
		return fmt.Sprintf("get %d: %d", op.Key, op.Read)
	}
	var parts []string
	for _, one := range op.Writes {
		parts = append(parts, fmt.Sprintf("%s %d=%d when %d", one.Kind, one.Key, one.Value, one.When))
	}
	return strings.Join(parts, ", ") + ": " + string(op.Outcome)
}

var model = porcupine.Model{
	Init: func() interface{} { return state{} },
	Step: func(now, op, _ interface{}) (bool, interface{}) {
		ok, next := step(now.(state), op.(operation))
		return ok, next
	},
	Equal:             func(a, b interface{}) bool { return a.(state) == b.(state) },
	DescribeOperation: func(op, _ interface{}) string { return describe(op.(operation)) },
	DescribeState:     func(now interface{}) string { return fmt.Sprint(now) },
}
