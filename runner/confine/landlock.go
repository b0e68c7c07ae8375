package main

import (
	"fmt"
	"os"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

const (
	readFile      landlock.AccessFSSet = ll.AccessFSExecute | ll.AccessFSReadFile
	readDirectory landlock.AccessFSSet = readFile | ll.AccessFSReadDir
	// No sockets and no devices: nobody is to listen where others look for a service.
	writeDirectory landlock.AccessFSSet = readDirectory | ll.AccessFSWriteFile | ll.AccessFSTruncate | ll.AccessFSRefer |
		ll.AccessFSRemoveDir | ll.AccessFSRemoveFile | ll.AccessFSMakeDir | ll.AccessFSMakeReg | ll.AccessFSMakeSym | ll.AccessFSMakeFifo
)

// What programs expect to be there: no harm in any. A mapping of /dev/zero that may be written would be shared memory that counts for nobody.
var (
	writableDevices = []string{"/dev/null", "/dev/full"}
	readableDevices = []string{"/dev/zero", "/dev/random", "/dev/urandom"}
)

// applyLandlock takes from this process all files, TCP ports, signals and abstract sockets but those of the policy; also ptrace of
// processes outside, and with it their memory, environment and open files in /proc.
func applyLandlock(policy Policy) error {
	rules := []landlock.Rule{
		landlock.RWFiles(writableDevices...).IgnoreIfMissing(),
		landlock.ROFiles(readableDevices...).IgnoreIfMissing(),
	}
	for _, path := range policy.Read {
		if rule, found := readRule(path); found {
			rules = append(rules, rule)
		}
	}
	for _, path := range policy.Write {
		rules = append(rules, landlock.PathAccess(writeDirectory, path))
	}
	for _, port := range policy.Ports {
		rules = append(rules, landlock.ConnectTCP(port))
	}
	config := landlock.V6
	if !policy.Required {
		config = config.BestEffort()
	}
	if err := config.Restrict(rules...); err != nil {
		return fmt.Errorf("Landlock: %w", err)
	}
	return nil
}

func readRule(path string) (landlock.Rule, bool) {
	about, err := os.Stat(path)
	if err != nil {
		return nil, false
	}
	if about.IsDir() {
		return landlock.PathAccess(readDirectory, path), true
	}
	return landlock.PathAccess(readFile, path), true
}
