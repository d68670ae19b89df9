// Command client runs the scenarios of ../README.md with Dapr's Go SDK: client STORE
//
// The SDK's default options of a save are strong and last-write; the sidecar is found by DAPR_GRPC_PORT or
// DAPR_GRPC_ENDPOINT, which may be unix:///path or host:port?tls=true.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	dapr "github.com/dapr/go-sdk/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const mismatch = "possible etag mismatch"

var firstWrite = []dapr.StateOption{
	dapr.WithConcurrency(dapr.StateConcurrencyFirstWrite),
	dapr.WithConsistency(dapr.StateConsistencyStrong),
}

type suite struct {
	client dapr.Client
	store  string
	ctx    context.Context
}

type scenario struct {
	name string
	run  func(*suite) error
}

var scenarios = []scenario{
	{"save_and_get", (*suite).saveAndGet},
	{"missing_key", (*suite).missingKey},
	{"bulk", (*suite).bulk},
	{"transaction", (*suite).transaction},
	{"transaction_refused", (*suite).transactionRefused},
	{"delete_with_etag", (*suite).deleteWithEtag},
	{"first_write", (*suite).firstWrite},
	{"ttl", (*suite).ttl},
	{"metadata", (*suite).metadata},
	{"secrets", (*suite).secrets},
	{"unknown_store", (*suite).unknownStore},
	{"shutdown", (*suite).shutdown},
}

func (s *suite) save(key, value string) error {
	return s.client.SaveState(s.ctx, s.store, key, []byte(value), nil)
}

// expect reads a key and compares; an empty text stands for "no record".
func (s *suite) expect(key, want string) (etag string, err error) {
	item, err := s.client.GetState(s.ctx, s.store, key, nil)
	if err != nil {
		return "", err
	}
	if string(item.Value) != want {
		return "", fmt.Errorf("%s holds %q, not %q", key, item.Value, want)
	}
	if (item.Etag != "") != (want != "") {
		return "", fmt.Errorf("%s has the etag %q", key, item.Etag)
	}
	return item.Etag, nil
}

// refused says whether err is the refusal that was expected.
func refused(err error, code codes.Code, text string) error {
	if err == nil {
		return errors.New("the sidecar should have refused this")
	}
	if status.Code(err) != code || !strings.Contains(err.Error(), text) {
		return fmt.Errorf("expected %s and %q, got %s: %w", code, text, status.Code(err), err)
	}
	return nil
}

// first returns the first error there is: the calls before it have all been made.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *suite) saveAndGet() error {
	if err := s.save("greeting", "hello"); err != nil {
		return err
	}
	if _, err := s.expect("greeting", "hello"); err != nil {
		return err
	}
	blob := string([]byte{0, 1, 0xfe, 0xff}) + "Zoë"
	if err := s.save("greeting", blob); err != nil {
		return err
	}
	_, err := s.expect("greeting", blob)
	return err
}

func (s *suite) missingKey() error {
	_, err := s.expect("nothing-here", "")
	return err
}

func (s *suite) bulk() error {
	var items []*dapr.SetStateItem
	var keys []string
	for i := range 10 {
		keys = append(keys, fmt.Sprintf("bulk-%d", i))
		items = append(items, &dapr.SetStateItem{Key: keys[i], Value: []byte(fmt.Sprintf("value %d", i))})
	}
	if err := s.client.SaveBulkState(s.ctx, s.store, items...); err != nil {
		return err
	}
	found, err := s.client.GetBulkState(s.ctx, s.store, append(keys, "bulk-missing"), nil, 4)
	if err != nil {
		return err
	}
	if len(found) != 11 {
		return fmt.Errorf("%d items for 11 keys", len(found))
	}
	for i, item := range found[:10] {
		if item.Key != keys[i] || string(item.Value) != fmt.Sprintf("value %d", i) || item.Etag == "" || item.Error != "" {
			return fmt.Errorf("item %d is %+v", i, item)
		}
	}
	if last := found[10]; last.Key != "bulk-missing" || len(last.Value) > 0 || last.Etag != "" || last.Error != "" {
		return fmt.Errorf("the missing key is %+v", last)
	}
	return nil
}

func upsert(key, value string, etag *dapr.ETag) *dapr.StateOperation {
	return &dapr.StateOperation{
		Type: dapr.StateOperationTypeUpsert,
		Item: &dapr.SetStateItem{Key: key, Value: []byte(value), Etag: etag},
	}
}

func (s *suite) transaction() error {
	if err := s.save("cart", "full"); err != nil {
		return err
	}
	err := s.client.ExecuteStateTransaction(s.ctx, s.store, nil, []*dapr.StateOperation{
		upsert("order", "placed", nil),
		{Type: dapr.StateOperationTypeDelete, Item: &dapr.SetStateItem{Key: "cart"}},
	})
	if err != nil {
		return err
	}
	_, order := s.expect("order", "placed")
	_, cart := s.expect("cart", "")
	return first(order, cart)
}

func (s *suite) transactionRefused() error {
	if err := first(s.save("from", "100"), s.save("to", "0")); err != nil {
		return err
	}
	err := s.client.ExecuteStateTransaction(s.ctx, s.store, nil, []*dapr.StateOperation{
		upsert("from", "0", nil),
		upsert("to", "100", &dapr.ETag{Value: "7"}),
	})
	if err := refused(err, codes.Internal, mismatch); err != nil {
		return err
	}
	_, from := s.expect("from", "100")
	_, to := s.expect("to", "0")
	return first(from, to)
}

func (s *suite) deleteWithEtag() error {
	if err := s.save("doomed", "still here"); err != nil {
		return err
	}
	options := &dapr.StateOptions{Concurrency: dapr.StateConcurrencyFirstWrite, Consistency: dapr.StateConsistencyStrong}
	err := s.client.DeleteStateWithETag(s.ctx, s.store, "doomed", &dapr.ETag{Value: "bad"}, nil, options)
	if err := refused(err, codes.Aborted, mismatch); err != nil {
		return err
	}
	etag, err := s.expect("doomed", "still here")
	if err != nil {
		return err
	}
	if err := s.client.DeleteStateWithETag(s.ctx, s.store, "doomed", &dapr.ETag{Value: etag}, nil, options); err != nil {
		return err
	}
	_, err = s.expect("doomed", "")
	return err
}

func (s *suite) firstWrite() error {
	if err := s.save("counter", "one"); err != nil {
		return err
	}
	etag, err := s.expect("counter", "one")
	if err != nil {
		return err
	}
	saveWith := func(value, etag string) error {
		return s.client.SaveStateWithETag(s.ctx, s.store, "counter", []byte(value), etag, nil, firstWrite...)
	}
	if err := saveWith("two", etag); err != nil {
		return err
	}
	if err := refused(saveWith("three", etag), codes.Aborted, mismatch); err != nil {
		return err
	}
	if err := refused(saveWith("new", ""), codes.Aborted, mismatch); err != nil {
		return err
	}
	_, err = s.expect("counter", "two")
	return err
}

func (s *suite) ttl() error {
	err := s.client.SaveState(s.ctx, s.store, "session", []byte("short"), map[string]string{"ttlInSeconds": "100"})
	if err != nil {
		return err
	}
	item, err := s.client.GetState(s.ctx, s.store, "session", nil)
	if err != nil {
		return err
	}
	expires, err := time.Parse(time.RFC3339, item.Metadata["ttlExpireTime"])
	if err != nil {
		return fmt.Errorf("ttlExpireTime: %w", err)
	}
	if left := time.Until(expires); left < 90*time.Second || left > 101*time.Second {
		return fmt.Errorf("the record expires in %s", left)
	}
	return nil
}

func (s *suite) metadata() error {
	if err := s.client.SetMetadata(s.ctx, "client", "go"); err != nil {
		return err
	}
	told, err := s.client.GetMetadata(s.ctx)
	if err != nil {
		return err
	}
	if told.ID != "test" || told.ExtendedMetadata["client"] != "go" {
		return fmt.Errorf("id %q, extended %v", told.ID, told.ExtendedMetadata)
	}
	for _, component := range told.RegisteredComponents {
		if component.Name == s.store {
			return nil
		}
	}
	return fmt.Errorf("%s is not among the components", s.store)
}

func (s *suite) secrets() error {
	one, err := s.client.GetSecret(s.ctx, "vault", "api-key", nil)
	if err != nil {
		return err
	}
	if want := map[string]string{"api-key": "k-123"}; !reflect.DeepEqual(one, want) {
		return fmt.Errorf("the secret has the names %v", reflect.ValueOf(one).MapKeys())
	}
	all, err := s.client.GetBulkSecret(s.ctx, "vault", nil)
	if err != nil {
		return err
	}
	want := map[string]map[string]string{
		"api-key":           {"api-key": "k-123"},
		"database:password": {"database:password": "p&ss"},
	}
	if !reflect.DeepEqual(all, want) {
		return fmt.Errorf("the secrets are %v", all)
	}
	return nil
}

func (s *suite) unknownStore() error {
	_, err := s.client.GetState(s.ctx, "nope", "key", nil)
	return refused(err, codes.InvalidArgument, "state store nope is not found")
}

func (s *suite) shutdown() error { return s.client.Shutdown(s.ctx) }

// report writes one line and says whether the scenario passed.
func report(name string, err error) bool {
	line := struct {
		Scenario string `json:"scenario"`
		OK       bool   `json:"ok"`
		Error    string `json:"error,omitempty"`
	}{Scenario: name, OK: err == nil}
	if err != nil {
		line.Error = err.Error()
	}
	_ = json.NewEncoder(os.Stdout).Encode(line)
	return err == nil
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := dapr.NewClient()
	if err != nil {
		report("connect", err)
		os.Exit(1)
	}
	s := &suite{client: client, store: os.Args[1], ctx: ctx}
	for _, one := range scenarios {
		if !report(one.name, one.run(s)) {
			os.Exit(1)
		}
	}
}
