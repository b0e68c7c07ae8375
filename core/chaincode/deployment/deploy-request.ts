import { FabricError } from "../../error.ts";
import type { Remedy } from "../../remedy.ts";
import { checkChaincodeName, checkChaincodeVersion } from "../../fabric/chaincode/chaincode-definition.ts";
import { checkChaincodeLabel } from "../../fabric/package/chaincode-label.ts";
import type { ChaincodeLanguage } from "../../fabric/package/package-rules.ts";
import type { RuntimeOptions } from "./runtime-options.ts";
import type { Terms } from "./terms.ts";

/** What a user wants a channel to run. */
export interface DeployRequest extends Omit<Terms, "collections">, RuntimeOptions {
  readonly name: string;
  readonly channel: string;
  /** How a peer starts the image that it is given, or as what it builds the folder; found out unless told. */
  readonly language?: ChaincodeLanguage | undefined;
  readonly label?: string | undefined;
  /** A package that peers have, instead of `path`. */
  readonly packageId?: string | undefined;
  /** Back to what was committed at this sequence: package, version, policy, collections. */
  readonly rollbackTo?: number | undefined;
  /** A file in the peer command's JSON. */
  readonly collections?: string | undefined;
  /** Names; all of the network unless told. */
  readonly organizations?: readonly string[] | undefined;
  /** "peer0.org1"; all of the organizations unless told. */
  readonly peers?: readonly string[] | undefined;
  /** Image archives that each daemon has to have. */
  readonly loadImage?: readonly string[] | undefined;
  /** Arguments of the call that initializes it. */
  readonly initArguments?: readonly string[] | undefined;
  /** Refuse what the peer's build would have to download. */
  readonly offline?: boolean | undefined;
  /** Files of the folder that come along although they look like keys or passwords. */
  readonly include?: readonly string[] | undefined;
  /** Node: install the dependencies of the lock file for the package; where that can be, unless told. */
  readonly bundle?: boolean | undefined;
  /** Milliseconds for a Pod that goes meanwhile to come back; a minute unless told. */
  readonly patience?: number | undefined;
  /** Called with notices: about the package, waits, and other organizations. */
  readonly notice?: ((text: Remedy) => void) | undefined;
}

/** Throws `usage` for options that exclude each other, and for names and versions that Fabric does not take. */
export function checkRequest(request: DeployRequest): void {
  checkChaincodeName(request.name);
  checkChaincodeLabel(request.label ?? request.name);
  if (request.version !== undefined) checkChaincodeVersion(request.version);
  const sources = (["path", "image", "packageId", "rollbackTo"] as const).filter(
    (source) => request[source] !== undefined,
  );
  // A service takes its program from the image, and the indexes from the sources.
  if (request.runtime !== "service" && sources.length > 1) {
    throw new FabricError("usage", "expected one of --path, --image, --package-id and --rollback-to, found several");
  }
  if (request.packageId !== undefined && !/^[^:]+:[^:]+$/.test(request.packageId)) {
    throw new FabricError("usage", `expected a package ID, as ${request.name}:0a1b2c…, found ${request.packageId}`, {
      hint: [
        { operation: "chaincode inspect", of: request.name, on: request.channel },
        " shows those that were approved",
      ],
    });
  }
  if (request.language !== undefined && request.image === undefined && request.path === undefined) {
    throw new FabricError("usage", "expected --language together with --image or --path only");
  }
  if (request.include !== undefined && request.path === undefined) {
    throw new FabricError("usage", "expected --include together with --path only: it names files of that folder");
  }
  if (request.bundle !== undefined && request.path === undefined) {
    throw new FabricError("usage", "expected --bundle together with --path only: it is of that folder");
  }
  const isService = request.runtime === "service";
  if (request.offline === true && (request.path === undefined || isService)) {
    throw new FabricError("usage", "expected --offline together with --path only: it looks at what that folder lacks");
  }
  if (request.label !== undefined && request.path === undefined && request.image === undefined) {
    throw new FabricError(
      "usage",
      "expected --label together with --path or --image only: a package has the label that it was made with",
    );
  }
  if (isService) rejectDaemonOptions(request);
  if (request.initArguments && request.initRequired === false) {
    throw new FabricError("usage", "expected no --init-args together with --no-init");
  }
}

/** Options that only chaincode in the peers' own daemons has. */
const daemonOptions = {
  loadImage: "--load-image",
  packageId: "--package-id",
  rollbackTo: "--rollback-to",
  language: "--language",
  include: "--include",
  bundle: "--bundle",
} as const;

function rejectDaemonOptions(request: DeployRequest): void {
  const keys = Object.keys(daemonOptions) as (keyof typeof daemonOptions)[];
  const given = keys.filter((key) => request[key] !== undefined).map((key) => daemonOptions[key]);
  if (given.length === 0) return;
  throw new FabricError("usage", `expected no ${given.join(", ")} with --runtime service`, {
    hint: ["a service goes back to what it was by its former ", { setting: "image" }],
  });
}
