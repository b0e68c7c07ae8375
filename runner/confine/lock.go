package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// holdLock takes the lock of a directory (flock(2)) and keeps it until the standard input ends, as it does with whoever holds its other
// end, however that one ends. Says "waiting" when somebody else has the lock, and "locked" as soon as it is ours.
func holdLock(directory string) error {
	opened, err := os.Open(directory)
	if err != nil {
		return err
	}
	// The runner still ends its chaincode when all are asked to end.
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	gone := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(gone)
	}()
	taken := make(chan error, 1)
	go func() { taken <- lock(int(opened.Fd())) }()
	select {
	case <-gone:
		return nil
	case err := <-taken:
		if err != nil {
			return err
		}
	}
	fmt.Println("locked")
	<-gone
	return nil
}

func lock(descriptor int) error {
	err := unix.Flock(descriptor, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		fmt.Println("waiting")
		err = unix.EINTR
	}
	for errors.Is(err, unix.EINTR) {
		err = unix.Flock(descriptor, unix.LOCK_EX)
	}
	return err
}
