// SPDX-License-Identifier: GPL-3.0-or-later

// A web server that says where it runs, for the lab's workloads.
//
// It stops the way a well-made server does: on SIGTERM it turns unready,
// keeps serving for DRAIN_SECONDS so that Services and balancers have time to
// notice, then finishes what is in flight and exits.
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	address := ":8080"
	if port := os.Getenv("PORT"); port != "" {
		address = ":" + port
	}
	drain := 5
	if text := os.Getenv("DRAIN_SECONDS"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil {
			log.Fatalf("DRAIN_SECONDS: %v", err)
		}
		drain = seconds
	}

	var stopping atomic.Bool
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if stopping.Load() {
			http.Error(w, "stopping", http.StatusServiceUnavailable)
			return
		}
		w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]string{
			"pod":  os.Getenv("POD_NAME"),
			"node": os.Getenv("NODE_NAME"),
		})
	})

	server := &http.Server{Addr: address, Handler: mux}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	ended := make(chan struct{})
	go func() {
		<-signals
		stopping.Store(true)
		time.Sleep(time.Duration(drain) * time.Second)
		limit, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Shutdown(limit); err != nil {
			log.Printf("stopped with requests in flight: %v", err)
		}
		close(ended)
	}()

	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-ended
}
