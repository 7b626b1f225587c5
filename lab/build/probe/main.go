// SPDX-License-Identifier: GPL-3.0-or-later

// What clients of an API server see while it is upgraded, as client-go has
// them, each with a connection of its own:
//
//	kept   one kept HTTP/2 connection that reads a namespace 20 times a second
//	list   lists everything once a second
//	write  changes a counter twice a second
//	watch  holds a watch of that counter, and resumes one that breaks from the
//	       last resourceVersion that it saw
//
// Prints a JSON line for each request, event and connection. It ends when its
// standard input does, so that none is left behind by a caller that was killed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	namespace = "default"
	getEvery  = 50 * time.Millisecond
	getLimit  = 2 * time.Second
	listEvery = time.Second
	// All objects of a kind are more than one.
	listLimit  = 10 * time.Second
	writeEvery = 500 * time.Millisecond
	pause      = 100 * time.Millisecond
)

var (
	namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	listed     = []schema.GroupVersionResource{
		namespaces,
		configMaps,
		{Version: "v1", Resource: "nodes"},
		{Version: "v1", Resource: "pods"},
		{Version: "v1", Resource: "services"},
		{Group: "apps", Version: "v1", Resource: "daemonsets"},
		{Group: "apps", Version: "v1", Resource: "deployments"},
		{Group: "apps", Version: "v1", Resource: "replicasets"},
		{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"},
		{Group: "discovery.k8s.io", Version: "v1", Resource: "endpointslices"},
	}
)

// line is one request, event or connection. What a watch does that is no event
// has a name in What, and so have what was listed and a new connection.
type line struct {
	Time    string  `json:"time"`
	Client  string  `json:"client"`
	OK      bool    `json:"ok"`
	Error   string  `json:"error"`
	Seconds float64 `json:"seconds"`
	What    string  `json:"what,omitempty"`
}

var printing sync.Mutex

func say(client, what string, began time.Time, err error) {
	now := time.Now()
	seconds := max(0, now.Sub(began).Seconds())
	said := line{now.UTC().Format("2006-01-02T15:04:05.000Z"), client, err == nil, "", seconds, what}
	if err != nil {
		said.Error = err.Error()
	}
	printing.Lock()
	defer printing.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(said); err != nil {
		log.Fatal(err)
	}
}

// connect gives a client of its own: what dials for itself shares no connection.
func connect(kubeconfig, name string) *dynamic.DynamicClient {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		began := time.Now()
		connection, err := dialer.DialContext(ctx, network, address)
		say(name, "connection", began, err)
		return connection, err
	}
	config.QPS = -1
	config.UserAgent = "probe-" + name
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		log.Fatal(err)
	}
	return client
}

// limited runs one request, which has its own time also where the probe ends.
func limited(limit time.Duration, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return do(ctx)
}

// each calls what at a steady rate until the probe ends.
func each(ctx context.Context, every time.Duration, what func()) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			what()
		}
	}
}

func keep(ctx context.Context, client dynamic.Interface) {
	var under sync.WaitGroup
	each(ctx, getEvery, func() {
		under.Add(1)
		// The rate is kept while requests hang.
		go func() {
			defer under.Done()
			began := time.Now()
			say("kept", "", began, limited(getLimit, func(ctx context.Context) error {
				_, err := client.Resource(namespaces).Get(ctx, namespace, metav1.GetOptions{})
				return err
			}))
		}()
	})
	under.Wait()
}

func list(ctx context.Context, client dynamic.Interface) {
	each(ctx, listEvery, func() {
		for _, resource := range listed {
			began := time.Now()
			say("list", resource.Resource, began, limited(listLimit, func(ctx context.Context) error {
				_, err := client.Resource(resource).List(ctx, metav1.ListOptions{})
				return err
			}))
		}
	})
}

// counter is what is written and watched.
type counter struct {
	name    string
	version string

	lock sync.Mutex
	// written is the last number that was sent, and sent is when.
	written int
	sent    map[int]time.Time
	seen    int
}

func (c *counter) write(ctx context.Context, client dynamic.Interface) {
	number := 1
	each(ctx, writeEvery, func() {
		began := time.Now()
		c.lock.Lock()
		c.sent[number] = began
		c.lock.Unlock()
		err := limited(getLimit, func(ctx context.Context) error {
			change := fmt.Sprintf(`{"data": {"number": "%d"}}`, number)
			_, err := client.Resource(configMaps).Namespace(namespace).Patch(
				ctx, c.name, types.MergePatchType, []byte(change), metav1.PatchOptions{})
			return err
		})
		say("write", "", began, err)
		// One that failed may have been done all the same, so the same number is sent again.
		if err == nil {
			c.lock.Lock()
			c.written = number
			c.lock.Unlock()
			number++
		}
	})
}

// saw takes note of a number in an event: late and lost ones are failures.
func (c *counter) saw(number int) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if number <= c.seen {
		return
	}
	c.lose(number - 1)
	sent, ours := c.sent[number]
	if !ours {
		sent = time.Now()
	}
	var err error
	if after := time.Since(sent); after > getLimit {
		err = fmt.Errorf("the event came after %.1f s", after.Seconds())
	}
	say("watch", "", sent, err)
	c.seen = number
	delete(c.sent, number)
}

// lose says which numbers up to this one were never seen.
func (c *counter) lose(until int) {
	for ; c.seen < until; c.seen++ {
		say("watch", "", time.Now(), fmt.Errorf("event %d was lost", c.seen+1))
	}
}

func (c *counter) watch(ctx context.Context, client dynamic.ResourceInterface) {
	var broke time.Time
	for ctx.Err() == nil {
		began := time.Now()
		held, err := client.Watch(ctx, metav1.ListOptions{
			FieldSelector:       "metadata.name=" + c.name,
			ResourceVersion:     c.version,
			AllowWatchBookmarks: true,
		})
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			say("watch", "resume", began, err)
			time.Sleep(pause)
			continue
		}
		if !broke.IsZero() {
			say("watch", "resume", broke, nil)
		}
		for event := range held.ResultChan() {
			c.took(event, client)
		}
		broke = time.Now()
		if time.Since(began) < pause {
			time.Sleep(pause)
		}
	}
}

func (c *counter) took(event watch.Event, client dynamic.ResourceInterface) {
	object, ok := event.Object.(*unstructured.Unstructured)
	if event.Type == watch.Error || !ok {
		err := apierrors.FromObject(event.Object)
		// A connection that broke in the middle of an event.
		if apierrors.HasStatusCause(err, "ClientWatchDecoding") {
			return
		}
		say("watch", "resume", time.Now(), err)
		if apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
			_ = limited(getLimit, func(ctx context.Context) error {
				now, err := client.Get(ctx, c.name, metav1.GetOptions{})
				if err == nil {
					c.version = now.GetResourceVersion()
				}
				return err
			})
		}
		return
	}
	c.version = object.GetResourceVersion()
	if event.Type == watch.Modified {
		text, _, _ := unstructured.NestedString(object.Object, "data", "number")
		if number, err := strconv.Atoi(text); err == nil {
			c.saw(number)
		}
	}
}

// wait waits for what was written and not seen yet.
func (c *counter) wait() {
	for end := time.Now().Add(getLimit); time.Now().Before(end); time.Sleep(pause) {
		c.lock.Lock()
		done := c.seen >= c.written
		c.lock.Unlock()
		if done {
			return
		}
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	c.lose(c.written)
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "the file that says how the API is reached")
	flag.Parse()

	own := connect(*kubeconfig, "own").Resource(configMaps).Namespace(namespace)
	empty := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"generateName": "probe-"},
	}}
	made, err := own.Create(context.Background(), empty, metav1.CreateOptions{})
	if err != nil {
		log.Fatal(err)
	}
	number := &counter{name: made.GetName(), version: made.GetResourceVersion(), sent: map[int]time.Time{}}

	asking, ended := context.WithCancel(context.Background())
	watching, unwatch := context.WithCancel(context.Background())
	var clients, watcher sync.WaitGroup
	run := func(group *sync.WaitGroup, what func()) {
		group.Add(1)
		go func() {
			defer group.Done()
			what()
		}()
	}
	run(&watcher, func() {
		number.watch(watching, connect(*kubeconfig, "watch").Resource(configMaps).Namespace(namespace))
	})
	run(&clients, func() { keep(asking, connect(*kubeconfig, "kept")) })
	run(&clients, func() { list(asking, connect(*kubeconfig, "list")) })
	run(&clients, func() { number.write(asking, connect(*kubeconfig, "write")) })

	_, err = io.Copy(io.Discard, os.Stdin)
	ended()
	clients.Wait()
	number.wait()
	unwatch()
	watcher.Wait()
	gone := limited(listLimit, func(ctx context.Context) error { return own.Delete(ctx, number.name, metav1.DeleteOptions{}) })
	if err := errors.Join(err, gone); err != nil {
		log.Fatal(err)
	}
}
