// What an application does without a sidecar: etcd's own Go client, for `tools/dev bench` to measure.
//
// usage: client PORT ENDPOINT KEYS VALUE
//
// It saves KEYS keys, and then takes one connection on 127.0.0.1:PORT, whose lines are
// "OPERATION IN_FLIGHT SECONDS": get, save, or bulk-get-100, in a closed loop. A line of answer is
// "REQUESTS ERRORS SECONDS LATENCY...", the latencies, in microseconds, of every fourth request.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const bulk = 100

type client struct {
	kv    clientv3.KV
	keys  int
	value string
}

func key(i int) string { return fmt.Sprintf("/byhand/key-%d", i) }

func (c *client) get(ctx context.Context, i int) error {
	got, err := c.kv.Get(ctx, key(i))
	if err == nil && len(got.Kvs) != 1 {
		err = fmt.Errorf("%s is not there", key(i))
	}
	return err
}

func (c *client) save(ctx context.Context, i int) error {
	_, err := c.kv.Put(ctx, key(i), c.value)
	return err
}

func (c *client) bulkGet(ctx context.Context, i int) error {
	operations := make([]clientv3.Op, bulk)
	for k := range operations {
		operations[k] = clientv3.OpGet(key((i + k) % c.keys))
	}
	_, err := c.kv.Txn(ctx).Then(operations...).Commit()
	return err
}

func (c *client) run(line string) (string, error) {
	var name string
	var inFlight int
	var seconds float64
	if _, err := fmt.Sscan(line, &name, &inFlight, &seconds); err != nil {
		return "", err
	}
	operation := map[string]func(context.Context, int) error{"get": c.get, "save": c.save, "bulk-get-100": c.bulkGet}[name]
	if operation == nil {
		return "", fmt.Errorf("no operation %q", name)
	}
	ctx := context.Background()
	began := time.Now()
	end := began.Add(time.Duration(seconds * float64(time.Second)))
	var next, errors atomic.Int64
	samples := make([][]string, inFlight)
	var all sync.WaitGroup
	for worker := range samples {
		all.Add(1)
		go func() {
			defer all.Done()
			for time.Now().Before(end) {
				i := next.Add(1)
				asked := time.Now()
				if err := operation(ctx, int(i)%c.keys); err != nil {
					errors.Add(1)
				}
				if i%4 == 1 {
					samples[worker] = append(samples[worker], strconv.FormatInt(time.Since(asked).Microseconds(), 10))
				}
			}
		}()
	}
	all.Wait()
	took := time.Since(began).Seconds()
	words := []string{fmt.Sprint(next.Load()), fmt.Sprint(errors.Load()), fmt.Sprint(took)}
	for _, some := range samples {
		words = append(words, some...)
	}
	return strings.Join(words, " "), nil
}

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: client PORT ENDPOINT KEYS VALUE")
	}
	keys, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	connection, err := clientv3.New(clientv3.Config{Endpoints: []string{os.Args[2]}, DialTimeout: 10 * time.Second})
	if err != nil {
		log.Fatal(err)
	}
	c := client{connection.KV, keys, os.Args[4]}
	for i := 0; i < keys; i++ {
		if err := c.save(context.Background(), i); err != nil {
			log.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	// Whoever looks whether the port is there connects too, and asks nothing.
	for {
		caller, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		lines := bufio.NewScanner(caller)
		for lines.Scan() {
			answer, err := c.run(lines.Text())
			if err != nil {
				log.Fatal(err)
			}
			fmt.Fprintln(caller, answer)
		}
	}
}
