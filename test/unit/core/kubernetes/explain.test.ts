import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import type { CoreV1Event, V1PersistentVolumeClaim, V1Pod } from "../../../../core/kubernetes/client-node.ts";
import { explainController, explainPod, type PodProblem } from "../../../../core/kubernetes/explain.ts";
import { fromWire } from "../../../../core/kubernetes/serialization.ts";
import { typedAs, typedHint } from "../../../typed-as.ts";
import { typed } from "../../../../plugin/terminal/remedy.ts";

interface Case {
  readonly name: string;
  readonly pod: V1Pod;
  readonly events?: readonly CoreV1Event[];
  readonly claims?: readonly V1PersistentVolumeClaim[];
  readonly problem: PodProblem | null;
}

const golden = new URL("golden/explain.yaml", import.meta.url);
const cases = parseAllDocuments(readFileSync(golden, "utf8")).map((document) => fromWire(document.toJS()) as Case);

describe("explainPod", () => {
  test.each(cases)("$name", ({ pod, events, claims, problem }) => {
    const found = explainPod(pod, events, claims);
    const hint = found?.hint === undefined ? {} : { hint: typed(found.hint) };
    expect(found ? { ...found, ...hint } : null).toEqual(problem);
  });
});

describe("explainController", () => {
  const refused = (message: string, type = "Warning", reason = "FailedCreate"): CoreV1Event => ({
    type,
    reason,
    message,
    metadata: {},
    involvedObject: { kind: "StatefulSet", name: "peer0", namespace: "org1" },
  });

  test("no event, no problem", () => {
    expect(explainController([])).toBeUndefined();
    expect(explainController([refused("x", "Normal", "SuccessfulCreate")])).toBeUndefined();
  });

  test("an admission webhook that refuses is named", () => {
    const message =
      'create Pod peer0-0 in StatefulSet peer0 failed error: admission webhook "dind.kubectl-fabric.io" denied the request: no';
    expect(explainController([refused(message)])).toEqual({
      text: message,
      hint: "the admission webhook dind.kubectl-fabric.io refuses the Pod",
      final: false,
    });
  });

  test("Pod Security gets the label to set", () => {
    const problem = explainController([
      refused('pods "peer0-0" is forbidden: violates PodSecurity "baseline:latest": privileged'),
    ]);
    expect(typedHint(problem)).toBe(
      "allow it: kubectl label namespace org1 --overwrite pod-security.kubernetes.io/enforce=privileged",
    );
  });

  test("a quota is told as it is", () => {
    const message = 'pods "peer0-0" is forbidden: exceeded quota: small, requested: cpu=1';
    expect(explainController([refused(message)])).toMatchObject({
      text: message,
      hint: typedAs("kubectl describe resourcequota -n org1"),
    });
  });
});
