package main

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Where the runner says what to do: 'T' asks all to end, the end of the file (the runner's own death, too) ends them.
const control = 3

const askToEnd = 'T'

// supervise is the init of one confined command: whatever it leaves behind, by double fork or setsid, becomes our child
// (PR_SET_CHILD_SUBREAPER) and is ended with it. Gives the exit code: the command's, or 128 and its signal.
func supervise(policy string, command []string) int {
	// PR_SET_PDEATHSIG counts the thread that forked.
	runtime.LockOSThread()
	syscall.CloseOnExec(control)
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fail(err)
	}
	child, err := syscall.ForkExec("/proc/self/exe", append([]string{"confine", "exec", policy}, command...), &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{0, 1, 2},
		Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		fail(err)
	}
	var once sync.Once
	end := func() { once.Do(func() { go endDescendants() }) }
	go obey(end)
	return reap(child, end)
}

func obey(end func()) {
	buffer := make([]byte, 1)
	for {
		n, err := syscall.Read(control, buffer)
		switch {
		case errors.Is(err, syscall.EINTR):
		case n == 1 && buffer[0] == askToEnd:
			for _, pid := range descendants(os.Getpid()) {
				_ = syscall.Kill(pid, syscall.SIGTERM)
			}
		case n <= 0:
			end()
			return
		}
	}
}

// reap waits until there is no child left: then there is no descendant, for each orphan becomes our child.
func reap(child int, end func()) int {
	code := exitUnconfined
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return code
		}
		if pid == child {
			code = exitCode(status)
			end()
		}
	}
}

func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// endDescendants stops them all first, so that none forks while the others are killed, and goes on until reap has ended the process.
func endDescendants() {
	for {
		seen := map[int]bool{}
		for fresh := true; fresh; {
			fresh = false
			for _, pid := range descendants(os.Getpid()) {
				if !seen[pid] {
					seen[pid], fresh = true, true
					_ = syscall.Kill(pid, syscall.SIGSTOP)
				}
			}
		}
		for pid := range seen {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
