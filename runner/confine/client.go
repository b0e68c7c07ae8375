package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
)

const defaultSocket = "/kubectl-fabric/docker.sock"

// client is as much of the docker command as reaches the runner from outside: what carries the Docker Engine API over exec, and the
// question whether it answers.
func client(arguments []string) int {
	socket := strings.TrimPrefix(os.Getenv("DOCKER_HOST"), "unix://")
	if len(arguments) >= 2 && (arguments[0] == "--host" || arguments[0] == "-H") {
		socket = strings.TrimPrefix(arguments[1], "unix://")
		arguments = arguments[2:]
	}
	if socket == "" {
		socket = defaultSocket
	}
	var err error
	switch {
	case slices.Equal(arguments, []string{"system", "dial-stdio"}):
		err = dialStdio(socket)
	case slices.Equal(arguments, []string{"info"}):
		err = info(socket)
	default:
		fmt.Fprintln(os.Stderr, "docker: chaincode runs without Docker here; expected \"info\" or \"system dial-stdio\"")
		return 2
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "docker: cannot reach the runner at unix://%s: %v\n", socket, err)
		return 1
	}
	return 0
}

// dialStdio ends with the runner's side; the end of the input is only passed on.
func dialStdio(socket string) error {
	connection, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer connection.Close()
	go func() {
		_, _ = io.Copy(connection, os.Stdin)
		_ = connection.(*net.UnixConn).CloseWrite()
	}()
	_, err = io.Copy(os.Stdout, connection)
	return err
}

func info(socket string) error {
	connection, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	defer connection.Close()
	if _, err := fmt.Fprint(connection, "GET /info HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"); err != nil {
		return err
	}
	answer := bufio.NewReader(connection)
	status, err := answer.ReadString('\n')
	if err != nil {
		return err
	}
	if !strings.HasPrefix(status, "HTTP/1.1 200 ") {
		return fmt.Errorf("expected 200, found %s", strings.TrimSpace(status))
	}
	for line := ""; err == nil && line != "\r\n"; {
		line, err = answer.ReadString('\n')
	}
	_, err = io.Copy(os.Stdout, answer)
	return err
}
