package main

import (
	"encoding/json"
	"fmt"
)

// Policy is what one process and its descendants may do. The runner writes it (runner/confinement/policy.ts).
type Policy struct {
	// Required: fail rather than leave out what the kernel does not have.
	Required bool `json:"required"`
	// Read: files and directories that may be read and executed; those that do not exist are left out.
	Read []string `json:"read"`
	// Write: directories in which everything may be done but making sockets and devices.
	Write []string `json:"write"`
	// Ports: TCP ports that may be connected to, on any host.
	Ports []uint16 `json:"ports"`
	// Datagrams: whether UDP may be used.
	Datagrams bool `json:"datagrams"`
	// Attributes: whether modes, owners, times and extended attributes may be changed by file name.
	Attributes bool `json:"attributes"`
	// Nice is added to the niceness.
	Nice   int    `json:"nice"`
	Limits Limits `json:"limits"`
}

// Limits of each process; 0 is none.
type Limits struct {
	// DataBytes of private writable memory.
	DataBytes uint64 `json:"dataBytes"`
	// FileBytes that one file may have.
	FileBytes uint64 `json:"fileBytes"`
	// Tasks of the same user on this node, threads counted: the kernel counts them across containers.
	Tasks uint64 `json:"tasks"`
	// OpenFiles of one process.
	OpenFiles uint64 `json:"openFiles"`
	// CPUSeconds that a process may use in all.
	CPUSeconds uint64 `json:"cpuSeconds"`
}

func parsePolicy(text string) (Policy, error) {
	var policy Policy
	if err := json.Unmarshal([]byte(text), &policy); err != nil {
		return Policy{}, fmt.Errorf("expected a policy as JSON: %w", err)
	}
	return policy, nil
}
