/**
 * What a peer's custodian is at. "through": it waits for work, or starts what channels run. Both come after everything that it builds
 * at the peer's start, for it takes one thing after another, and builds each package once in a peer's life
 * (Fabric core/chaincode/lifecycle/custodian.go and cache.go, InitializeLocalChaincodes; core/container/build_registry.go).
 */
export type CustodianState = "through" | "building";

/** As the Go runtime writes a goroutine: its head, then the functions that it is in, the innermost first. Seen in 2.5.16 and 3.1.5. */
const head = /^goroutine \d+ /;
const custodian = "/lifecycle.(*ChaincodeCustodian).Work(";
const throughIn = ["sync.(*Cond).Wait(", "/chaincode.(*RuntimeLauncher).Launch("];

/**
 * What the custodian was at in each report of goroutines that a peer's log has, oldest first. A peer writes one when it gets SIGUSR1
 * (common/diag/goroutine.go), in lines of its log, or in one line where the log is in JSON.
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
