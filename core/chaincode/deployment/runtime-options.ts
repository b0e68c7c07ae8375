export const runtimeNames = ["dind", "on-demand", "service"] as const;
/** Where chaincode runs: in the peer's own Docker daemon (for good, or only while it is called), or in a Deployment. */
export type RuntimeName = (typeof runtimeNames)[number];

/** What a user says about where chaincode runs. */
export interface RuntimeOptions {
  readonly runtime?: string | undefined;
  /** A folder or a package; a service takes only the indexes from it. Unset: each organization keeps its package. */
  readonly path?: string | undefined;
  readonly image?: string | undefined;
  readonly per?: string | undefined;
  readonly clientAuth?: boolean | undefined;
  readonly start?: string | undefined;
}
