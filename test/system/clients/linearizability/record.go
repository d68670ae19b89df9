package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Bounds within which a history can be decided.
const (
	clientsMax    = 6
	operationsMax = 400
	unknownMax    = 8
)

// recorder is what the clients of one history share.
type recorder struct {
	store  string // http://127.0.0.1:3500/v1.0/state/NAME
	prefix string // of the keys, this run's own
	http   *http.Client
	began  time.Time

	mutex   sync.Mutex
	history []operation
	values  int
	etags   map[string]string // "key=value" to its etag, and "key@etag" to its value
	trouble error
}

type seen struct {
	value int
	etag  string
}

func (r *recorder) key(number int) string { return fmt.Sprintf("%s-%d", r.prefix, number) }

func (r *recorder) newValue() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.values++
	return r.values
}

// learn keeps that a value came with an etag; both belong to each other for ever.
func (r *recorder) learn(key, value int, etag string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	byValue, byEtag := fmt.Sprintf("%d=%d", key, value), fmt.Sprintf("%d@%s", key, etag)
	text := strconv.Itoa(value)
	if old, known := r.etags[byValue]; known && old != etag {
		r.trouble = fmt.Errorf("value %d of key %d came with etag %s and with %s", value, key, old, etag)
	}
	if old, known := r.etags[byEtag]; known && old != text {
		r.trouble = fmt.Errorf("etag %s of key %d stood for value %s and for %d", etag, key, old, value)
	}
	r.etags[byValue], r.etags[byEtag] = etag, text
}

// call is one request; status 0 is none.
func (r *recorder) call(ctx context.Context, method, url string, header map[string]string, body any) (int, http.Header, []byte) {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		sent = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, url, sent)
	if err != nil {
		panic(err)
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	answer, err := r.http.Do(request)
	if err != nil {
		return 0, nil, nil
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, nil, nil
	}
	return answer.StatusCode, answer.Header, text
}

// outcomeOf reads an answer to a write. Everything that is neither success nor a mismatch proves nothing.
func outcomeOf(status int, text []byte) outcome {
	switch {
	case status == http.StatusNoContent:
		return done
	case strings.Contains(string(text), "possible etag mismatch"):
		return refused
	}
	return unknown
}

func item(key string, one write, etag string) map[string]any {
	made := map[string]any{"key": key}
	if one.Kind == set {
		made["value"] = one.Value
	}
	if one.When == noVersion {
		made["options"] = map[string]string{"concurrency": "first-write"}
	} else if one.When != anyVersion {
		made["etag"] = etag
	}
	return made
}

type client struct {
	*recorder
	number int
	random *rand.Rand
	last   [keysMax]seen
}

func (c *client) get(ctx context.Context, key int) (operation, bool) {
	op := operation{Client: c.number, Kind: get, Key: key, Call: c.now()}
	status, header, text := c.call(ctx, http.MethodGet, c.store+"/"+c.recorder.key(key), nil, nil)
	op.Return, op.Outcome = c.now(), done
	switch status {
	case http.StatusNoContent:
	case http.StatusOK:
		value, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			panic("a value that nobody wrote: " + string(text))
		}
		op.Read = value
		c.last[key] = seen{value, header.Get("ETag")}
		c.learn(key, value, header.Get("ETag"))
	default:
		return op, false // it tells nothing
	}
	return op, true
}

// newWrite is any write of that key, half of them on the condition that the version is the one last seen.
func (c *client) newWrite(key int) write {
	one := write{Kind: set, Key: key}
	if c.random.Intn(4) == 0 {
		one.Kind = erase
	} else {
		one.Value = c.newValue()
	}
	choice := c.random.Intn(10)
	if choice < 5 && c.last[key].value != 0 {
		one.When = c.last[key].value
	} else if choice == 5 && one.Kind == set {
		one.When = noVersion
	}
	return one
}

func (c *client) writeOne(ctx context.Context, key int) operation {
	one := c.newWrite(key)
	op := operation{Client: c.number, Kind: one.Kind, Writes: []write{one}, Call: c.now()}
	etag := c.last[key].etag
	var status int
	var text []byte
	if one.Kind == set {
		status, _, text = c.call(ctx, http.MethodPost, c.store, nil, []any{item(c.recorder.key(key), one, etag)})
	} else {
		header := map[string]string{}
		if one.When != anyVersion {
			header["If-Match"] = etag
		}
		status, _, text = c.call(ctx, http.MethodDelete, c.store+"/"+c.recorder.key(key), header, nil)
	}
	op.Return, op.Outcome = c.now(), outcomeOf(status, text)
	return op
}

func (c *client) transact(ctx context.Context, keys int) operation {
	op := operation{Client: c.number, Kind: transact}
	var operations []any
	for _, key := range c.random.Perm(keys)[:2+c.random.Intn(keys-1)] {
		one := c.newWrite(key)
		name := map[kind]string{set: "upsert", erase: "delete"}[one.Kind]
		op.Writes = append(op.Writes, one)
		operations = append(operations, map[string]any{"operation": name, "request": item(c.recorder.key(key), one, c.last[key].etag)})
	}
	op.Call = c.now()
	status, _, text := c.call(ctx, http.MethodPost, c.store+"/transaction", nil, map[string]any{"operations": operations})
	op.Return, op.Outcome = c.now(), outcomeOf(status, text)
	return op
}

func (r *recorder) now() int64 { return int64(time.Since(r.began)) }

// keep adds what was done; false when the history is full.
func (r *recorder) keep(op operation, tells bool) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if tells && len(r.history) < operationsMax {
		r.history = append(r.history, op)
	}
	return len(r.history) < operationsMax && r.trouble == nil
}

func (c *client) run(operations, keys int, impatientAt int) {
	for i := 0; i < operations; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		if i == impatientAt { // gives up on the answer; what it asked for may be done all the same
			ctx, cancel = context.WithTimeout(context.Background(), time.Duration(c.random.Intn(400))*time.Microsecond)
		}
		var op operation
		tells := true
		switch choice := c.random.Intn(10); {
		case choice < 4:
			op, tells = c.get(ctx, c.random.Intn(keys))
		case choice < 8:
			op = c.writeOne(ctx, c.random.Intn(keys))
		default:
			op = c.transact(ctx, keys)
		}
		cancel()
		if !c.keep(op, tells) {
			return
		}
	}
}

// cutOff makes Redis close every connection but this one, as a network does that breaks.
func cutOff(address string) error {
	connection, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return err
	}
	defer connection.Close()
	if _, err = connection.Write([]byte("CLIENT KILL TYPE normal SKIPME yes\r\n")); err != nil {
		return err
	}
	_, err = connection.Read(make([]byte, 64))
	return err
}

// cutOffBy runs a command that closes connections of the store's server.
func cutOffBy(command string) error {
	said, err := exec.Command("sh", "-c", command).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", command, err, said)
	}
	return nil
}

// record makes a history, as random as the seed. In every second one `cut` is called in the middle; nil: in none.
func record(store string, cut func() error, prefix string, seed int64) ([]operation, error) {
	random := rand.New(rand.NewSource(seed))
	clients, keys := 2+random.Intn(clientsMax-1), 2+random.Intn(keysMax-1)
	each := operationsMax / clients
	r := &recorder{store: store, prefix: prefix, began: time.Now(), etags: map[string]string{},
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}}
	defer r.http.CloseIdleConnections()
	var all sync.WaitGroup
	for number := 0; number < clients; number++ {
		one := &client{recorder: r, number: number, random: rand.New(rand.NewSource(random.Int63()))}
		impatientAt := -1
		if number < 2 {
			impatientAt = random.Intn(each)
		}
		all.Add(1)
		go func() {
			defer all.Done()
			one.run(each, keys, impatientAt)
		}()
	}
	var notCut error
	if cut != nil && random.Intn(2) == 0 {
		time.Sleep(time.Duration(random.Intn(20)) * time.Millisecond) // somewhere in the run
		notCut = cut()
	}
	all.Wait()
	if r.trouble != nil {
		return r.history, r.trouble
	}
	return r.history, notCut
}
