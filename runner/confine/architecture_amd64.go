package main

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const auditArchitecture = unix.AUDIT_ARCH_X86_64

// The x32 calls have numbers of their own, above this bit.
var foreignCalls = []bpf.Instruction{
	bpf.JumpIf{Cond: bpf.JumpLessThan, Val: 0x40000000, SkipTrue: 1},
	bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS},
}

// Calls that newer architectures never had.
var oldByName = []uint32{unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_LCHOWN, unix.SYS_UTIME, unix.SYS_UTIMES, unix.SYS_FUTIMESAT}

var oldAbsent = []uint32{unix.SYS_INOTIFY_INIT}
