package main

import (
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const auditArchitecture = unix.AUDIT_ARCH_AARCH64

var foreignCalls []bpf.Instruction

var oldByName []uint32

var oldAbsent []uint32
