import type { ProfileName } from "../injection/profile.ts";
import type { InjectionSettings } from "../injection/settings.ts";
import type { V1Node, V1Pod, V1StorageClass } from "../kubernetes/client-node.ts";
import type { WebhookStatus } from "../installation/webhook.ts";
import type { Known } from "./finding.ts";

/** What was read of the cluster as a whole. */
export interface ClusterReading {
  /** "v1.36.3", as the API server says it. */
  readonly apiServer: Known<string>;
  readonly nodes: Known<readonly V1Node[]>;
  /** Names. */
  readonly runtimeClasses: Known<readonly string[]>;
  readonly storageClasses: Known<readonly V1StorageClass[]>;
  readonly webhook: Known<WebhookStatus>;
  /** The operator's; Kubernetes has none before the webhook is installed. */
  readonly settings: Known<InjectionSettings>;
}

/** What was read of one namespace. */
export interface NamespaceReading {
  readonly name: string;
  /** There is none of the name: nothing else is known of it. */
  readonly missing?: true;
  readonly labels: Known<Readonly<Record<string, string>>>;
  /** What the API server said to a Pod of each profile, had it been created. */
  readonly trials: Readonly<Record<ProfileName, Trial>>;
  readonly pods: Known<readonly V1Pod[]>;
  /** Rights that the user lacks, as "create secrets". */
  readonly missingRights: Known<readonly string[]>;
}

export type Trial =
  | { readonly result: "admitted" }
  | { readonly result: "refused"; readonly message: string }
  | { readonly result: "unknown"; readonly because: string };
