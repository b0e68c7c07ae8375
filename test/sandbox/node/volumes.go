package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	storagelisters "k8s.io/client-go/listers/storage/v1"
)

// The in-tree provisioner (kubernetes.io/host-path) makes directories of root
// with mode 0750 below /tmp: Pods that do not run as root cannot use them, for
// fsGroup does not apply to hostPath. This one opens them to everybody before
// the volume exists for anybody.
const (
	provisioner = "sandbox.kubectl-fabric.io/directory"
	// Set by the volume controller when it is the provisioner's turn: at once,
	// or after the scheduler chose a node (WaitForFirstConsumer).
	chosenProvisioner = "volume.kubernetes.io/storage-provisioner"
	provisionedBy     = "pv.kubernetes.io/provisioned-by"
)

type volumes struct {
	client    kubernetes.Interface
	claims    corelisters.PersistentVolumeClaimLister
	volumes   corelisters.PersistentVolumeLister
	classes   storagelisters.StorageClassLister
	directory string
}

func newVolumes(client kubernetes.Interface, factory informers.SharedInformerFactory, directory string) volumes {
	core := factory.Core().V1()
	return volumes{client, core.PersistentVolumeClaims().Lister(), core.PersistentVolumes().Lister(), factory.Storage().V1().StorageClasses().Lister(), directory}
}

// reconcile makes each volume that is asked for and deletes each that nobody claims any more.
func (v volumes) reconcile() error {
	var failed error
	claims, _ := v.claims.List(labels.Everything())
	for _, claim := range claims {
		if claim.Spec.VolumeName == "" && claim.DeletionTimestamp == nil && claim.Annotations[chosenProvisioner] == provisioner {
			if err := v.provide(claim); err != nil {
				fmt.Fprintf(os.Stderr, "claim %s/%s: %v\n", claim.Namespace, claim.Name, err)
				failed = err
			}
		}
	}
	volumes, _ := v.volumes.List(labels.Everything())
	for _, volume := range volumes {
		released := volume.Status.Phase == corev1.VolumeReleased && volume.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete
		if released && volume.Annotations[provisionedBy] == provisioner {
			if err := v.remove(volume); err != nil {
				fmt.Fprintf(os.Stderr, "volume %s: %v\n", volume.Name, err)
				failed = err
			}
		}
	}
	return failed
}

func (v volumes) provide(claim *corev1.PersistentVolumeClaim) error {
	if claim.Spec.StorageClassName == nil {
		return nil
	}
	if claim.Spec.VolumeMode != nil && *claim.Spec.VolumeMode == corev1.PersistentVolumeBlock {
		return nil // a directory is no block device: the claim stays pending
	}
	class, err := v.classes.Get(*claim.Spec.StorageClassName)
	if err != nil {
		return err
	}
	name := "pvc-" + string(claim.UID)
	path := filepath.Join(v.directory, name)
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	if err := os.Chmod(path, 0o777); err != nil { // whatever the umask is
		return err
	}
	policy := corev1.PersistentVolumeReclaimDelete
	if class.ReclaimPolicy != nil {
		policy = *class.ReclaimPolicy
	}
	kind := corev1.HostPathDirectory
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{provisionedBy: provisioner}},
		Spec: corev1.PersistentVolumeSpec{
			StorageClassName:              class.Name,
			PersistentVolumeReclaimPolicy: policy,
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			ClaimRef:                      &corev1.ObjectReference{APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID},
			PersistentVolumeSource:        corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: path, Type: &kind}},
		},
	}
	_, err = v.client.CoreV1().PersistentVolumes().Create(context.Background(), volume, metav1.CreateOptions{})
	if errors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (v volumes) remove(volume *corev1.PersistentVolume) error {
	if err := os.RemoveAll(filepath.Join(v.directory, volume.Name)); err != nil {
		return err
	}
	err := v.client.CoreV1().PersistentVolumes().Delete(context.Background(), volume.Name, metav1.DeleteOptions{})
	if errors.IsNotFound(err) {
		return nil
	}
	return err
}
