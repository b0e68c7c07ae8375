// How old an image is in a daemon: what it says of itself is the age of its base.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { executableLayer } from "../../../core/chaincode/image/executable.ts";
import { composeImage } from "../../../core/docker/composed-image.ts";
import type { Engine } from "../../../core/docker/engine.ts";
import { sendImage } from "../../../core/docker/image-sending.ts";
import { inspectImage } from "../../../core/docker/images.ts";
import { newLayerStore } from "../../../core/docker/layer-store.ts";
import { imageNameOf } from "../../../core/fabric/chaincode/chaincode-container.ts";
import type { DaemonUser } from "../../../core/orphans/places/daemon-contents.ts";
import { lookIntoDaemon } from "../../../core/orphans/places/daemon-look.ts";
import { localDaemon } from "../../contract/docker-peer.ts";
import { noDocker, startDocker, type DockerDaemon } from "../../contract/docker.ts";

const { signal } = new AbortController();
const baseName = "hyperledger/fabric-nodeenv:2.5";
const owner = { networkId: "dev", peerId: "peer0" };
const packageId = (label: string) => `${label}:${"ab".repeat(32)}`;
const labels = ["composed", "loaded", "built"] as const;
const nameOf = (label: string) => `${imageNameOf(owner, packageId(label))}:latest`;
const day = 86_400; // seconds

describe.skipIf(noDocker !== undefined)("images that no definition needs any more", () => {
  let daemon: DockerDaemon;
  let engine: Engine;
  let folder: string;

  // Docker and its image are built the first time.
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "image-age-"));
    daemon = await startDocker();
    ({ engine } = localDaemon(daemon, { bytes: 0 }));
    await compose("composed");
    // As it comes by `docker load`, of which the daemon notes nothing.
    const file = join(folder, "image.tar");
    await compose("loaded");
    await daemon.docker("save", "--output", file, nameOf("loaded"));
    await daemon.docker("rmi", nameOf("loaded"));
    await daemon.docker("load", "--input", file);
    await writeFile(join(folder, "Dockerfile"), `FROM ${baseName}\nLABEL built=here\n`);
    await daemon.docker("build", "--tag", nameOf("built"), folder);
  }, 900_000);

  afterAll(async () => {
    await daemon?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true });
  });

  async function compose(label: string): Promise<void> {
    const store = newLayerStore();
    try {
      const base = await inspectImage(engine, baseName, signal);
      if (!base) throw new Error(`expected ${baseName}`);
      expect(Date.parse(base.Created ?? "")).toBe(0);
      const layer = await store.keepNew(executableLayer(Buffer.from(label)));
      const image = composeImage(base, layer, { env: [], labels: { label } });
      const present = base.RootFS.Layers?.length ?? 0;
      await sendImage(engine, { image, names: [nameOf(label)], present }, store, { signal });
    } finally {
      await store.close();
    }
  }

  /** Verdict and time of each, were it looked at in so many seconds from now. */
  async function verdicts(olderThan: number | undefined, later = 0): Promise<ReadonlyMap<string, object>> {
    const superseded = { state: "superseded", because: "asset is at 2" } as const;
    const packages = new Map(labels.map((label) => [packageId(label), superseded]));
    const users: readonly DaemonUser[] = [{ name: "peer0", owner, facts: { known: true, packages } }];
    const place = { source: "dind", place: "org1/peer0-0", own: true, users: () => Promise.resolve(users) } as const;
    const now = new Date(Date.now() + later * 1000);
    const found = await lookIntoDaemon(engine, place, { now, olderThan }, signal);
    return new Map(
      found.flatMap(({ kind, name, verdict, since }) => {
        const label = labels.find((one) => nameOf(one) === name);
        if (kind !== "image" || label === undefined) return [];
        // The daemon's clock is ours.
        const age = since && (Math.abs(now.getTime() - later * 1000 - since.getTime()) < 3_600_000 ? "now" : since);
        return [[label, { verdict, age }]];
      }),
    );
  }

  test("are as old as their arrival, whatever their base says", async () => {
    const found = await verdicts(7 * day);
    expect(found.get("composed")).toEqual({ verdict: "kept", age: "now" });
    expect(found.get("built")).toEqual({ verdict: "kept", age: "now" });
    const later = await verdicts(7 * day, 8 * day);
    expect(later.get("composed")).toMatchObject({ verdict: "orphan" });
    expect(later.get("built")).toMatchObject({ verdict: "orphan" });
  });

  test("of which nobody knows when they came are kept where an age is asked for, however long it is", async () => {
    expect((await verdicts(7 * day)).get("loaded")).toEqual({ verdict: "kept", age: undefined });
    expect((await verdicts(7 * day, 800 * day)).get("loaded")).toEqual({ verdict: "kept", age: undefined });
    expect((await verdicts(undefined)).get("loaded")).toEqual({ verdict: "orphan", age: undefined });
    expect((await verdicts(0)).get("loaded")).toEqual({ verdict: "orphan", age: undefined });
  });

  test("without a name, that a build here passed through, are as old as the build", async () => {
    await writeFile(join(folder, "Dockerfile"), `FROM ${baseName}\nLABEL passed=through\n`);
    const id = await daemon.docker("build", "--quiet", folder);
    const users = () => Promise.resolve([]);
    const look = async (olderThan: number) => {
      const place = { source: "dind", place: "org1/peer0-0", own: true, users } as const;
      const found = await lookIntoDaemon(engine, place, { now: new Date(), olderThan }, signal);
      return found.find(({ name }) => name === id);
    };
    expect(await look(day)).toMatchObject({
      verdict: "kept",
      because: expect.stringMatching(/younger than 1 d/) as string,
    });
    expect(await look(0)).toMatchObject({ verdict: "orphan" });
  });
});
