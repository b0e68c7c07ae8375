// Package server runs a peer's handler as controller-runtime does: HTTPS, metrics in Prometheus' form, a JSON log line a review.
package server

import (
	"context"
	"flag"
	"net/http"
	"os"

	"github.com/go-logr/zapr"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	"sigs.k8s.io/controller-runtime/pkg/webhook"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Answer decides on one Pod's review.
type Answer func(request admission.Request, pod *corev1.Pod) admission.Response

// Run serves until a signal.
func Run(answer Answer) {
	port := flag.Int("port", 0, "port of HTTPS")
	metricsAddress := flag.String("metrics", "127.0.0.1:0", "address of /metrics")
	certificates := flag.String("certificates", "", "directory with tls.crt and tls.key")
	flag.Parse()

	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	log := zapr.NewLogger(zap.New(zapcore.NewCore(encoder, zapcore.Lock(os.Stdout), zapcore.InfoLevel)))
	ctrl.SetLogger(log)

	scheme := runtime.NewScheme()
	must(corev1.AddToScheme(scheme))
	decoder := admission.NewDecoder(scheme)
	handle := func(_ context.Context, request admission.Request) admission.Response {
		pod := &corev1.Pod{}
		if err := decoder.Decode(request, pod); err != nil {
			return admission.Errored(http.StatusBadRequest, err)
		}
		response := answer(request, pod)
		name := pod.Name
		if name == "" {
			name = pod.GenerateName + "*"
		}
		log.Info("reviewed", "uid", request.UID, "namespace", request.Namespace, "pod", name, "allowed", response.Allowed)
		return response
	}

	server := webhook.NewServer(webhook.Options{Host: "127.0.0.1", Port: *port, CertDir: *certificates})
	server.Register("/inject", &admission.Webhook{Handler: admission.HandlerFunc(handle)})
	go func() {
		must(http.ListenAndServe(*metricsAddress, promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{})))
	}()
	must(server.Start(ctrl.SetupSignalHandler()))
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
