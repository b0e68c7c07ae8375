// Package injection decides, for the webhooks that ours is measured against, what ours decides for a Fabric peer with default
// settings: the same checks in the same order as far as such a Pod meets them, and the same resulting Pod.
package injection

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

const (
	prefix          = "kubectl-fabric.io/"
	Inject          = prefix + "inject"
	Injected        = prefix + "injected"
	peerAnnotation  = prefix + "peer-container"
	sidecar         = "kubectl-fabric-dind"
	socketVolume    = "kubectl-fabric-socket"
	graphVolume     = "kubectl-fabric-graph"
	socketDirectory = "/kubectl-fabric"
	endpoint        = "unix:///kubectl-fabric/docker.sock"
	SocketGroup     = int64(7052)
)

var (
	starts    = regexp.MustCompile(`(?:^|[\s;&|(/"'])peer\s+node\s+start(?:$|[\s;&|)"'])`)
	peerImage = regexp.MustCompile(`(?:^|-)peer$`)
)

// command of the daemon, which takes the graph's lock before it starts.
var command = []string{
	"sh", "-c",
	`# $0: the lock's file, beside the graph; "$@": the daemon.
trap 'exit 143' TERM
exec 9>>"$0"
waited=0
while command -v flock >/dev/null && ! flock -n 9 && [ "$waited" -lt 90 ]; do
  [ "$waited" -gt 0 ] || echo "kubectl-fabric: waits for the daemon before, which still uses this graph" >&2
  waited=$((waited + 1))
  sleep 1
done
trap - TERM
exec "$@"
`,
	"/var/lib/docker/kubectl-fabric.lock", "dockerd-entrypoint.sh",
}

// arguments of the daemon, with the MTU of this machine's eth0 where there is one.
var arguments = func() []string {
	list := []string{
		"dockerd", "--host=" + endpoint, "--group=7052", "--data-root=/var/lib/docker/data", "--storage-driver=overlay2",
	}
	if mtu, err := os.ReadFile("/sys/class/net/eth0/mtu"); err == nil {
		list = append(list, "--mtu="+strings.TrimSpace(string(mtu)))
	}
	return list
}()

// Injection is what one Pod needs. Indices are those of the Pod as it came.
type Injection struct {
	Peer         int
	Environment  []corev1.EnvVar
	Mount        corev1.VolumeMount
	Mounts       []int
	Volumes      []int
	AddedVolumes []corev1.Volume
	Sidecar      corev1.Container
	Mark         string
}

// Wanted tells whether a Pod asks for injection.
func Wanted(pod *corev1.Pod) bool {
	return pod.Annotations[Inject] == "true" && pod.Annotations[Injected] == ""
}

// Decide finds out what a Pod needs.
func Decide(pod *corev1.Pod) (*Injection, error) {
	for key := range pod.Annotations {
		if strings.HasPrefix(key, prefix) && key != Inject && key != peerAnnotation {
			return nil, fmt.Errorf("%s is not an annotation of kubectl-fabric", key)
		}
	}
	if pod.Spec.HostNetwork || pod.Spec.HostPID {
		return nil, errors.New("the daemon would reach beyond the Pod")
	}
	peer, err := findPeer(pod)
	if err != nil {
		return nil, err
	}
	for _, container := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		if container.Name == sidecar {
			return nil, fmt.Errorf("%s is a name of the injection's own", sidecar)
		}
	}
	injection := &Injection{
		Peer: peer,
		Environment: []corev1.EnvVar{
			{Name: "CORE_VM_ENDPOINT", Value: endpoint},
			{Name: "CORE_PEER_CHAINCODEADDRESS", Value: "localhost:7052"},
			{Name: "CORE_PEER_CHAINCODELISTENADDRESS", Value: "localhost:7052"},
			{Name: "CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE", Value: "host"},
		},
		Mount:        corev1.VolumeMount{Name: socketVolume, MountPath: socketDirectory, ReadOnly: true},
		AddedVolumes: volumes(),
		Sidecar:      container(),
	}
	injection.sockets(pod)
	content, err := json.Marshal([]any{injection.Sidecar, injection.AddedVolumes, injection.Environment})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(content)
	injection.Mark = "0.0.0/" + hex.EncodeToString(sum[:])[:12]
	return injection, nil
}

func findPeer(pod *corev1.Pod) (int, error) {
	containers := pod.Spec.Containers
	if named := pod.Annotations[peerAnnotation]; named != "" {
		if index := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == named }); index >= 0 {
			return index, nil
		}
		return 0, fmt.Errorf("no container is called %s", named)
	}
	signs := []func(c corev1.Container) bool{
		func(c corev1.Container) bool {
			return starts.MatchString(strings.Join(slices.Concat(c.Command, c.Args), " "))
		},
		func(c corev1.Container) bool {
			repository, _, _ := strings.Cut(path.Base(c.Image), ":")
			return peerImage.MatchString(repository)
		},
		func(c corev1.Container) bool {
			return slices.ContainsFunc(c.Env, func(v corev1.EnvVar) bool {
				return v.Name == "CORE_PEER_ID" || v.Name == "CORE_PEER_ADDRESS"
			})
		},
	}
	for _, sign := range signs {
		var found []int
		for index, container := range containers {
			if sign(container) {
				found = append(found, index)
			}
		}
		if len(found) == 1 {
			return found[0], nil
		}
		if len(found) > 1 {
			return 0, errors.New("several containers look like a Fabric peer")
		}
	}
	return 0, errors.New("no container looks like a Fabric peer")
}

func (i *Injection) sockets(pod *corev1.Pod) {
	names := map[string]bool{}
	for index, volume := range pod.Spec.Volumes {
		if volume.HostPath == nil {
			continue
		}
		source := path.Clean(volume.HostPath.Path)
		if source == "/var/run" || source == "/run" || strings.HasSuffix(source, "/docker.sock") {
			names[volume.Name] = true
			i.Volumes = append(i.Volumes, index)
		}
	}
	for index, mount := range pod.Spec.Containers[i.Peer].VolumeMounts {
		if names[mount.Name] {
			i.Mounts = append(i.Mounts, index)
		}
	}
}

func volumes() []corev1.Volume {
	limit := resource.MustParse("10Gi")
	return []corev1.Volume{
		{Name: socketVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: graphVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &limit}}},
	}
}

func container() corev1.Container {
	always := corev1.ContainerRestartPolicyAlways
	return corev1.Container{
		Name:          sidecar,
		Image:         "docker.io/library/docker:28-dind",
		Command:       command,
		Args:          arguments,
		Env:           []corev1.EnvVar{{Name: "DOCKER_HOST", Value: endpoint}},
		RestartPolicy: &always,
		Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("256Mi")},
			Limits:   corev1.ResourceList{"cpu": resource.MustParse("2"), "memory": resource.MustParse("2Gi")},
		},
		SecurityContext: &corev1.SecurityContext{
			RunAsUser: new(int64(0)), RunAsGroup: new(int64(0)), RunAsNonRoot: new(false), ReadOnlyRootFilesystem: new(false),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeUnconfined},
			Privileged:     new(true), AllowPrivilegeEscalation: new(true),
		},
		StartupProbe: &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"docker", "info"}}},
			PeriodSeconds: 1, TimeoutSeconds: 5, FailureThreshold: 120,
		},
		VolumeMounts: []corev1.VolumeMount{
			{Name: socketVolume, MountPath: socketDirectory},
			{Name: graphVolume, MountPath: "/var/lib/docker"},
		},
	}
}
