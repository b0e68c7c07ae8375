import { expect, test } from "vitest";
import { onSameCluster } from "../../../../plugin/commands/same-cluster.ts";

const all = { kubeconfig: "./my kube/config", context: "c", network: "trade" };

test.each([
  ["kubectl fabric init", 'kubectl fabric --kubeconfig "./my kube/config" --context c --network trade init'],
  ["kubectl -n org1 get pods", 'kubectl --kubeconfig "./my kube/config" --context c -n org1 get pods'],
  [
    "kubectl get pods -n org1; once it runs, kubectl fabric status",
    'kubectl --kubeconfig "./my kube/config" --context c get pods -n org1; once it runs, ' +
      'kubectl fabric --kubeconfig "./my kube/config" --context c --network trade status',
  ],
  ["kubectl --context c cluster-info", 'kubectl --kubeconfig "./my kube/config" --context c cluster-info'],
  [
    "kubectl config view --kubeconfig ./my kube/config",
    "kubectl --context c config view --kubeconfig ./my kube/config",
  ],
  // Theirs is another kubeconfig.
  ["the administrator of org2 types: kubectl fabric deploy-cc a", undefined],
  ["annotate its Pod template kubectl-fabric.io/inject: true", undefined],
  ["this is a defect of kubectl-fabric: please report it", undefined],
])("%s", (hint, typed = hint) => {
  expect(onSameCluster(hint, all)).toBe(typed);
  expect(onSameCluster(hint, {})).toBe(hint);
});
