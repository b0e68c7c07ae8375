package main

import (
	"fmt"
	"unsafe"

	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// Kernel says which rules there are.
type Kernel struct {
	// Landlock's ABI; 0 where there is none, or the container runtime forbids it.
	Landlock int  `json:"landlock"`
	Seccomp  bool `json:"seccomp"`
	// Missing names, in sentences, what a process could do that it should not.
	Missing []string `json:"missing"`
}

// Each ABI of Landlock added rights; without the right, nothing denies the deed (Documentation/userspace-api/landlock.rst).
var landlockRights = []struct {
	abi    int
	denies string
}{
	{1, "reading and writing files outside of its directory, and tracing other processes"},
	{2, "moving files between directories"},
	{3, "truncating files outside of its directory"},
	{4, "TCP connections to other ports than the chaincode port"},
	{5, "ioctl on devices"},
	{6, "signals to other processes, and abstract sockets"},
}

func checkKernel() Kernel {
	kernel := Kernel{Seccomp: hasSeccomp(), Missing: []string{}}
	if abi, err := ll.LandlockGetABIVersion(); err == nil {
		kernel.Landlock = abi
	}
	for _, right := range landlockRights {
		if kernel.Landlock < right.abi {
			kernel.Missing = append(kernel.Missing, fmt.Sprintf("nothing denies %s (Landlock ABI %d, found %d)", right.denies, right.abi, kernel.Landlock))
		}
	}
	if !kernel.Seccomp {
		kernel.Missing = append(kernel.Missing, "nothing denies the runner's socket, UDP, listening, io_uring, file names and shared memory (seccomp filters)")
	}
	return kernel
}

func hasSeccomp() bool {
	action := uint32(unix.SECCOMP_RET_ERRNO)
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&action)))
	return errno == 0
}
