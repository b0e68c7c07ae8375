import { setTimeout as sleep } from "node:timers/promises";
import { reasonOf, type Log } from "../../core/process/log.ts";
import { readCertificate, type KeyPair } from "./certificate.ts";
import { reconcile, type Reconciled, type RotationDependencies } from "./rotation.ts";

/**
 * How often certificates are checked, by three small reads. For expiry alone every 12 h would be enough. But when somebody replaces
 * the webhook configuration, and with it the CA, no peer can start until it is repaired.
 */
const checkIntervalMs = 60_000;

const firstRetryMs = 500;
const lastRetryMs = 30_000;

export interface RenewalDependencies extends RotationDependencies {
  /** Called with each leaf to serve from now on. */
  readonly serve: (leaf: KeyPair) => Promise<void>;
  readonly renewed: (certificates: Reconciled) => void;
  readonly log: Log;
  readonly checkMs?: number;
}

/** Keeps certificates valid and published for as long as the process runs. */
export interface Renewal {
  /** Reasons why the API server cannot reach us; empty when it can. */
  missing(now: Date): readonly string[];
  /** Runs until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
}

/** A renewal of our own certificates; `run` begins it. */
export function newRenewal(dependencies: RenewalDependencies): Renewal {
  const { serve, renewed, log, checkMs = checkIntervalMs } = dependencies;
  let current: Reconciled | undefined;
  let problem = "";

  const check = async (): Promise<void> => {
    const next = await reconcile(dependencies);
    if (next.leaf.cert !== current?.leaf.cert) await serve(next.leaf);
    current = next;
    renewed(next);
  };

  return {
    missing: (now) => {
      if (current === undefined) return [`no certificate is issued and published yet${problem}`];
      const ends = readCertificate(current.leaf.cert)?.validToDate ?? new Date(0);
      return ends <= now ? ["the certificate has expired"] : [];
    },
    run: async (signal) => {
      let retryMs = firstRetryMs;
      while (!signal.aborted) {
        try {
          await check();
          retryMs = firstRetryMs;
          await pause(checkMs, signal);
        } catch (thrown) {
          problem = `: ${reasonOf(thrown)}`;
          log.warn("certificates could not be checked", { reason: reasonOf(thrown), retryMs });
          await pause(retryMs, signal);
          retryMs = Math.min(retryMs * 2, lastRetryMs);
        }
      }
    },
  };
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  // The caller checks the signal itself.
  await sleep(milliseconds, undefined, { signal }).catch(() => {});
}
