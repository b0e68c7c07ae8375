import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ApiError } from "../api-error.ts";
import type { ArchiveLimits } from "../archive/budget.ts";
import type { Isolation } from "../confinement/kernel.ts";
import { buildPolicy, chaincodePolicy, chaincodePort, type ProcessLimits } from "../confinement/policy.ts";
import type { Image, ImageStore } from "../images/image-store.ts";
import type { Metrics } from "../metrics.ts";
import { reasonOf, type Log } from "../../core/process/log.ts";
import type { Toolchain, Toolchains } from "../toolchain.ts";
import type { Container, ContainerRequest } from "./container.ts";
import { startConfined, type ConfinedProcess } from "./confined-process.ts";
import { rewritePaths } from "./fabric-path.ts";
import { discardRoot, furnishRoot, newRoot, removeRoots, removeTree } from "./container-root.ts";
import { newOutput, type OutputStream } from "./output.ts";
import { newSpareRoots } from "./spare-roots.ts";

export interface ContainerSettings {
  /** Each container gets a directory of an unguessable name in it. */
  readonly directory: string;
  readonly confine: string;
  readonly isolation: Isolation;
  readonly store: ImageStore;
  readonly toolchains: Toolchains;
  readonly limits: ContainerLimits;
  /** Variables that builds inherit: of package registries and proxies. */
  readonly buildEnvironment: Readonly<Record<string, string>>;
  readonly buildPorts: readonly number[];
  /** PATH of the system's programs. */
  readonly path: string;
  readonly now: () => Date;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface ContainerLimits {
  /** Containers that may run at once. */
  readonly running: number;
  /** Bytes of memory for one container, when its request asks for more or for no limit. */
  readonly memory: number;
  /** Bytes of disk for one container. */
  readonly disk: number;
  /** Threads of one container. */
  readonly threads: number;
  readonly process: ProcessLimits;
  readonly archive: ArchiveLimits;
  /** Bytes of output that are kept. */
  readonly output: number;
  /** Bytes of disk for all images, including the directories prepared from them. */
  readonly images: number;
}

/** The containers of one runner. They end with it. */
export interface Containers {
  list(): readonly Container[];
  /** By name, ID or the beginning of an ID. Throws ApiError 404. */
  get(reference: string): Container;
  create(request: ContainerRequest): Promise<Container>;
  /** Throws ApiError 304 when it runs, 400 when it cannot be started, 404 when it is removed meanwhile. */
  start(container: Container): Promise<void>;
  /** Sends SIGTERM, kills after `seconds`, and waits until all processes have ended. With 0 seconds it kills at once. */
  stop(container: Container, seconds: number): Promise<void>;
  remove(container: Container): Promise<void>;
  /** Bytes on disk of the directories prepared for next starts. */
  prepared(): number;
  /** Stops all containers, and starts no more. */
  close(): Promise<void>;
}

/** Milliseconds after which a Node.js chaincode has registered with its peer. */
const startMs = 2000;

/** Clears away the directories of a runner that was killed: its processes have ended with it. */
export async function openContainers(settings: ContainerSettings): Promise<Containers> {
  await removeRoots(settings.directory);
  const { limits, log, metrics, now, store } = settings;
  const containers = new Map<string, Container>();
  const ending = new AbortController();
  const spares = newSpareRoots({
    directory: settings.directory,
    store,
    limits: limits.archive,
    quota: () => limits.images - store.used(),
    delay: startMs,
    log,
  });
  store.changed(() => spares.trim());
  const removals = new Set<Promise<void>>();

  const byName = (name: string) => [...containers.values()].find((container) => container.name === name);
  const find = (reference: string): Container | undefined => {
    const name = reference.replace(/^\//, "");
    const exact = containers.get(name) ?? byName(name);
    if (exact !== undefined || !/^[0-9a-f]{4,63}$/.test(name)) return exact;
    const matching = [...containers.values()].filter(({ id }) => id.startsWith(name));
    return matching.length === 1 ? matching[0] : undefined;
  };

  /** Removes files later: the peer starts chaincode again as soon as the old container is gone, and the removal would delay that. */
  const removeLater = (root: string): void => {
    const removal = sleep(startMs, undefined, { signal: ending.signal, ref: false })
      .then(
        () => removeTree(root),
        () => undefined, // `close` removes all directories
      )
      .catch((error: unknown) => log.warn("cannot remove a directory", { reason: reasonOf(error) }))
      .finally(() => removals.delete(removal));
    removals.add(removal);
  };

  /** Containers whose process is being made: they count as running. */
  const starting = new Set<Container>();
  const running = () =>
    starting.size + [...containers.values()].filter(({ state }) => state.status === "running").length;

  const stop = async (container: Container, seconds: number): Promise<void> => {
    const { state } = container;
    if (state.status !== "running") return;
    if (seconds > 0) {
      state.process.ask();
      const timer = setTimeout(() => state.process.end(), seconds * 1000);
      await container.exit.promise;
      clearTimeout(timer);
    } else {
      state.process.end();
      await container.exit.promise;
    }
  };

  return {
    list: () => [...containers.values()],
    get: (reference) => {
      const found = find(reference);
      if (found === undefined) throw new ApiError(404, `No such container: ${reference}`);
      return found;
    },
    create: async (request) => {
      const place = placeOf(request.image, settings);
      const id = randomBytes(32).toString("hex");
      const name = request.name ?? `build-${id.slice(0, 12)}`;
      if (!/^[a-zA-Z0-9][\w.-]*$/.test(name) || name.length > 255) {
        throw new ApiError(
          400,
          `Invalid container name (${name.slice(0, 80)}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
        );
      }
      if (byName(name) !== undefined) {
        throw new ApiError(
          409,
          `Conflict. The container name "/${name}" is already in use by container "${byName(name)?.id}".`,
        );
      }
      const container: Container = {
        id,
        name,
        request,
        imageId: place.image?.id ?? place.toolchain.id,
        kind: place.image === undefined ? "build" : "chaincode",
        toolchain: place.toolchain,
        imageEnvironment: place.image?.config.config.Env ?? [],
        labels: { ...place.image?.config.config.Labels, ...request.labels },
        root: newRoot(settings.directory, "container"),
        created: now(),
        output: newOutput(limits.output, () => now().getTime()),
        memoryLimit: request.memory > 0 ? Math.min(request.memory, limits.memory) : limits.memory,
        state: { status: "created" },
        usage: { processes: 0, threads: 0, resident: 0 },
        exit: Promise.withResolvers<number>(),
        removed: Promise.withResolvers<void>(),
        verdict: "",
      };
      containers.set(id, container);
      try {
        const prepared = place.image !== undefined && (await spares.take(place.image, container.root));
        if (!prepared) await furnish(container, place, settings);
      } catch (error) {
        containers.delete(id);
        await removeTree(container.root);
        throw error;
      }
      return container;
    },
    start: async (container) => {
      const { state } = container;
      if (state.status === "running" || starting.has(container)) throw new ApiError(304, "already started");
      // A container is started once: the peer creates a new one each time (dockercontroller.go, Start).
      if (state.status === "exited") throw new ApiError(501, `container ${container.name} has ended: create it again`);
      if (ending.signal.aborted) throw new ApiError(503, "the runner is shutting down");
      if (running() >= limits.running) {
        throw new ApiError(
          500,
          `expected at most ${limits.running} containers to run at once, found ${running()} running: remove chaincode that is no longer used`,
        );
      }
      const begun = now();
      starting.add(container);
      let process: ConfinedProcess;
      try {
        process = await startConfined(settings.confine, commandOf(container, settings));
      } catch (error) {
        throw new ApiError(400, `cannot start ${container.name}: ${String(error)}`);
      } finally {
        starting.delete(container);
      }
      // `remove` and `close` found nothing yet that they could end.
      if (!containers.has(container.id) || ending.signal.aborted) {
        process.end();
        await process.ended;
        throw new ApiError(404, `No such container: ${container.name}`);
      }
      container.state = { status: "running", process, started: begun };
      metrics.started(container.kind);
      log.info("started", { kind: container.kind, container: container.name, pid: process.pid });
      void settle(container, process, begun, settings);
      const image = container.kind === "chaincode" ? store.find(container.imageId) : undefined;
      if (image !== undefined) spares.want(image, container.toolchain);
    },
    stop,
    remove: async (container) => {
      await stop(container, 0);
      if (!containers.delete(container.id)) return;
      container.output.end();
      removeLater(await discardRoot(container.root));
      container.removed.resolve();
    },
    prepared: () => spares.used(),
    close: async () => {
      ending.abort();
      await Promise.all([...containers.values()].map((container) => stop(container, 2)));
      await Promise.all([spares.close(), ...removals]);
      await removeRoots(settings.directory);
    },
  };
}

/** Waits for the end of a container and writes it down. */
async function settle(
  container: Container,
  process: ConfinedProcess,
  started: Date,
  { now, metrics, log }: ContainerSettings,
): Promise<void> {
  const code = await process.ended;
  const { kind, name, verdict, output, exit } = container;
  const finished = now();
  container.state = { status: "exited", code, started, finished, error: verdict };
  output.end();
  exit.resolve(code);
  const seconds = (finished.getTime() - started.getTime()) / 1000;
  metrics.ended(kind, code === 0, seconds);
  log.info("ended", { kind, container: name, code, seconds, why: verdict || undefined });
}

interface Place {
  readonly toolchain: Toolchain;
  readonly image: Image | undefined;
}

const typeLabel = "org.hyperledger.fabric.chaincode.type";

/** A toolchain by its own name, for builds; or a built image with the toolchain of its language. */
function placeOf(reference: string, { store, toolchains }: ContainerSettings): Place {
  const image = store.find(reference);
  if (image === undefined) {
    const toolchain = toolchains.find(reference);
    if (toolchain === undefined) throw new ApiError(404, `No such image: ${reference}`);
    return { toolchain, image: undefined };
  }
  const type = image.config.config.Labels[typeLabel];
  const toolchain = toolchains.ofType(type);
  if (toolchain === undefined) {
    throw new ApiError(
      501,
      `expected a toolchain for chaincode of the type ${type ?? "(no label)"}, found ${toolchains.all.map(({ name }) => name).join(", ")}`,
    );
  }
  return { toolchain, image };
}

async function furnish({ root }: Container, { toolchain, image }: Place, { store, limits }: ContainerSettings) {
  const layers = image === undefined ? [] : store.layerFiles(image);
  await furnishRoot(root, { toolchain, layers, limits: limits.archive });
}

/** Bytes that V8 and Java reserve at their start and never use, but the kernel counts. The memory in use is watched (watch.ts). */
const reservedBytes = 2 ** 30;

function commandOf(container: Container, settings: ContainerSettings) {
  const { root, toolchain, request, output } = container;
  const { limits } = settings;
  const read = [...toolchain.path, ...toolchain.read];
  const process = { ...limits.process, dataBytes: container.memoryLimit + reservedBytes, fileBytes: limits.disk };
  const wanted = { isolation: settings.isolation, root, read, limits: process };
  const policy =
    container.kind === "chaincode"
      ? chaincodePolicy(wanted, chaincodePort(request.command))
      : buildPolicy(wanted, settings.buildPorts);
  return {
    command: request.command.map((word) => rewritePaths(word, root)),
    environment: environmentOf(container, settings),
    directory: join(root, toolchain.workingDirectory),
    policy,
    output: (stream: OutputStream, data: Buffer) => output.write(stream, data),
  };
}

function environmentOf(
  { root, toolchain, kind, imageEnvironment, memoryLimit, request }: Container,
  { path, buildEnvironment }: ContainerSettings,
): Readonly<Record<string, string>> {
  const fromToolchain = Object.entries(toolchain.environment).map(([name, value]) => [
    name,
    value.replaceAll("{root}", root).replaceAll("{memory}", String(memoryLimit)),
  ]);
  const given = [...imageEnvironment, ...request.environment].map((pair) => {
    const equals = pair.indexOf("=");
    const name = equals < 0 ? pair : pair.slice(0, equals);
    return [name, equals < 0 ? "" : rewritePaths(pair.slice(equals + 1), root)];
  });
  return {
    ...(kind === "build" ? buildEnvironment : {}),
    HOME: `${root}/tmp`,
    TMPDIR: `${root}/tmp`,
    CONTAINER_ROOT: root,
    ...(Object.fromEntries([...fromToolchain, ...given]) as Record<string, string>),
    PATH: [`${root}/usr/local/bin`, ...toolchain.path, path].join(":"),
  };
}
