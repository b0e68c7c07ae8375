// Command counter is chaincode in Go for tests: a number that goes up. It has nothing of Fabric's own packages, which are not to be
// had everywhere: messages are written as fabric-protos/peer/chaincode_shim.proto numbers them.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

const key = "count"

func main() {
	address := flag.String("peer.address", "", "where the peer listens for chaincode")
	flag.Parse()
	if err := serve(*address); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(address string) error {
	config, err := clientTLS()
	if err != nil {
		return err
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		return err
	}
	defer connection.Close()
	description := &grpc.StreamDesc{StreamName: "Register", ServerStreams: true, ClientStreams: true}
	const method = "/protos.ChaincodeSupport/Register"
	stream, err := connection.NewStream(context.Background(), description, method, grpc.ForceCodec(wire{}))
	if err != nil {
		return err
	}
	if err := stream.SendMsg(&message{kind: register, payload: field(2, os.Getenv("CORE_CHAINCODE_ID_NAME"))}); err != nil {
		return err
	}
	// Each transaction waits for the answers of the peer by itself.
	waiting := map[string]chan message{}
	done := make(chan string)
	sent := make(chan message)
	received := make(chan message)
	failed := make(chan error, 1)
	go func() {
		for {
			var next message
			if err := stream.RecvMsg(&next); err != nil {
				failed <- err
				return
			}
			received <- next
		}
	}()
	for {
		select {
		case err := <-failed:
			return err
		case out := <-sent:
			if err := stream.SendMsg(&out); err != nil {
				return err
			}
		case id := <-done:
			delete(waiting, id)
		case in := <-received:
			id := in.channel + in.transaction
			switch in.kind {
			case transaction, initialize:
				answers := make(chan message, 1)
				waiting[id] = answers
				go func() {
					ask := func(kind uint64, payload []byte) (message, error) {
						sent <- message{kind: kind, payload: payload, transaction: in.transaction, channel: in.channel}
						answer := <-answers
						if answer.kind != response {
							return answer, errors.New(string(answer.payload))
						}
						return answer, nil
					}
					result := invoke(in.payload, ask)
					done <- id
					sent <- message{kind: completed, payload: result, transaction: in.transaction, channel: in.channel}
				}()
			case response, failure:
				if answers := waiting[id]; answers != nil {
					answers <- in
				}
			}
		}
	}
}

// invoke knows Add, which gives the new number, and Get. Gives a protos.Response.
func invoke(input []byte, ask func(uint64, []byte) (message, error)) []byte {
	function := first(input)
	state, err := ask(getState, field(1, key))
	if err != nil {
		return refusal(err.Error())
	}
	count, _ := strconv.Atoi(string(state.payload))
	switch function {
	case "Get":
	case "Add":
		count++
		if _, err := ask(putState, append(field(1, key), field(2, strconv.Itoa(count))...)); err != nil {
			return refusal(err.Error())
		}
	default:
		return refusal(fmt.Sprintf("expected Add or Get, found %s", function))
	}
	return append(number(1, 200), field(3, strconv.Itoa(count))...)
}

func refusal(reason string) []byte { return append(number(1, 500), field(2, reason)...) }

// clientTLS reads what the peer has put there: key and certificate in Base64.
func clientTLS() (*tls.Config, error) {
	pair := make([][]byte, 2)
	for index, name := range []string{"CORE_TLS_CLIENT_CERT_PATH", "CORE_TLS_CLIENT_KEY_PATH"} {
		text, err := os.ReadFile(os.Getenv(name))
		if err != nil {
			return nil, err
		}
		if pair[index], err = base64.StdEncoding.DecodeString(string(text)); err != nil {
			return nil, err
		}
	}
	certificate, err := tls.X509KeyPair(pair[0], pair[1])
	if err != nil {
		return nil, err
	}
	root, err := os.ReadFile(os.Getenv("CORE_PEER_TLS_ROOTCERT_FILE"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		return nil, errors.New("expected the peer's certificate, found none")
	}
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}}, nil
}
