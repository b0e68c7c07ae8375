import { readFileSync } from "node:fs";
import type { V1PodSpec, V1Volume, V1VolumeMount } from "@kubernetes/client-node";
import { oldestVersion, type ClusterFacts } from "./cluster.ts";
import type { InjectionRequest } from "./request.ts";
import { isOlder } from "./version.ts";

/** The volume of the Pod's imagePullSecrets, in the form that Docker's command line reads. */
export const pullSecretsVolume = "kubectl-fabric-pull-secrets";
export const pullSecretsDirectory = "/kubectl-fabric-pull-secrets";
/** Prefix of the volumes of images that contain archives, one volume each. */
export const archivesVolume = "kubectl-fabric-archives";
export const archivesDirectory = "/kubectl-fabric-archives";

/**
 * An image that cannot be pulled must not keep the peer from starting: the build that needs it reports the failure. Archives are files of
 * an image volume or, without image volumes, are read from an image that the daemon pulls.
 */
const preloadScript = readFileSync(new URL("./preload.sh", import.meta.url), "utf8");

/** The script's variable: image references, separated by spaces. */
const archivesVariable = "KUBECTL_FABRIC_ARCHIVES";

/** The images that a Pod needs before its peer starts, and how to load them. */
export interface Preload {
  /** A script for sh, whose arguments are the images; empty when there is nothing to do. */
  readonly script: string;
  readonly images: readonly string[];
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: readonly V1VolumeMount[];
  readonly volumes: readonly V1Volume[];
}

/** Plans the preloading. The credentials are mounted only where there is something to pull. */
export function preloadOf(request: InjectionRequest, spec: V1PodSpec, cluster: ClusterFacts): Preload {
  const { preload, preloadArchives } = request;
  const mounted = hasImageVolumes(cluster) ? preloadArchives : [];
  const pulled = hasImageVolumes(cluster) ? [] : preloadArchives;
  const secrets =
    preload.length + pulled.length === 0 ? [] : (spec.imagePullSecrets ?? []).flatMap(({ name }) => name ?? []);
  return {
    script: preload.length + preloadArchives.length === 0 ? "" : preloadScript,
    images: preload,
    environment: pulled.length === 0 ? [] : [{ name: archivesVariable, value: pulled.join(" ") }],
    mounts: [
      ...(secrets.length === 0 ? [] : [{ name: pullSecretsVolume, mountPath: pullSecretsDirectory, readOnly: true }]),
      ...mounted.map((_, index) => ({
        name: `${archivesVolume}-${index}`,
        mountPath: `${archivesDirectory}/${index}`,
        readOnly: true,
      })),
    ],
    volumes: [...secretVolumes(secrets), ...mounted.map(archiveVolume)],
  };
}

/**
 * Image volumes (KEP-4639) are on by default from 1.35. The kubelet pulls such an image with the Pod's own pull secrets and keeps it
 * for the next Pod of the node. When no version is known, the daemon pulls, which works everywhere.
 */
function hasImageVolumes(cluster: ClusterFacts): boolean {
  const version = oldestVersion(cluster);
  return version !== undefined && !isOlder(version, "1.35");
}

/** Optional, as they are for the kubelet: a Secret that is missing, or has the old form, must not keep a Pod from starting. */
function secretVolumes(secrets: readonly string[]): readonly V1Volume[] {
  const sources = secrets.map((name, index) => ({
    secret: { name, optional: true, items: [{ key: ".dockerconfigjson", path: `${index}/config.json` }] },
  }));
  return sources.length === 0 ? [] : [{ name: pullSecretsVolume, projected: { sources } }];
}

function archiveVolume(reference: string, index: number): V1Volume {
  return { name: `${archivesVolume}-${index}`, image: { reference, pullPolicy: "IfNotPresent" } };
}
