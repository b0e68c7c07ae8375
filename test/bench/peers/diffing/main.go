// A webhook in the way most are written: change the Pod, marshal it, and let the library find the difference.
package main

import (
	"encoding/json"
	"net/http"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"kubectl-fabric.io/bench/peers/injection"
	"kubectl-fabric.io/bench/peers/server"
)

func main() { server.Run(answer) }

func answer(request admission.Request, pod *corev1.Pod) admission.Response {
	if !injection.Wanted(pod) {
		return admission.Allowed("")
	}
	wanted, err := injection.Decide(pod)
	if err != nil {
		return admission.Denied(err.Error())
	}
	change(pod, wanted)
	marshalled, err := json.Marshal(pod)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, marshalled)
}

func change(pod *corev1.Pod, wanted *injection.Injection) {
	peer := &pod.Spec.Containers[wanted.Peer]
	for _, variable := range wanted.Environment {
		index := slices.IndexFunc(peer.Env, func(v corev1.EnvVar) bool { return v.Name == variable.Name })
		if index < 0 {
			peer.Env = append(peer.Env, variable)
		} else {
			peer.Env[index] = variable
		}
	}
	for _, index := range slices.Backward(wanted.Mounts) {
		peer.VolumeMounts = slices.Delete(peer.VolumeMounts, index, index+1)
	}
	peer.VolumeMounts = append(peer.VolumeMounts, wanted.Mount)
	for _, index := range slices.Backward(wanted.Volumes) {
		pod.Spec.Volumes = slices.Delete(pod.Spec.Volumes, index, index+1)
	}
	pod.Spec.Volumes = append(pod.Spec.Volumes, wanted.AddedVolumes...)
	if pod.Spec.SecurityContext == nil {
		pod.Spec.SecurityContext = &corev1.PodSecurityContext{}
	}
	security := pod.Spec.SecurityContext
	if !slices.Contains(security.SupplementalGroups, injection.SocketGroup) {
		security.SupplementalGroups = append(security.SupplementalGroups, injection.SocketGroup)
	}
	pod.Spec.InitContainers = slices.Insert(pod.Spec.InitContainers, 0, wanted.Sidecar)
	pod.Annotations[injection.Injected] = wanted.Mark
}
