/** What an image is made of: data only, so that its key says when it has to be made again. */
export interface ImageRecipe {
  /** Name of the archive and on the command line. */
  readonly name: string;
  readonly tags: readonly string[];
  /** Which public image this takes the place of, and what is in it instead; absent for the sandbox's own. */
  readonly standsInFor?: string;
  readonly layers: readonly LayerRecipe[];
  readonly config: ImageConfig;
  /** Whether the cluster's container runtime gets it, or only those who ask for the archive. */
  readonly loaded: boolean;
}

/** Each part is put on top of the ones before it: packages, npm packages, files, links. */
export interface LayerRecipe {
  readonly name: string;
  readonly debian?: readonly string[];
  /** Paths that the packages bring and nobody needs. */
  readonly drop?: readonly string[];
  readonly npm?: readonly NpmPart[];
  readonly trees?: readonly TreePart[];
  readonly files?: readonly FilePart[];
  readonly directories?: readonly string[];
  readonly links?: Readonly<Record<string, string>>;
  /** Links to busybox for each of its commands that the layer has not got otherwise. */
  readonly busybox?: boolean;
}

export interface NpmPart {
  /** Name and exact version. */
  readonly spec: string;
  /** A path in the package, or `.` for all of it. */
  readonly from: string;
  readonly to: string;
}

/** A directory of this machine with all that is in it. */
export interface TreePart {
  readonly from: string;
  readonly to: string;
  /** What its content follows from: a version. Reading all of it would take longer than the rest of the image. */
  readonly version: string;
  /** Paths in it, as regular expressions, that nobody needs. */
  readonly except: readonly string[];
}

export type FilePart = { readonly to: string; readonly mode: number } & (
  { readonly from: string } | { readonly text: string }
);

/** As in the OCI image specification. */
export interface ImageConfig {
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Env?: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly Labels?: Readonly<Record<string, string>>;
}

export const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
