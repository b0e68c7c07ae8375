import { FabricError } from "../../error.ts";
import type { Acted, ActingStep, Observation, StepContext } from "../../engine/step.ts";
import type { PackageToDeploy } from "../deployment/deployment.ts";
import type { SeedPeer } from "../image/seed-peer.ts";
import { isBuiltByDocker, type Provision, type Seeding } from "./seeding.ts";

/** What an installation is to have beforehand. */
export interface SeededInstallation {
  readonly install: ActingStep;
  readonly pkg: PackageToDeploy;
  readonly peer: SeedPeer;
  readonly seeding: Seeding;
  /** Told how the image came, once it is there. */
  readonly onProvision?: ((provision: Provision) => void) | undefined;
  /** The failure where nobody has the image of a package that is installed; unless given, it is left to the peer's next call. */
  readonly whenLeft?: (() => FabricError) | undefined;
}

/**
 * An installation for which the peer builds nothing, as its image is brought first: composed, or copied from the one peer that has built
 * it. A peer whose daemon we cannot look into installs and builds as usual.
 */
export function seededInstall({ install, pkg, peer, seeding, onProvision, whenLeft }: SeededInstallation): ActingStep {
  const built = async (signal: AbortSignal): Promise<boolean> =>
    isBuiltByDocker(pkg.type ?? (await pkg.load(signal)).metadata.type);
  let installed = false;
  const act = async (context: StepContext): Promise<Acted> => {
    const seeds = (await built(context.signal)) && (await image(seeding, peer, context.signal)) !== "unknown";
    if (!seeds) return installed ? "" : install.act(context);
    let said: Acted = "";
    const installing = async (): Promise<void> => {
      said = await install.act(context);
    };
    const provision = await seeding.provide(peer, context, installed ? undefined : installing);
    if (provision.how === "left" && whenLeft) throw whenLeft();
    if (!installed && provision.how !== "built") await installing();
    // A peer remembers that its own build failed; told to install again it finds the image (Fabric core/chaincode/lifecycle/lifecycle.go, InstallChaincode).
    if (installed && provision.how !== "left") await install.act(context);
    onProvision?.(provision);
    return [described(provision), typeof said === "string" ? said : ""].filter((part) => part).join(", ");
  };
  return {
    ...install,
    async observe(context): Promise<Observation> {
      const observation = await install.observe(context);
      installed = observation.is === "so";
      if (!installed || (pkg.type !== undefined && !isBuiltByDocker(pkg.type))) return observation;
      if ((await image(seeding, peer, context.signal)) !== "missing") return observation;
      // The type may have been unknown until now: an external builder's package has no image.
      return (await built(context.signal)) ? { is: "differs", change: "its image is gone" } : observation;
    },
    act,
  };
}

/** `unknown`: there is no daemon, or none that we may look into; an external builder may be at work. */
async function image(seeding: Seeding, peer: SeedPeer, signal: AbortSignal): Promise<"there" | "missing" | "unknown"> {
  try {
    return (await seeding.has(peer, signal)) ? "there" : "missing";
  } catch (error) {
    if (error instanceof FabricError && ["not-found", "forbidden"].includes(error.code)) return "unknown";
    throw error;
  }
}

/** How an image came to a daemon, in a few words. */
function described(provision: Provision): string {
  switch (provision.how) {
    case "present":
      return "";
    case "composed":
      return `image made of the package, ${megabytes(provision.bytes)} sent`;
    case "copied":
      return `image from ${provision.from}, ${megabytes(provision.bytes)} sent`;
    case "prebuilt":
      return `image built in its daemon, ${megabytes(provision.bytes)} sent`;
    case "built":
      return "built";
    case "left":
      return "no daemon has its image: the next call builds it";
  }
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
