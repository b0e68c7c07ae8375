/**
 * What a peer's custodian does. "through": it waits for work, or starts chaincode of channels. Both come after the builds of the
 * peer's start, for the custodian works in order, and builds each package once in a peer's life
 * (Fabric core/chaincode/lifecycle/custodian.go and cache.go, InitializeLocalChaincodes; core/container/build_registry.go).
 */
export type CustodianState = "through" | "building";

/** A goroutine as the Go runtime writes it: a head, then its functions, the innermost first. Seen in 2.5.16 and 3.1.5. */
const head = /^goroutine \d+ /;
const custodian = "/lifecycle.(*ChaincodeCustodian).Work(";
const throughIn = ["sync.(*Cond).Wait(", "/chaincode.(*RuntimeLauncher).Launch("];

/**
 * The custodian's state in each report of goroutines in a peer's log, oldest first. A peer writes a report when it gets SIGUSR1
 * (common/diag/goroutine.go): in several lines of its log, or in one line when the log is JSON.
 */
export async function custodianStates(
  lines: AsyncIterable<string> | Iterable<string>,
): Promise<readonly CustodianState[]> {
  const states: CustodianState[] = [];
  let within: string[] | undefined;
  for await (const line of lines) {
    for (const frame of line.startsWith("{") ? messageLines(line) : [line]) {
      if (head.test(frame)) within = [];
      else if (frame === "") within = undefined;
      if (!within) continue;
      if (frame.includes(custodian)) {
        states.push(within.some((inner) => throughIn.some((name) => inner.includes(name))) ? "through" : "building");
        within = undefined;
      } else within.push(frame);
    }
  }
  return states;
}

function messageLines(line: string): readonly string[] {
  try {
    const { msg } = JSON.parse(line) as { readonly msg?: unknown };
    return typeof msg === "string" ? msg.split("\n") : [];
  } catch {
    return [];
  }
}
