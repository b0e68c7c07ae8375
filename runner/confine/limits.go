package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// applyLimits sets soft and hard limits alike, so that nobody can raise them again.
func applyLimits(limits Limits) error {
	wanted := []struct {
		name     string
		resource int
		value    uint64
	}{
		{"memory", unix.RLIMIT_DATA, limits.DataBytes},
		{"file size", unix.RLIMIT_FSIZE, limits.FileBytes},
		{"tasks", unix.RLIMIT_NPROC, limits.Tasks},
		{"open files", unix.RLIMIT_NOFILE, limits.OpenFiles},
		{"CPU time", unix.RLIMIT_CPU, limits.CPUSeconds},
	}
	for _, limit := range wanted {
		if limit.value == 0 {
			continue
		}
		if err := lower(limit.resource, limit.value); err != nil {
			return fmt.Errorf("limit of %s: %w", limit.name, err)
		}
	}
	// A core file would hold keys.
	return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
}

// lower sets a limit, or keeps the stricter one that the container has already.
func lower(resource int, value uint64) error {
	var now unix.Rlimit
	if err := unix.Getrlimit(resource, &now); err != nil {
		return err
	}
	value = min(value, now.Max)
	return unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value})
}
