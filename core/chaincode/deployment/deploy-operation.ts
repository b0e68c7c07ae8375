import type { Operation, Remedy } from "../../remedy.ts";
import type { DeployRequest } from "./deploy-request.ts";

/** Terms that replace those of a request. */
export interface OtherTerms {
  readonly version?: string;
  readonly policy?: string;
  /** A file. */
  readonly collections?: string;
  readonly initRequired?: boolean;
}

export type DeployOperation = Extract<Operation, { readonly operation: "deploy" }>;

/** The deploy operation by which an organization's administrator joins a request, with some of its terms replaced. */
export function deployOperation(request: DeployRequest, organization: string, terms: OtherTerms = {}): DeployOperation {
  const said = { ...request, ...terms };
  return {
    operation: "deploy",
    of: said.name,
    on: said.channel,
    with: {
      runtime: said.runtime === "dind" ? undefined : said.runtime,
      start: said.start,
      per: said.per,
      path: said.path,
      include: said.include,
      bundle: said.bundle,
      image: said.image,
      language: said.language,
      packageId: said.packageId,
      rollbackTo: said.rollbackTo,
      label: said.label,
      version: said.version,
      policy: said.policy,
      collections: said.collections,
      initRequired: said.initRequired,
      clientAuth: said.clientAuth ? true : undefined,
      organization,
    },
  };
}

/**
 * What to do when no daemon has the image of a package that peers have installed: deploy the source as another package, for a peer that has
 * built a package does not build it again.
 */
export const buildAnew = (chaincode: string, channel: string): Remedy => [
  { operation: "deploy", of: chaincode, on: channel, with: { path: "DIR", label: "LABEL" } },
  " builds its source as another package",
];
