package main

import (
	"flag"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// runAgent does on the node what a network plugin and a storage driver do on
// others: it enforces NetworkPolicies and provides volumes.
func runAgent(arguments []string) error {
	flags := flag.NewFlagSet("node-agent", flag.ExitOnError)
	kubeconfig := flags.String("kubeconfig", "", "how to reach the API server")
	directory := flags.String("volumes", "", "where volumes are directories")
	flags.Parse(arguments)
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return err
	}
	config.QPS, config.Burst = 100, 200
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	core := factory.Core().V1()
	policies := newPolicies(factory)
	volumes := newVolumes(client, factory, *directory)
	firewallChanges := changes(core.Pods().Informer(), core.Namespaces().Informer(), policies.informer())
	volumeChanges := changes(core.PersistentVolumeClaims().Informer(), core.PersistentVolumes().Informer(), factory.Storage().V1().StorageClasses().Informer())
	factory.Start(nil)
	factory.WaitForCacheSync(nil)
	go follow(volumeChanges, volumes.reconcile)
	follow(firewallChanges, policies.enforce)
	return nil
}

// changes tells that something changed, once for many changes.
func changes(informers ...cache.SharedIndexInformer) <-chan struct{} {
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	for _, informer := range informers {
		informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { notify() },
			UpdateFunc: func(any, any) { notify() },
			DeleteFunc: func(any) { notify() },
		})
	}
	return changed
}

// follow acts after each change and again after a failure, 20 times a second at most.
func follow(changed <-chan struct{}, act func() error) {
	for {
		if act() == nil {
			<-changed
		} else {
			time.Sleep(time.Second)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
