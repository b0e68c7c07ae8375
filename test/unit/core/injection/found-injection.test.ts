// A Pod that says it was injected: whoever writes the Pod writes that, too.
import type { V1Pod } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { annotationKeys } from "../../../../core/injection/annotations.ts";
import { injectPod } from "../../../../core/injection/inject.ts";
import {
  changed,
  completed,
  context,
  contextOf,
  dind,
  forgeries,
  injected,
  named,
  old,
  peerPod,
  todaysCluster,
  wholeAnnotations,
} from "./forgeries.ts";

describe("what is not as it would be is refused", () => {
  test.each(forgeries)("%s", (_, forge, named) => {
    const outcome = injectPod(changed(injected(peerPod(wholeAnnotations)), forge), context);
    expect(outcome).toMatchObject({ kind: "denied", reason: "altered-injection", status: 403 });
    expect(outcome).toHaveProperty("message", expect.stringContaining(named));
  });

  test.each([
    [
      "the hook that holds back the peer",
      (pod: V1Pod) => (named(pod, dind).lifecycle = { postStart: { exec: { command: ["evil"] } } }),
      "lifecycle",
    ],
    [
      "a port of the node",
      (pod: V1Pod) => (named(pod, dind).ports = [{ containerPort: 10_250, hostPort: 10_250 }]),
      "ports",
    ],
    ["a message", (pod: V1Pod) => (named(pod, dind).terminationMessagePath = "/x"), "terminationMessagePath"],
    ["a native sidecar", (pod: V1Pod) => (named(pod, dind).restartPolicy = "Always"), "restartPolicy"],
  ])("on a cluster without native sidecars: %s", (_, forge, field) => {
    const outcome = injectPod(changed(injected(peerPod(), old), forge), old);
    expect(outcome).toHaveProperty("message", expect.stringContaining(`${field} of ${dind}`));
  });

  test("a sidecar that nobody planned", () => {
    const whole = injected(peerPod(wholeAnnotations));
    const forged = changed(whole, (pod) => delete pod.metadata!.annotations![annotationKeys.chaincodeIdle]);
    expect(injectPod(forged, context)).toHaveProperty("message", expect.stringContaining("kubectl-fabric-idle"));
  });

  test.each([
    ["the injection's own name beside a daemon of the Pod's", {}, "own-daemon"],
    ["names without the mark", { [annotationKeys.injected]: undefined }, "reserved"],
  ])("%s", (_, marks, kind) => {
    const forged = changed(injected(peerPod()), (pod) => {
      pod.metadata!.annotations = JSON.parse(
        JSON.stringify(Object.assign({}, pod.metadata!.annotations, marks)),
      ) as Record<string, string>;
      if (kind === "own-daemon")
        pod.spec!.containers.push({
          name: "mine",
          image: "docker:28-dind",
          args: ["dockerd", "--host=tcp://127.0.0.1:2375"],
        });
    });
    expect(injectPod(forged, context)).toMatchObject({ kind: "denied", reason: "reserved-name" });
  });

  test("an ordinary container that mounts our volumes before there are any", () => {
    const mounts = [
      "kubectl-fabric-socket",
      "kubectl-fabric-graph",
      "kubectl-fabric-archives-0",
      "kubectl-fabric-pull-secrets",
    ];
    const outcomes = mounts.flatMap((name) => {
      const mounted = changed(peerPod(), (pod) => (named(pod, "couchdb").volumeMounts = [{ name, mountPath: "/x" }]));
      const first = changed(
        peerPod(),
        (pod) => (pod.spec!.initContainers = [{ name: "a", volumeMounts: [{ name, mountPath: "/x" }] }]),
      );
      const device = changed(peerPod(), (pod) => (named(pod, "couchdb").volumeDevices = [{ name, devicePath: "/x" }]));
      return [mounted, first, device].map((pod) => injectPod(pod, context));
    });
    expect(outcomes).toEqual(outcomes.map(() => expect.objectContaining({ kind: "denied", reason: "reserved-name" })));
  });
});

describe("what others add in good faith is no forgery", () => {
  test.each([
    ["everything", wholeAnnotations, context],
    ["a claim", { [annotationKeys.storage]: "pvc:images" }, context],
    ["the runner", { [annotationKeys.profile]: "restricted" }, context],
    ["an old cluster", {}, old],
  ] as const)("%s", (_, annotations, given) => {
    const before = completed(injected(peerPod(annotations), given));
    const outcome = injectPod(before, given);
    expect(outcome).not.toHaveProperty("reason", "altered-injection");
    expect(injectPod(outcome.pod!, given).kind).toBe("untouched");
    expect(outcome.pod?.spec).toEqual(before.spec);
  });

  test("an AppArmor profile that the Pod gets afterwards", () => {
    const pod = changed(injected(peerPod()), ({ spec }) => {
      if (spec?.securityContext) spec.securityContext.appArmorProfile = { type: "RuntimeDefault" };
    });
    expect(injectPod(pod, context)).toMatchObject({ kind: "untouched" });
  });

  test("a manifest that was injected without knowing the cluster", () => {
    const archives = { [annotationKeys.preloadArchives]: "example.com/archive:1" };
    const pod = injected(peerPod(archives), contextOf({}));
    expect(injectPod(pod, context)).toMatchObject({ kind: "untouched" });
  });

  test("the service account's pull secrets, which a manifest does not know", () => {
    const manifest = peerPod(wholeAnnotations);
    delete manifest.spec!.imagePullSecrets;
    const pod = changed(injected(manifest), (copy) => (copy.spec!.imagePullSecrets = [{ name: "late" }]));
    expect(injectPod(pod, context)).toMatchObject({ kind: "untouched" });
  });

  test("an image that the operator allows, in place of the default; the mark says what is there", () => {
    const pod = injected(peerPod());
    const moved = changed(pod, (copy) => (named(copy, dind).image = "mirror.local/docker:28-dind"));
    expect(injectPod(moved, context)).toMatchObject({ reason: "altered-injection" });
    const allowing = contextOf(todaysCluster, {
      images: {
        privileged: {
          default: "docker.io/library/docker:28-dind",
          allowed: ["docker.io/library/docker:*", "mirror.local/docker:*"],
        },
      },
    });
    const outcome = injectPod(moved, allowing);
    expect(outcome.pod?.metadata?.annotations?.[annotationKeys.injected]).not.toBe(
      pod.metadata?.annotations?.[annotationKeys.injected],
    );
    expect(injectPod(outcome.pod!, allowing)).toMatchObject({ kind: "untouched" });
  });
});

test("a mark that somebody else wrote is written anew", () => {
  const pod = injected(peerPod());
  const mark = pod.metadata!.annotations![annotationKeys.injected];
  const forged = changed(pod, (copy) => (copy.metadata!.annotations![annotationKeys.injected] = "1.0.0/000000000000"));
  const outcome = injectPod(forged, context);
  expect(outcome.kind).toBe("injected");
  expect(outcome.pod).toEqual(pod);
  expect(mark).toMatch(/^1\.0\.0\/[0-9a-f]{12}$/);
});
