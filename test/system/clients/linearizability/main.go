// Records histories of clients at a store of the sidecar, over HTTP, and checks that each is linearizable.
//
//	client [-redis HOST:PORT] [-cut COMMAND] [-runs N] [-seconds S] [-seed N] STORE-URL
//	client -check FILE          the histories in a file, one a line, as a failure prints them
//
// The last line is a summary as JSON. Exit code 1: a history that is not linearizable, an etag that came twice, or
// nothing decided within a minute; the history stands on the line before.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/anishathalye/porcupine"
)

const undecidedAfter = time.Minute

type summary struct {
	Runs        int   `json:"runs"`
	Operations  int   `json:"operations"`
	Refused     int   `json:"refused"`
	Unknown     int   `json:"unknown"`
	SetAside    int   `json:"setAside"` // with more unknown outcomes than can be decided
	Seed        int64 `json:"seed"`
	SlowestMsec int64 `json:"slowestMsec"` // to decide
}

func check(history []operation) porcupine.CheckResult {
	operations := make([]porcupine.Operation, len(history))
	for i, op := range history {
		operations[i] = porcupine.Operation{ClientId: op.Client, Input: op, Call: op.Call, Output: op, Return: op.Return}
		if op.Outcome == unknown {
			operations[i].Return = math.MaxInt64
		}
	}
	return porcupine.CheckOperationsTimeout(model, operations, undecidedAfter)
}

func show(history []operation, what string) {
	text, err := json.Marshal(history)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
	fmt.Println(what)
}

func count(history []operation, wanted outcome) (found int) {
	for _, op := range history {
		if op.Outcome == wanted {
			found++
		}
	}
	return found
}

var words = map[porcupine.CheckResult]string{
	porcupine.Illegal: "the history is not linearizable",
	porcupine.Unknown: "the history could not be decided in a minute",
}

func checkFile(name string) int {
	file, err := os.Open(name)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var history []operation
		if err := json.Unmarshal(lines.Bytes(), &history); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 2
		}
		if result := check(history); result != porcupine.Ok {
			fmt.Println(words[result])
			return 1
		}
		fmt.Println("linearizable")
	}
	return 0
}

func run(store string, cut func() error, runs int, seconds float64, seed int64) int {
	total := summary{Seed: seed}
	end := time.Now().Add(time.Duration(seconds * float64(time.Second)))
	for i := 0; i < runs || time.Now().Before(end); i++ {
		history, trouble := record(store, cut, fmt.Sprintf("lin-%d-%d", seed, i), seed+int64(i))
		if trouble != nil {
			show(history, trouble.Error())
			return 1
		}
		total.Runs++
		total.Operations += len(history)
		total.Refused += count(history, refused)
		total.Unknown += count(history, unknown)
		if count(history, unknown) > unknownMax {
			total.SetAside++
			continue
		}
		began := time.Now()
		if result := check(history); result != porcupine.Ok {
			show(history, fmt.Sprintf("run %d of seed %d: %s", i, seed, words[result]))
			return 1
		}
		total.SlowestMsec = max(total.SlowestMsec, time.Since(began).Milliseconds())
	}
	text, _ := json.Marshal(total)
	fmt.Println(string(text))
	return 0
}

func main() {
	redis := flag.String("redis", "", "Redis whose clients are cut off during some runs")
	command := flag.String("cut", "", "command of the shell that cuts clients off, as -redis does")
	runs := flag.Int("runs", 30, "histories at least")
	seconds := flag.Float64("seconds", 0, "how long at least")
	seed := flag.Int64("seed", time.Now().UnixNano(), "of what the clients do")
	file := flag.String("check", "", "file with histories")
	flag.Parse()
	if *file != "" {
		os.Exit(checkFile(*file))
	}
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	var cut func() error
	if *redis != "" {
		cut = func() error { return cutOff(*redis) }
	} else if *command != "" {
		cut = func() error { return cutOffBy(*command) }
	}
	os.Exit(run(flag.Arg(0), cut, *runs, *seconds, *seed))
}
