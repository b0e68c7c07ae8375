package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// become applies the policy to this process and replaces it by the command. It does not return.
func become(text string, command []string) {
	// The command inherits what the thread has that executes it.
	runtime.LockOSThread()
	policy, err := parsePolicy(text)
	if err != nil {
		fail(err)
	}
	program, err := exec.LookPath(command[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		fmt.Fprintf(os.Stderr, "confine: %v\n", err)
		os.Exit(exitNotFound)
	}
	preferAsVictim()
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, policy.Nice); err != nil {
		fail(fmt.Errorf("niceness %d: %w", policy.Nice, err))
	}
	if err := applyLimits(policy.Limits); err != nil {
		fail(err)
	}
	if err := applyLandlock(policy); err != nil {
		fail(err)
	}
	if err := applySeccomp(policy); err != nil {
		fail(err)
	}
	err = unix.Exec(program, command, os.Environ())
	fmt.Fprintf(os.Stderr, "confine: %s: %v\n", program, err)
	os.Exit(exitNotExecutable)
}

// preferAsVictim: when the container's memory ends, the kernel shall end this before the runner. Raising needs no privilege;
// where even that is forbidden the limits of memory still hold.
func preferAsVictim() {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
}
