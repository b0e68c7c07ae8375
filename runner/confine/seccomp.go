package main

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Landlock (up to ABI 8) lets every process connect to sockets of the file system, use UDP and other protocols than plain TCP, and
// connect by the first packet of TCP Fast Open, and listen without a name. Memory that is shared counts for no process. A seccomp filter closes
// these. It needs no privilege besides no_new_privs, which Landlock's rules have set.

// Offsets in struct seccomp_data; of arguments the lower half, which is all that the kernel takes of an int.
const (
	callNumber   = 0
	architecture = 4
	firstArg     = 16
)

func argument(n uint32) bpf.Instruction {
	return bpf.LoadAbsolute{Off: firstArg + 8*n, Size: 4}
}

func refuse(errno unix.Errno) bpf.Instruction {
	return bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(errno)}
}

var allow = bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}

// Programs fall back to something else when these do not exist.
var absent = append([]uint32{
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER, // does socket work of its own, unseen by filters
	unix.SYS_MEMFD_CREATE, unix.SYS_MEMFD_SECRET,
	unix.SYS_CLONE3, // its flags are out of a filter's sight: C libraries take clone then
	// They tell the names of files to whoever may not list them (Landlock does not see them), and names are what is kept secret.
	unix.SYS_INOTIFY_INIT1, unix.SYS_INOTIFY_ADD_WATCH, unix.SYS_FANOTIFY_INIT, unix.SYS_FANOTIFY_MARK,
}, oldAbsent...)

var forbidden = []uint32{
	unix.SYS_SHMGET, unix.SYS_SEMGET, unix.SYS_MSGGET, unix.SYS_MQ_OPEN,
	unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
	unix.SYS_UNSHARE, unix.SYS_SETNS, unix.SYS_MOUNT, unix.SYS_PIVOT_ROOT, unix.SYS_OPEN_BY_HANDLE_AT,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
	// Landlock sees bind, and a socket that was never bound gets a port of the kernel's choice when it listens.
	unix.SYS_LISTEN, unix.SYS_ACCEPT, unix.SYS_ACCEPT4,
}

// Landlock does not see who changes modes, owners, times and attributes by name, and everything here has the same user. What is open
// may be changed all the same (fchmod): opening is what Landlock denies.
var byName = append([]uint32{
	unix.SYS_FCHMODAT, unix.SYS_FCHMODAT2, unix.SYS_FCHOWNAT,
	unix.SYS_SETXATTR, unix.SYS_LSETXATTR, unix.SYS_REMOVEXATTR, unix.SYS_LREMOVEXATTR, unix.SYS_SETXATTRAT, unix.SYS_REMOVEXATTRAT,
}, oldByName...)

func applySeccomp(policy Policy) error {
	err := installFilter(policy)
	if err != nil && policy.Required {
		return fmt.Errorf("seccomp: %w", err)
	}
	return nil
}

func installFilter(policy Policy) error {
	program, err := bpf.Assemble(filter(policy))
	if err != nil {
		return err
	}
	raw := make([]unix.SockFilter, len(program))
	for i, one := range program {
		raw[i] = unix.SockFilter{Code: one.Op, Jt: one.Jt, Jf: one.Jf, K: one.K}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	fprog := unix.SockFprog{Len: uint16(len(raw)), Filter: &raw[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	runtime.KeepAlive(raw)
	if errno != 0 {
		return errno
	}
	return nil
}

func filter(policy Policy) []bpf.Instruction {
	rules := []bpf.Instruction{
		bpf.LoadAbsolute{Off: architecture, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: auditArchitecture, SkipTrue: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS},
		bpf.LoadAbsolute{Off: callNumber, Size: 4},
	}
	rules = append(rules, foreignCalls...)
	for _, number := range absent {
		rules = append(rules, on(number, refuse(unix.ENOSYS))...)
	}
	for _, number := range forbidden {
		rules = append(rules, on(number, refuse(unix.EPERM))...)
	}
	if !policy.Attributes {
		for _, number := range byName {
			rules = append(rules, on(number, refuse(unix.EPERM))...)
		}
		rules = append(rules, on(unix.SYS_UTIMENSAT, onlyOpen()...)...)
	}
	rules = append(rules, on(unix.SYS_SOCKET, sockets(policy.Datagrams)...)...)
	rules = append(rules, on(unix.SYS_MMAP, sharedMemory()...)...)
	rules = append(rules, on(unix.SYS_CLONE, unless(0, unix.CLONE_NEWUSER, unix.EPERM)...)...)
	rules = append(rules, on(unix.SYS_SENDTO, unless(3, unix.MSG_FASTOPEN, unix.EOPNOTSUPP)...)...)
	rules = append(rules, on(unix.SYS_SENDMSG, unless(2, unix.MSG_FASTOPEN, unix.EOPNOTSUPP)...)...)
	rules = append(rules, on(unix.SYS_SENDMMSG, unless(3, unix.MSG_FASTOPEN, unix.EOPNOTSUPP)...)...)
	return append(rules, allow)
}

// on puts a body, which must end by a verdict, behind the question for one call. The call's number stays loaded for the next one.
func on(number uint32, body ...bpf.Instruction) []bpf.Instruction {
	question := bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: number, SkipTrue: uint8(len(body))}
	return append([]bpf.Instruction{question}, body...)
}

// unless allows a call whose n-th argument has none of the bits.
func unless(n uint32, bits uint32, errno unix.Errno) []bpf.Instruction {
	return []bpf.Instruction{
		argument(n),
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: bits, SkipFalse: 1},
		refuse(errno),
		allow,
	}
}

// sharedMemory refuses memory that several processes share and no file holds: it stays when those who have used it are gone, and
// counts for nobody (RLIMIT_DATA, resident memory).
func sharedMemory() []bpf.Instruction {
	return []bpf.Instruction{
		argument(3),
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: unix.MAP_SHARED | unix.MAP_ANONYMOUS},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.MAP_SHARED | unix.MAP_ANONYMOUS, SkipFalse: 1},
		refuse(unix.EACCES),
		allow,
	}
}

// onlyOpen allows utimensat without a name: that is futimens, of an open file.
func onlyOpen() []bpf.Instruction {
	return []bpf.Instruction{
		argument(1),
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 3},
		bpf.LoadAbsolute{Off: firstArg + 8 + 4, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 1},
		allow,
		refuse(unix.EPERM),
	}
}

// sockets allows plain TCP, the kernel's list of interfaces (which resolvers ask for), and UDP when told. socketpair is another call.
func sockets(datagrams bool) []bpf.Instruction {
	other := []bpf.Instruction{refuse(unix.EACCES)}
	if datagrams {
		other = []bpf.Instruction{
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SOCK_DGRAM, SkipTrue: 1},
			allow,
			refuse(unix.EACCES),
		}
	}
	family := []bpf.Instruction{
		argument(0),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET, SkipTrue: 6},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET6, SkipTrue: 5},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.AF_NETLINK, SkipTrue: 3},
		argument(2),
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.NETLINK_ROUTE, SkipTrue: 1},
		allow,
		refuse(unix.EACCES),
	}
	// Type without its flags.
	kind := []bpf.Instruction{
		argument(1),
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SOCK_STREAM, SkipTrue: uint8(len(other))},
	}
	protocol := []bpf.Instruction{
		argument(2),
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.IPPROTO_TCP, SkipTrue: 1},
		allow,
		refuse(unix.EPROTONOSUPPORT),
	}
	return slices.Concat(family, kind, other, protocol)
}
