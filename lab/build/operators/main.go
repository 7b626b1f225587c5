// SPDX-License-Identifier: GPL-3.0-or-later

// What operators of databases, storage and message brokers do when a node is
// cordoned, as small as it can be, for the lab:
//
//   - the primary of `orders` is the pod that its budget selects by a label; when
//     its node is cordoned, another pod becomes the primary;
//   - the pod of the custom resource `engine` has a budget, which is deleted when
//     its node is cordoned, and made again when the pod runs elsewhere;
//   - evictions of `events` are denied by a webhook, and the pod is deleted a
//     little later.
//
// Each waits a few seconds before it acts, as their reconciliation does.
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"os"
	"time"
)

const (
	account   = "/var/run/secrets/kubernetes.io/serviceaccount/"
	host      = "drain-cleaner.field-system.svc"
	webhook   = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/drain-cleaner"
	pods      = "/api/v1/namespaces/field/pods"
	engine    = "/apis/storage.field.example/v1/namespaces/field/engines/engine"
	budgets   = "/apis/policy/v1/namespaces/field/poddisruptionbudgets"
	role      = "cnpg.io/instanceRole"
	rollAt    = "field.example/roll-at"
	patience  = 5 * time.Second
	mergeType = "application/merge-patch+json"
	budget    = `{"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
		"metadata": {"name": "engine", "labels": {"lab": "field"}},
		"spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "engine"}}}}`
	enginePod = `{"apiVersion": "v1", "kind": "Pod",
		"metadata": {"generateName": "engine-", "labels": {"app": "engine"}, "ownerReferences": [{"controller": true,
			"apiVersion": "storage.field.example/v1", "kind": "Engine", "name": "engine", "uid": %q}]},
		"spec": %s}`
)

type pod struct {
	Metadata struct {
		Name              string
		Labels            map[string]string
		Annotations       map[string]string
		DeletionTimestamp *time.Time
	}
	Spec   struct{ NodeName string }
	Status struct {
		Conditions []struct{ Type, Status string }
	}
}

func (p *pod) ready() bool {
	for _, condition := range p.Status.Conditions {
		if condition.Type == "Ready" && condition.Status == "True" {
			return p.Metadata.DeletionTimestamp == nil
		}
	}
	return false
}

var errNotFound = errors.New("not found")

// ask sends one request to the API server as the pod's service account.
func ask(client *http.Client, method, path, contentType, body string, answer any) error {
	token, err := os.ReadFile(account + "token")
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, "https://kubernetes.default.svc"+path, bytes.NewBufferString(body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+string(token))
	request.Header.Set("Content-Type", contentType)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	said, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode == http.StatusNotFound {
		return errNotFound
	}
	if response.StatusCode > 299 {
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, said)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(said, answer)
}

// due tells whether something has been so for long enough to act on it.
type due map[string]time.Time

func (d due) since(what string, so bool) bool {
	if !so {
		delete(d, what)
		return false
	}
	if _, known := d[what]; !known {
		d[what] = time.Now()
	}
	return time.Since(d[what]) > patience
}

// reconcile looks at the cluster once.
func reconcile(client *http.Client, seen due) error {
	var nodes struct {
		Items []struct {
			Metadata struct{ Name string }
			Spec     struct{ Unschedulable bool }
		}
	}
	if err := ask(client, "GET", "/api/v1/nodes", "", "", &nodes); err != nil {
		return err
	}
	cordoned := map[string]bool{}
	for _, node := range nodes.Items {
		cordoned[node.Metadata.Name] = node.Spec.Unschedulable
	}
	var list struct{ Items []pod }
	if err := ask(client, "GET", pods, "", "", &list); err != nil {
		return err
	}
	byApp := map[string][]pod{}
	for _, item := range list.Items {
		app := item.Metadata.Labels["app"]
		byApp[app] = append(byApp[app], item)
	}
	return errors.Join(
		choosePrimary(client, seen, byApp["orders"], cordoned),
		keepEngine(client, byApp["engine"]),
		keepBudget(client, seen, byApp["engine"], cordoned),
		roll(client, byApp["events"]),
	)
}

func choosePrimary(client *http.Client, seen due, instances []pod, cordoned map[string]bool) error {
	var primary, next *pod
	for i := range instances {
		instance := &instances[i]
		switch {
		case instance.Metadata.Labels[role] == "primary":
			primary = instance
		case instance.ready() && !cordoned[instance.Spec.NodeName]:
			next = instance
		}
	}
	lost := primary == nil || !primary.ready() || cordoned[primary.Spec.NodeName]
	if !seen.since("primary", lost) || next == nil {
		return nil
	}
	if primary != nil {
		if err := label(client, primary, "replica"); err != nil {
			return err
		}
	}
	log.Printf("%s becomes the primary", next.Metadata.Name)
	return label(client, next, "primary")
}

func label(client *http.Client, instance *pod, value string) error {
	change := fmt.Sprintf(`{"metadata": {"labels": {%q: %q}}}`, role, value)
	return ask(client, "PATCH", pods+"/"+instance.Metadata.Name, mergeType, change, nil)
}

func keepEngine(client *http.Client, engines []pod) error {
	for i := range engines {
		if engines[i].Metadata.DeletionTimestamp == nil {
			return nil
		}
	}
	var wanted struct {
		Metadata struct{ UID string }
		Spec     json.RawMessage
	}
	if err := ask(client, "GET", engine, "", "", &wanted); err != nil {
		return err
	}
	return ask(client, "POST", pods, "application/json", fmt.Sprintf(enginePod, wanted.Metadata.UID, wanted.Spec), nil)
}

func keepBudget(client *http.Client, seen due, engines []pod, cordoned map[string]bool) error {
	leaves, runs := false, false
	for i := range engines {
		leaves = leaves || cordoned[engines[i].Spec.NodeName]
		runs = runs || engines[i].ready()
	}
	err := ask(client, "GET", budgets+"/engine", "", "", nil)
	if err != nil && err != errNotFound {
		return err
	}
	here := err == nil
	if seen.since("budget goes", here && leaves) {
		log.Print("the budget of engine goes")
		return ask(client, "DELETE", budgets+"/engine", "", "", nil)
	}
	if seen.since("budget comes", !here && runs && !leaves) {
		log.Print("the budget of engine comes")
		return ask(client, "POST", budgets, "application/json", budget, nil)
	}
	return nil
}

func roll(client *http.Client, brokers []pod) error {
	for i := range brokers {
		broker := &brokers[i]
		at, err := time.Parse(time.RFC3339, broker.Metadata.Annotations[rollAt])
		if err != nil || time.Now().Before(at) || broker.Metadata.DeletionTimestamp != nil {
			continue
		}
		log.Printf("rolling %s", broker.Metadata.Name)
		return ask(client, "DELETE", pods+"/"+broker.Metadata.Name, "", "", nil)
	}
	return nil
}

// review denies the eviction of a pod of `events` and marks the pod.
func review(client *http.Client, w http.ResponseWriter, r *http.Request) {
	var asked struct {
		APIVersion, Kind string
		Request          struct {
			UID, Name string
			DryRun    bool
		}
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer := map[string]any{"uid": asked.Request.UID, "allowed": true}
	path := pods + "/" + asked.Request.Name
	var one pod
	if err := ask(client, "GET", path, "", "", &one); err != nil {
		log.Print(err)
	} else if one.Metadata.Labels["app"] == "events" {
		message := fmt.Sprintf("the operator will roll pod field/%s itself", asked.Request.Name)
		answer["allowed"] = false
		answer["status"] = map[string]any{"code": http.StatusInternalServerError, "message": message}
		if one.Metadata.Annotations[rollAt] == "" && !asked.Request.DryRun {
			at := time.Now().Add(patience).UTC().Format(time.RFC3339)
			change := fmt.Sprintf(`{"metadata": {"annotations": {%q: %q}}}`, rollAt, at)
			if err := ask(client, "PATCH", path, mergeType, change, nil); err != nil {
				log.Print(err)
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(map[string]any{"apiVersion": asked.APIVersion, "kind": asked.Kind, "response": answer})
}

// certificate is made anew at each start, and given to the API server.
func certificate(client *http.Client) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: host},
		DNSNames:     []string{host},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(10, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	change := fmt.Sprintf(`[{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": %q}]`,
		base64.StdEncoding.EncodeToString(text))
	if err := ask(client, "PATCH", webhook, "application/json-patch+json", change, nil); err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

func main() {
	authority, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: 4 * time.Second}

	own, err := certificate(client)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		seen := due{}
		for ; ; time.Sleep(time.Second) {
			if err := reconcile(client, seen); err != nil {
				log.Print(err)
			}
		}
	}()
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok\n")) })
	http.HandleFunc("/evictions", func(w http.ResponseWriter, r *http.Request) { review(client, w, r) })
	server := &http.Server{Addr: ":8443", TLSConfig: &tls.Config{Certificates: []tls.Certificate{own}}}
	log.Fatal(server.ListenAndServeTLS("", ""))
}
