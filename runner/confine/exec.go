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
	if err := addNiceness(policy.Nice); err != nil {
		fail(err)
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

// addNiceness makes this nicer than the runner, which may itself be nicer than usual, as a kubelet's may be that was started so: less
// nice than that needs privilege. Beyond 19 the kernel takes 19.
func addNiceness(more int) error {
	// The call gives 20 less the niceness (getpriority(2), "C library/kernel differences").
	inverse, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return fmt.Errorf("niceness: %w", err)
	}
	niceness := 20 - inverse + more
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, niceness); err != nil {
		return fmt.Errorf("niceness %d: %w", niceness, err)
	}
	return nil
}

// preferAsVictim: when the container's memory ends, the kernel shall end this before the runner. Raising needs no privilege;
// where even that is forbidden the limits of memory still hold.
func preferAsVictim() {
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
}
