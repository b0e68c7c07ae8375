import { sidecarName } from "../../injection/sidecar.ts";
import { newEngine, type Engine } from "../../docker/engine.ts";
import type { Cluster } from "../../kubernetes/cluster.ts";
import { lookIntoDaemon } from "./daemon-look.ts";
import { removeFromDaemon } from "./daemon-removal.ts";
import type { FactsReader } from "../judgement/facts.ts";
import type { PeerPod } from "../peers/peer-pod.ts";
import type { Place } from "./place.ts";

/** The daemons in the sidecars of running peers. Each is used by its peer alone. */
export function dindPlaces(cluster: Cluster, peers: readonly PeerPod[], facts: FactsReader): readonly Place[] {
  return peers
    .filter(({ docker, running }) => docker === "sidecar" && running)
    .map((peer) => ({
      source: "dind",
      name: `${peer.namespace}/${peer.pod}`,
      look: (age, signal) =>
        withSidecar(cluster, peer, signal, async (engine) => {
          const users = async () =>
            peer.owner ? [{ name: peer.name, owner: peer.owner, facts: await facts.of(peer, signal) }] : [];
          const place = `${peer.namespace}/${peer.pod}`;
          return lookIntoDaemon(engine, { source: "dind", place, users, own: true }, age, signal);
        }),
      remove: (finding, age, signal) =>
        withSidecar(cluster, peer, signal, (engine) => removeFromDaemon(engine, finding, age, signal)),
    }));
}

async function withSidecar<Result>(
  cluster: Cluster,
  { namespace, pod }: PeerPod,
  signal: AbortSignal,
  use: (engine: Engine) => Promise<Result>,
): Promise<Result> {
  const engine = newEngine(cluster, { namespace, pod, container: sidecarName }, signal);
  try {
    return await use(engine);
  } finally {
    engine.close();
  }
}
