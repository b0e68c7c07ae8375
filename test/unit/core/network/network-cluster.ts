import { Buffer } from "node:buffer";
import type { Cluster } from "../../../../core/kubernetes/cluster.ts";
import { initSteps } from "../../../../core/network/operations/init.ts";
import type { CaughtUp } from "../../../../core/network/workload/node-steps.ts";
import { networkFor } from "../../../../core/network/resources/network-request.ts";
import type { FabricNetwork } from "../../../../core/network/resources/spec.ts";
import type { RunReport } from "../../../../core/engine/report.ts";
import type { RunOptions } from "../../../../core/engine/run.ts";
import { runToEnd } from "../../../run-to-end.ts";
import {
  scriptedCluster,
  type ScriptedCluster,
  type ScriptedClusterOptions,
} from "../scripted-cluster/scripted-cluster.ts";
import type { WireObject } from "../scripted-cluster/stored-objects.ts";

/** The smallest network: an orderer and a peer, each of an organization of its own. */
export const small: FabricNetwork = networkFor({ orderers: 1, peerOrganizations: ["org1"] });

/** When certificates are issued. */
export const today = new Date("2026-01-01T00:00:00Z");

/** A cluster on which the webhook is installed. */
export async function clusterWithWebhook(options: ScriptedClusterOptions = {}): Promise<ScriptedCluster> {
  const cluster = await scriptedCluster(options);
  cluster.put(webhookRegistration);
  return cluster;
}

const webhookRegistration: WireObject = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "MutatingWebhookConfiguration",
  metadata: { name: "kubectl-fabric-webhook" },
  webhooks: [{ name: "inject.kubectl-fabric.io", clientConfig: { caBundle: "Y2E=" } }],
};

/** One `kubectl fabric init`, with a client of its own unless told. */
export function init(
  cluster: ScriptedCluster,
  network: FabricNetwork,
  { client = cluster.connect(), now = today, caughtUp = atOnce, ...options }: InitOptions = {},
): Promise<RunReport> {
  return runToEnd(
    initSteps(client, network, caughtUp, () => now),
    options,
  );
}

export interface InitOptions extends Omit<RunOptions, "now"> {
  readonly client?: Cluster;
  readonly now?: Date;
  /** At once unless told. */
  readonly caughtUp?: CaughtUp;
}

const atOnce: CaughtUp = () => Promise.resolve("restarted, has caught up");

/** The writes since the n-th, one line each. */
export const linesOf = (cluster: ScriptedCluster, since = 0): readonly string[] =>
  cluster.writes.slice(since).map(({ line }) => line);

export const nameOf = ({ kind, metadata: { namespace, name } }: WireObject): string =>
  [kind, [namespace, name].filter((part) => part !== undefined).join("/")].join(" ");

/** The text of a Secret's or ConfigMap's entry. */
export function entry(object: WireObject, key: string): string {
  const value = (object["data"] as Readonly<Record<string, string>> | undefined)?.[key];
  if (value === undefined) throw new Error(`expected ${key} in ${nameOf(object)}`);
  return object.kind === "Secret" ? Buffer.from(value, "base64").toString() : value;
}

/** The same objects, for comparing: without what differs from run to run (keys, certificates, what the server counts). */
export function comparable(objects: readonly WireObject[]): readonly object[] {
  return objects.map(({ metadata, ...object }) => {
    const { name, namespace, labels, annotations } = metadata;
    const secret = object.kind === "Secret" || name === "msp";
    const data = secret ? Object.keys(object["data"] as object).toSorted() : object["data"];
    return { ...object, data, metadata: { name, namespace, labels, annotations } };
  });
}
