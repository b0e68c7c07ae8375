import type { ProfileName } from "../injection/profile.ts";
import type { InjectionSettings } from "../injection/settings.ts";
import type { V1Node, V1Pod, V1StorageClass } from "../kubernetes/client-node.ts";
import type { WebhookStatus } from "../installation/webhook.ts";
import type { Known } from "./finding.ts";

/** Facts about the whole cluster. */
export interface ClusterReading {
  /** "v1.36.3", as the API server says it. */
  readonly apiServer: Known<string>;
  readonly nodes: Known<readonly V1Node[]>;
  /** Names. */
  readonly runtimeClasses: Known<readonly string[]>;
  readonly storageClasses: Known<readonly V1StorageClass[]>;
  readonly webhook: Known<WebhookStatus>;
  /** The operator's settings; the defaults while the webhook is not installed. */
  readonly settings: Known<InjectionSettings>;
}

/** Facts about one namespace. */
export interface NamespaceReading {
  readonly name: string;
  /** There is no such namespace, so the other facts mean nothing. */
  readonly missing?: true;
  readonly labels: Known<Readonly<Record<string, string>>>;
  /** The API server's answer to a Pod of each profile, in a dry run. */
  readonly trials: Readonly<Record<ProfileName, Trial>>;
  readonly pods: Known<readonly V1Pod[]>;
  /** Rights that the user lacks, as "create secrets". */
  readonly missingRights: Known<readonly string[]>;
}

export type Trial =
  | { readonly result: "admitted" }
  | { readonly result: "refused"; readonly message: string }
  | { readonly result: "unknown"; readonly because: string };
