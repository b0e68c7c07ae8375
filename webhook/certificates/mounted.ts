import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf, type Log } from "../../core/process/log.ts";
import { readCertificate, type KeyPair } from "./certificate.ts";
import type { Renewal } from "./renewal.ts";
import { isServable, type Reconciled } from "./rotation.ts";
import type { CertificateStore } from "./store.ts";

/** Another program renews and publishes: we only have to notice that before the old leaf ends. */
const checkIntervalMs = 10_000;

export interface MountedDependencies {
  /** Directory with tls.crt and tls.key, as a Secret of type kubernetes.io/tls is mounted. */
  readonly directory: string;
  readonly store: Pick<CertificateStore, "readTrusted">;
  readonly hosts: readonly string[];
  readonly now: () => Date;
  readonly serve: (leaf: KeyPair) => Promise<void>;
  readonly renewed: (certificates: Reconciled) => void;
  readonly log: Log;
  readonly checkMs?: number;
}

/** Certificates that somebody else, such as cert-manager, issues, renews and publishes. */
export function newMountedCertificates(dependencies: MountedDependencies): Renewal {
  const { directory, store, hosts, now, serve, renewed, log, checkMs = checkIntervalMs } = dependencies;
  let leaf: KeyPair | undefined;
  let trusted = false;

  const check = async (): Promise<void> => {
    const [cert, key] = await Promise.all(
      ["tls.crt", "tls.key"].map((name) => readFile(join(directory, name), "utf8")),
    );
    const found = { cert: cert ?? "", key: key ?? "" };
    const bundles = (await store.readTrusted()).value;
    trusted = bundles.every((bundle) => isServable(found, bundle, hosts, now()));
    if (!trusted || found.cert === leaf?.cert) return;
    leaf = found;
    await serve(found);
    const leafEnds = readCertificate(found.cert)?.validToDate ?? new Date(0);
    renewed({ leaf: found, leafEnds, authorityEnds: authorityEnds(bundles.flat()) });
  };

  return {
    missing: () => {
      if (leaf === undefined)
        return [`no certificate in ${directory} that the webhook configuration's CA has signed for us`];
      return trusted ? [] : ["the webhook configuration's CA has not signed the mounted certificate"];
    },
    run: async (signal) => {
      while (!signal.aborted) {
        await check().catch((thrown: unknown) =>
          log.warn("certificates could not be checked", { reason: reasonOf(thrown) }),
        );
        await sleep(leaf === undefined ? Math.min(1000, checkMs) : checkMs, undefined, { signal }).catch(() => {});
      }
    },
  };
}

function authorityEnds(bundle: readonly string[]): Date {
  const ends = bundle.map((pem) => readCertificate(pem)?.validToDate.getTime() ?? 0);
  return new Date(Math.max(0, ...ends));
}
