import { createServer } from "node:net";
import { expect, test } from "vitest";
import { listeningPorts, requireFreePorts } from "../../sandbox/ports.ts";

const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:094B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100674 1 0 100 0 0 10 0
   1: 00000000:192B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101446 1 0 100 0 0 10 0
   2: 0100007F:A0F2 0100007F:094B 01 00000000:00000000 00:00000000 00000000     0        0 101448 1 0 100 0 0 10 0
`;

test("reads what listens, and not what is connected", () => {
  expect([...listeningPorts(table)]).toEqual([
    [2379, "100674"],
    [6443, "101446"],
  ]);
});

test.runIf(process.platform === "linux")("names who has a port that we need", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  expect(() => requireFreePorts([port])).toThrow(
    expect.objectContaining({
      code: "conflict",
      message: expect.stringMatching(
        `^expected port ${port} to be free, found .* \\(pid ${process.pid}\\) listening on it$`,
      ),
    }),
  );
  await new Promise((resolve) => server.close(resolve));
  expect(() => requireFreePorts([port])).not.toThrow();
});
