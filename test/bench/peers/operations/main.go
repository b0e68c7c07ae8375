// A webhook that writes its operations by hand.
package main

import (
	"fmt"
	"slices"

	"gomodules.xyz/jsonpatch/v2"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"kubectl-fabric.io/bench/peers/injection"
	"kubectl-fabric.io/bench/peers/server"
)

func main() { server.Run(answer) }

func answer(_ admission.Request, pod *corev1.Pod) admission.Response {
	if !injection.Wanted(pod) {
		return admission.Allowed("")
	}
	wanted, err := injection.Decide(pod)
	if err != nil {
		return admission.Denied(err.Error())
	}
	return admission.Patched("injected", operations(pod, wanted)...)
}

func operations(pod *corev1.Pod, wanted *injection.Injection) []jsonpatch.Operation {
	var list []jsonpatch.Operation
	do := func(operation, path string, value any) {
		list = append(list, jsonpatch.NewOperation(operation, path, value))
	}
	container := fmt.Sprintf("/spec/containers/%d", wanted.Peer)
	peer := pod.Spec.Containers[wanted.Peer]
	if len(peer.Env) == 0 {
		do("add", container+"/env", wanted.Environment)
	} else {
		for _, variable := range wanted.Environment {
			index := slices.IndexFunc(peer.Env, func(v corev1.EnvVar) bool { return v.Name == variable.Name })
			if index < 0 {
				do("add", container+"/env/-", variable)
			} else {
				do("replace", fmt.Sprintf("%s/env/%d", container, index), variable)
			}
		}
	}
	for _, index := range slices.Backward(wanted.Mounts) {
		do("remove", fmt.Sprintf("%s/volumeMounts/%d", container, index), nil)
	}
	if len(peer.VolumeMounts) == 0 {
		do("add", container+"/volumeMounts", []corev1.VolumeMount{wanted.Mount})
	} else {
		do("add", container+"/volumeMounts/-", wanted.Mount)
	}
	for _, index := range slices.Backward(wanted.Volumes) {
		do("remove", fmt.Sprintf("/spec/volumes/%d", index), nil)
	}
	if len(pod.Spec.Volumes) == 0 {
		do("add", "/spec/volumes", wanted.AddedVolumes)
	} else {
		for _, volume := range wanted.AddedVolumes {
			do("add", "/spec/volumes/-", volume)
		}
	}
	switch security := pod.Spec.SecurityContext; {
	case security == nil:
		do("add", "/spec/securityContext", corev1.PodSecurityContext{SupplementalGroups: []int64{injection.SocketGroup}})
	case len(security.SupplementalGroups) == 0:
		do("add", "/spec/securityContext/supplementalGroups", []int64{injection.SocketGroup})
	case !slices.Contains(security.SupplementalGroups, injection.SocketGroup):
		do("add", "/spec/securityContext/supplementalGroups/-", injection.SocketGroup)
	}
	if len(pod.Spec.InitContainers) == 0 {
		do("add", "/spec/initContainers", []corev1.Container{wanted.Sidecar})
	} else {
		do("add", "/spec/initContainers/0", wanted.Sidecar)
	}
	do("add", "/metadata/annotations/kubectl-fabric.io~1injected", wanted.Mark)
	return list
}
