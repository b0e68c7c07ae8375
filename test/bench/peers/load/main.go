// The API server's side of the measurement: one review, sent again and again over HTTPS 1.1 connections that are kept alive.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

type result struct {
	Requests int     `json:"requests"`
	Seconds  float64 `json:"seconds"`
	// Milliseconds.
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func main() {
	address := flag.String("address", "", "host:port of the webhook")
	server := flag.String("server-name", "", "name in its certificate")
	authority := flag.String("ca", "", "PEM file of its CA")
	review := flag.String("review", "", "file with the review")
	connections := flag.Int("connections", 1, "")
	requests := flag.Int("requests", 20000, "")
	flag.Parse()

	body, err := os.ReadFile(*review)
	check(err)
	pem, err := os.ReadFile(*authority)
	check(err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	config := &tls.Config{RootCAs: pool, ServerName: *server, NextProtos: []string{"http/1.1"}}
	head := fmt.Sprintf("POST /inject?timeout=5s HTTP/1.1\r\nHost: %s\r\nUser-Agent: kube-apiserver-admission\r\n"+
		"Content-Length: %d\r\nAccept: application/json, */*\r\nContent-Type: application/json\r\n\r\n", *server, len(body))
	message := append([]byte(head), body...)

	var left atomic.Int64
	left.Store(int64(*requests))
	times := make([][]time.Duration, *connections)
	var group sync.WaitGroup
	open := make([]*tls.Conn, *connections)
	for index := range open {
		open[index], err = tls.Dial("tcp", *address, config)
		check(err)
	}
	begin := time.Now()
	for index, connection := range open {
		group.Go(func() {
			reader := bufio.NewReaderSize(connection, 16384)
			for left.Add(-1) >= 0 {
				one := time.Now()
				_, err := connection.Write(message)
				check(err)
				check(answer(reader))
				times[index] = append(times[index], time.Since(one))
			}
		})
	}
	group.Wait()
	elapsed := time.Since(begin)
	all := slices.Concat(times...)
	slices.Sort(all)
	at := func(share float64) float64 {
		return float64(all[min(len(all)-1, int(share*float64(len(all))))].Nanoseconds()) / 1e6
	}
	check(json.NewEncoder(os.Stdout).Encode(result{len(all), elapsed.Seconds(), at(0.5), at(0.99), at(1)}))
}

// answer reads one response, which has to be an injection.
func answer(reader *bufio.Reader) error {
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != 200 || !bytes.Contains(body, []byte(`"patchType":"JSONPatch"`)) {
		return errors.New("expected a patch, found " + response.Status + " " + string(body))
	}
	return nil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
