// Command confine starts chaincode and its builds without privilege: each process gets rules of the kernel (Landlock, seccomp,
// resource limits) that it cannot take off, and an init that ends all of its descendants with it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

const usage = `usage:
  confine check                        print as JSON which of the rules this kernel has
  confine run POLICY COMMAND [ARG...]  be the init of a confined command; ends it when file descriptor 3 ends
  confine exec POLICY COMMAND [ARG...] become a confined command
  confine lock DIRECTORY               keep the directory's lock until standard input ends
  docker [--host unix://PATH] system dial-stdio | info
                                       under the name docker: connect standard input and output with the runner, or ask for it
`

// Exit codes of a shell: what could not be confined, executed, found.
const (
	exitUnconfined    = 125
	exitNotExecutable = 126
	exitNotFound      = 127
)

func main() {
	if filepath.Base(os.Args[0]) == "docker" {
		os.Exit(client(os.Args[1:]))
	}
	arguments := os.Args[1:]
	switch {
	case len(arguments) == 1 && arguments[0] == "check":
		if err := json.NewEncoder(os.Stdout).Encode(checkKernel()); err != nil {
			fail(err)
		}
	case len(arguments) >= 3 && arguments[0] == "run":
		os.Exit(supervise(arguments[1], arguments[2:]))
	case len(arguments) >= 3 && arguments[0] == "exec":
		become(arguments[1], arguments[2:])
	case len(arguments) == 2 && arguments[0] == "lock":
		if err := holdLock(arguments[1]); err != nil {
			fail(err)
		}
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "confine: %v\n", err)
	os.Exit(exitUnconfined)
}
