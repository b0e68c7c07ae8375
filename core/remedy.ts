/**
 * What to do next, as data: words as they are, and operations and settings under the names that the library itself has for them. The
 * command line says it in its commands and options (plugin/terminal/remedy.ts), a controller would say it in conditions. Where the user
 * has to fill something in, capitals stand for it: NAME.
 */
export type Remedy = RemedyPart | readonly RemedyPart[];

export type RemedyPart = string | Operation | Setting | KubernetesCommand;

/** What the product does, with the settings that it takes: those that some remedy names. */
export interface Operations {
  readonly init: {
    /** "-": standard input. */
    readonly file?: string;
    readonly fabricVersion?: string;
    readonly peerImage?: string;
    readonly ordererImage?: string;
    readonly storageClass?: string;
    readonly profile?: string;
    readonly chaincodeIdle?: string | false;
    readonly dryRun?: true;
    readonly output?: "yaml";
  };
  readonly join: { readonly organizations?: readonly string[] };
  readonly deploy: {
    readonly channel?: string | undefined;
    readonly runtime?: string | undefined;
    readonly start?: string | undefined;
    readonly per?: string | undefined;
    readonly path?: string | undefined;
    readonly include?: readonly string[] | undefined;
    readonly bundle?: boolean | undefined;
    readonly image?: string | undefined;
    readonly language?: string | undefined;
    readonly packageId?: string | undefined;
    readonly rollbackTo?: number | undefined;
    readonly label?: string | undefined;
    readonly version?: string | undefined;
    readonly policy?: string | undefined;
    /** A file. */
    readonly collections?: string | undefined;
    readonly initRequired?: boolean | undefined;
    readonly clientAuth?: true | undefined;
    /** The only organization that installs and approves; it commits once enough others have approved. */
    readonly organization?: string | undefined;
  };
  readonly invoke: { readonly channel?: string };
  readonly query: { readonly channel?: string };
  readonly "chaincode list": NoSettings;
  readonly "chaincode inspect": { readonly channel?: string };
  readonly "chaincode seed": NoSettings;
  readonly "chaincode package": { readonly offline?: true };
  readonly "webhook install": NoSettings;
  readonly "webhook status": NoSettings;
  readonly inject: { readonly file?: string };
  readonly eject: { readonly namespace?: string };
  readonly cleanup: {
    /** Removes what was found; without it nothing is removed. */
    readonly yes?: true;
    readonly olderThan?: string | undefined;
    readonly organizations?: readonly string[] | undefined;
    readonly peers?: readonly string[] | undefined;
    readonly sources?: readonly string[] | undefined;
    /** "Org3MSP=FOLDER" */
    readonly identities?: readonly string[] | undefined;
    /** "Org3MSP=FILE" */
    readonly tlsAuthorities?: readonly string[] | undefined;
    /** Files. */
    readonly keyPassphrases?: readonly string[] | undefined;
    readonly gonePeers?: readonly string[] | undefined;
    readonly nodeNamespace?: string | undefined;
    readonly nodeImage?: string | undefined;
    readonly nodeSocket?: string | undefined;
  };
  readonly status: NoSettings;
  readonly doctor: NoSettings;
  readonly down: NoSettings;
}

type NoSettings = Readonly<Record<string, never>>;

/** Settings that a remedy only mentions: of every operation, of `init`, `deploy`, `invoke` and `inject`. */
export type MentionedSetting =
  | ("kubeconfig" | "context" | "network" | "timeout")
  | ("peerOrganizations" | "ordererOrganization" | "peerMemory" | "ordererMemory")
  | ("build" | "initArguments" | "loadImage")
  | ("endorsingOrganizations" | "transientBase64File" | "transientFile")
  | "injectionSettings";

export type OperationName = keyof Operations;
type KeysOf<T> = T extends NoSettings ? never : keyof T;
export type SettingName = KeysOf<Operations[OperationName]> | MentionedSetting;
export type SettingValue = string | number | boolean | readonly string[];

interface OperationOf<Name extends OperationName> {
  readonly operation: Name;
  /** What it is about: a chaincode, and what is called of it; a channel; a workload. */
  readonly of?: string | readonly string[];
  /** The channel that a chaincode is on. */
  readonly on?: string;
  /** In the order in which they are said. */
  readonly with?: Operations[Name];
  /** For another administrator, who has a kubeconfig of their own. */
  readonly elsewhere?: true;
}

export type Operation = { readonly [Name in OperationName]: OperationOf<Name> }[OperationName];

/** A setting of the failed operation, or of the operation that was named last; `false` negates it. */
interface Setting {
  readonly setting: SettingName;
  readonly to?: SettingValue;
}

/** One of Kubernetes' own: the words behind `kubectl`. */
export interface KubernetesCommand {
  readonly kubectl: readonly string[];
}

/** Joins remedies into one; undefined ones are left out. */
export function joined(remedies: readonly (Remedy | undefined)[], between = ""): readonly RemedyPart[] {
  const there = remedies.filter((remedy) => remedy !== undefined);
  return there.flatMap((remedy, index) => {
    const parts: readonly RemedyPart[] = isList(remedy) ? remedy : [remedy];
    return index > 0 && between !== "" ? [between, ...parts] : parts;
  });
}

const isList = (remedy: Remedy): remedy is readonly RemedyPart[] => Array.isArray(remedy);
