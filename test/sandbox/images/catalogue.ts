import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cluster } from "../cluster.ts";
import type { FabricRelease } from "../fabric-release.ts";
import type { Layout } from "../layout.ts";
import { dockerVersion, goBuilds, programsOf, type GoBuild } from "../programs.ts";
import { path, type FilePart, type ImageRecipe, type LayerRecipe } from "./recipe.ts";

/** Which of our Go builds an image's files come from. */
export interface CatalogueEntry {
  readonly recipe: ImageRecipe;
  readonly builds: readonly GoBuild["name"][];
}

/** Fabric's present releases: chaincode images are asked for by X.Y. */
const fabricLines = ["2.5", "3.0", "3.1"];

const nodeVersion = "24.21.0";
const npmVersion = "11.21.2";

const program = (to: string, from: string): FilePart => ({ to, from, mode: 0o755 });
const script = (to: string, name: string): FilePart => ({
  to,
  text: readFileSync(join(import.meta.dirname, name), "utf8"),
  mode: 0o755,
});

const smallDebian: LayerRecipe = { name: "debian-small", debian: ["busybox-static", "libstdc++6"], busybox: true };

const nodeRuntime: LayerRecipe = {
  name: "node",
  npm: [{ spec: `node-linux-${process.arch}@${nodeVersion}`, from: "bin/node", to: "usr/local/bin/node" }],
};

const npmRuntime: LayerRecipe = {
  name: "npm",
  npm: [{ spec: `npm@${npmVersion}`, from: ".", to: "usr/local/lib/node_modules/npm" }],
  // Nothing to reach: npm must not look for a newer self.
  files: [{ to: "usr/local/etc/npmrc", text: "update-notifier=false\naudit=false\nfund=false\n", mode: 0o644 }],
  links: {
    "usr/local/bin/npm": "../lib/node_modules/npm/bin/npm-cli.js",
    "usr/local/bin/npx": "../lib/node_modules/npm/bin/npx-cli.js",
  },
};

/** The images that need nothing but this repository; those of Fabric and of the webhook depend on what is there. */
export function catalogue(
  layout: Layout,
  releases: readonly FabricRelease[],
  repository: string,
): readonly CatalogueEntry[] {
  return [
    pause(layout),
    coredns(layout),
    testNode(),
    docker28(layout),
    docker20(),
    ...webhook(repository),
    ...runner(layout, repository),
    ...plugin(repository),
    ...releases.flatMap((release) => [peer(release), orderer(release)]),
    ...emulator(emulatorBundle(layout)),
    nodeenv(releases),
  ];
}

/** What the cluster itself cannot start without. */
export const essentialImages: readonly string[] = ["pause", "coredns"];

function pause(layout: Layout): CatalogueEntry {
  return {
    builds: ["pause"],
    recipe: {
      name: "pause",
      tags: [cluster.pauseImage],
      layers: [{ name: "pause", files: [program("pause", join(programsOf(goBuilds.pause, layout), "pause"))] }],
      config: { Entrypoint: ["/pause"], User: "65535:65535" },
      loaded: true,
    },
  };
}

function coredns(layout: Layout): CatalogueEntry {
  const from = join(programsOf(goBuilds.coredns, layout), "coredns");
  return {
    builds: ["coredns"],
    recipe: {
      name: "coredns",
      tags: ["docker.io/local/coredns:1"],
      layers: [{ name: "coredns", files: [program("coredns", from)] }],
      config: { Entrypoint: ["/coredns"] },
      loaded: true,
    },
  };
}

function testNode(): CatalogueEntry {
  const debian: LayerRecipe = { name: "debian-curl", debian: ["busybox-static", "libstdc++6", "curl"], busybox: true };
  return {
    builds: [],
    recipe: {
      name: "node",
      tags: ["docker.io/local/node:1"],
      standsInFor: `node:slim (Node ${nodeVersion} and curl on Debian libraries, busybox for the rest)`,
      layers: [debian, nodeRuntime],
      config: { Cmd: ["node"], Env: [path] },
      loaded: true,
    },
  };
}

const dindConfig = {
  Entrypoint: ["dockerd-entrypoint.sh"],
  Cmd: [],
  Env: [path],
  // As in the official image: overlay on overlay is impossible, so the graph is never in the image's own layer.
  Volumes: { "/var/lib/docker": {} },
} as const;

/** Debian chooses by alternatives, which extracted packages have not set up. */
const iptablesLinks = Object.fromEntries(
  ["iptables", "iptables-save", "iptables-restore", "ip6tables", "ip6tables-save", "ip6tables-restore"].map((name) => [
    `usr/sbin/${name}`,
    "xtables-nft-multi",
  ]),
);

/** Perl and account tools come along as dependencies of scripts that an image never runs. */
const scriptsOnly = [
  "usr/bin/perl",
  "usr/bin/perl5.36.0",
  "usr/bin/perl5.36-x86_64-linux-gnu",
  "usr/share/perl",
  "usr/share/perl5",
  "usr/lib/x86_64-linux-gnu/perl",
  "usr/lib/x86_64-linux-gnu/perl-base",
  "usr/lib/x86_64-linux-gnu/perl5",
  "usr/lib/aarch64-linux-gnu/perl",
  "usr/lib/aarch64-linux-gnu/perl-base",
  "usr/share/debconf",
];

function docker28(layout: Layout): CatalogueEntry {
  const docker = (name: string) => program(`usr/local/bin/${name}`, join(programsOf(goBuilds.docker, layout), name));
  const containerd = (name: string) =>
    program(`usr/local/bin/${name}`, join(programsOf(goBuilds.containerd, layout), name));
  const debian: LayerRecipe = {
    name: "debian-docker-28",
    debian: ["busybox-static", "iptables", "runc", "tini", "util-linux"],
    drop: scriptsOnly,
    links: { ...iptablesLinks, "usr/local/bin/docker-init": "/usr/bin/tini-static" },
    busybox: true,
  };
  const programs: LayerRecipe = {
    name: "docker-28",
    files: [
      ...["docker", "dockerd", "docker-proxy"].map(docker),
      ...["containerd", "containerd-shim-runc-v2"].map(containerd),
      script("usr/local/bin/dockerd-entrypoint.sh", "dockerd-entrypoint.sh"),
    ],
  };
  return {
    builds: ["docker", "containerd"],
    recipe: {
      name: "docker-28-dind",
      tags: ["docker.io/library/docker:28-dind"],
      standsInFor: `docker:28-dind (Docker ${dockerVersion} and containerd built from Go modules, Debian's runc and iptables; no BuildKit client)`,
      layers: [debian, programs],
      config: dindConfig,
      loaded: true,
    },
  };
}

function docker20(): CatalogueEntry {
  const layer: LayerRecipe = {
    name: "docker-20.10",
    debian: ["busybox-static", "docker.io", "iptables", "util-linux"],
    drop: [
      ...scriptsOnly,

      "usr/bin/dnet",
      "usr/sbin/ovrouter",
      "usr/bin/ctr",
      "usr/bin/containerd-shim",
      "usr/bin/containerd-shim-runc-v1",
    ],
    files: [script("usr/local/bin/dockerd-entrypoint.sh", "dockerd-entrypoint.sh")],
    links: iptablesLinks,
    busybox: true,
  };
  return {
    builds: [],
    recipe: {
      name: "docker-20.10-dind",
      tags: ["docker.io/library/docker:20.10-dind"],
      standsInFor: "docker:20.10-dind (Debian's docker.io 20.10; no BuildKit client)",
      layers: [layer],
      config: dindConfig,
      loaded: true,
    },
  };
}

/** Absent until `npm run build` has made its program. */
function webhook(repository: string): readonly CatalogueEntry[] {
  const bundle = join(repository, "dist/webhook.cjs");
  if (!existsSync(bundle)) return [];
  const { version } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as { version: string };
  const application: LayerRecipe = {
    name: "webhook",
    files: [{ to: "app/webhook.cjs", from: bundle, mode: 0o644 }],
  };
  return [
    {
      builds: [],
      recipe: {
        name: "webhook",
        tags: [`docker.io/kubectlfabric/webhook:${version}`],
        standsInFor: `kubectlfabric/webhook:${version} (this repository's dist/webhook.cjs on Node ${nodeVersion})`,
        layers: [smallDebian, nodeRuntime, application],
        config: {
          Entrypoint: ["node", "--max-semi-space-size=4", "/app/webhook.cjs"],
          Env: [path, "NODE_ENV=production"],
          User: "65532:65532",
          WorkingDir: "/app",
        },
        loaded: true,
      },
    },
  ];
}

/** The plugin as Pods of the cluster run it, for scheduled commands. Absent until `npm run build` has made its program. */
function plugin(repository: string): readonly CatalogueEntry[] {
  const dist = join(repository, "dist");
  const bundle = join(dist, "kubectl-fabric.js");
  if (!existsSync(bundle)) return [];
  const { version } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as { version: string };
  const chunks = readdirSync(join(dist, "chunks")).filter((name) => name.endsWith(".js"));
  const application: LayerRecipe = {
    name: "plugin",
    files: [
      { to: "app/dist/kubectl-fabric.js", from: bundle, mode: 0o644 },
      ...chunks.map((name) => ({ to: `app/dist/chunks/${name}`, from: join(dist, "chunks", name), mode: 0o644 })),
      { to: "app/package.json", text: '{"type":"module"}\n', mode: 0o644 },
    ],
  };
  return [
    {
      builds: [],
      recipe: {
        name: "plugin",
        tags: [`docker.io/kubectlfabric/plugin:${version}`],
        standsInFor: `kubectlfabric/plugin:${version} (this repository's dist/kubectl-fabric.js on Node ${nodeVersion})`,
        layers: [smallDebian, nodeRuntime, application],
        config: {
          Entrypoint: ["node", "/app/dist/kubectl-fabric.js"],
          Env: [path, "NODE_ENV=production"],
          User: "65532:65532",
          WorkingDir: "/app",
        },
        loaded: true,
      },
    },
  ];
}

/** Where the runner's toolchain for Go looks for it, and where Go's own archives are unpacked to. */
const goRoot = "/usr/local/go";

/** This machine's Go, with the C compiler by which Fabric has chaincode linked (core/chaincode/platforms/golang); none where none is. */
function goToolchain(): readonly LayerRecipe[] {
  if (!existsSync(join(goRoot, "bin/go"))) return [];
  const compiler: LayerRecipe = {
    name: "debian-gcc",
    debian: ["gcc", "libc6-dev"],
    drop: [...scriptsOnly, ...["lto1", "g++-mapper-server"].map((name) => `usr/lib/gcc/x86_64-linux-gnu/12/${name}`)],
  };
  const go: LayerRecipe = {
    name: "go",
    trees: [
      {
        from: goRoot,
        to: goRoot.slice(1),
        version: readFileSync(join(goRoot, "VERSION"), "utf8"),
        except: [
          "^(api|doc|misc|test)$",
          "(^|/)testdata$",
          "_test\\.go$",
          "^src/cmd/",
          "^pkg/tool/[^/]+/(cover|fix|preprofile|vet)$",
        ],
      },
    ],
  };
  return [compiler, go];
}

/** Absent until `npm run build` has made its program. Chaincode in Node.js without native modules, and in Go where this machine has it. */
function runner(layout: Layout, repository: string): readonly CatalogueEntry[] {
  const bundle = join(repository, "dist/runner.cjs");
  if (!existsSync(bundle)) return [];
  const { version } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8")) as { version: string };
  const place = (name: string, mode: number): FilePart => ({
    to: `opt/runner/toolchains/${name}`,
    from: join(repository, "runner/toolchains", name),
    mode,
  });
  const go = goToolchain();
  const application: LayerRecipe = {
    name: "runner",
    files: [
      { to: "opt/runner/runner.cjs", from: bundle, mode: 0o644 },
      program("opt/runner/confine", join(programsOf(goBuilds.confine, layout), "confine")),
      place("node/toolchain.json", 0o644),
      place("node/root/chaincode/build.sh", 0o755),
      place("node/root/chaincode/start.sh", 0o755),
      place("node/root/chaincode/link-commands.mjs", 0o644),
      ...(go.length > 0 ? [place("go/toolchain.json", 0o644)] : []),
    ],
    links: { "usr/local/bin/docker": "/opt/runner/confine" },
  };
  return [
    {
      builds: ["confine"],
      recipe: {
        name: "runner",
        tags: [`docker.io/kubectlfabric/runner:${version}`],
        standsInFor: `kubectlfabric/runner:${version} (this repository's dist/runner.cjs on Node ${nodeVersion} with npm ${npmVersion}: Node.js chaincode without native modules; Go chaincode by this machine's ${goRoot}, where there is one)`,
        layers: [smallDebian, nodeRuntime, npmRuntime, ...go, application],
        config: {
          Entrypoint: ["node", "/opt/runner/runner.cjs"],
          Env: [path, "NODE_ENV=production", "NODE_OPTIONS=--max-old-space-size=96"],
          User: "10001:7052",
          WorkingDir: "/opt/runner",
        },
        loaded: true,
      },
    },
  ];
}

/** Peers' and orderers' programs are static in builds without cgo; a downloaded release needs libc. */
const fabricDebian: LayerRecipe = {
  name: "debian-fabric",
  debian: ["busybox-static", "bash", "libc6"],
  files: [{ to: "etc/nsswitch.conf", text: "hosts: files dns\n", mode: 0o644 }],
  busybox: true,
};

const fabricConfig = "etc/hyperledger/fabric";
const fabricVolumes = { "/etc/hyperledger/fabric": {}, "/var/hyperledger": {} };

/** As images/peer/Dockerfile of the Fabric release. */
function peer(release: FabricRelease): CatalogueEntry {
  const builders = ["build", "detect", "release"].map((name) => `builders/ccaas/bin/${name}`);
  const files = [
    program("usr/local/bin/peer", join(release.home, "bin/peer")),
    { to: `${fabricConfig}/core.yaml`, from: join(release.home, "config/core.yaml"), mode: 0o644 },
    ...builders
      .filter((file) => existsSync(join(release.home, file)))
      .map((file) =>
        program(file.replace("builders/ccaas", "opt/hyperledger/ccaas_builder"), join(release.home, file)),
      ),
  ];
  return fabricImage(release, "peer", [...files, ...sampleMsp(release)], 7051, ["peer", "node", "start"]);
}

/** As images/orderer/Dockerfile of the Fabric release. */
function orderer(release: FabricRelease): CatalogueEntry {
  const files = [
    program("usr/local/bin/orderer", join(release.home, "bin/orderer")),
    ...["orderer.yaml", "configtx.yaml"].map((name) => ({
      to: `${fabricConfig}/${name}`,
      from: join(release.home, "config", name),
      mode: 0o644,
    })),
  ];
  return fabricImage(release, "orderer", [...files, ...sampleMsp(release)], 7050, ["orderer", "start"]);
}

/** Images before 3.0 carry the sample MSP; a downloaded release has it not always. */
function sampleMsp({ home, line, sampleMspFiles }: FabricRelease): readonly FilePart[] {
  if (!line.startsWith("2.")) return [];
  return sampleMspFiles.map((name) => ({
    to: `${fabricConfig}/msp/${name}`,
    from: join(home, "config/msp", name),
    mode: 0o644,
  }));
}

function fabricImage(
  release: FabricRelease,
  name: "peer" | "orderer",
  files: readonly FilePart[],
  port: number,
  command: readonly string[],
): CatalogueEntry {
  return {
    builds: [],
    recipe: {
      name: `fabric-${name}-${release.line}`,
      tags: [`docker.io/hyperledger/fabric-${name}:${release.line}`],
      standsInFor: `hyperledger/fabric-${name}:${release.line} (program of Fabric ${release.version} on Debian libraries)`,
      layers: [fabricDebian, { name: `fabric-${name}-${release.line}`, files, directories: ["var/hyperledger"] }],
      config: {
        Cmd: command,
        Env: [path, "FABRIC_CFG_PATH=/etc/hyperledger/fabric", `FABRIC_VER=${release.version}`],
        ExposedPorts: { [`${port}/tcp`]: {} },
        Volumes: fabricVolumes,
      },
      loaded: true,
    },
  };
}

/** Where the bundled emulator is kept (test/emulator). */
export const emulatorBundle = (layout: Layout): string => join(layout.cache, "emulator/fabric");

/** Peer and orderer for machines without a release of Fabric: one program by two names. Absent until it is bundled. */
function emulator(bundle: string): readonly CatalogueEntry[] {
  if (!existsSync(bundle)) return [];
  const image = (name: "peer" | "orderer", port: number, command: readonly string[]): CatalogueEntry => ({
    builds: [],
    recipe: {
      name: `fabric-${name}-emulator`,
      tags: [`docker.io/hyperledger/fabric-${name}:emulator`],
      standsInFor: `hyperledger/fabric-${name} (the emulator of this repository on Node ${nodeVersion}: not Fabric)`,
      layers: [
        smallDebian,
        nodeRuntime,
        {
          name: `emulator-${name}`,
          files: [program(`usr/local/bin/${name}`, bundle)],
          directories: ["etc/hyperledger/fabric", "var/hyperledger"],
        },
      ],
      config: {
        Cmd: command,
        Env: [path, "FABRIC_CFG_PATH=/etc/hyperledger/fabric"],
        ExposedPorts: { [`${port}/tcp`]: {} },
        Volumes: fabricVolumes,
      },
      loaded: true,
    },
  });
  return [image("peer", 7051, ["peer", "node", "start"]), image("orderer", 7050, ["orderer", "start"])];
}

/** Builds and runs Node.js chaincode inside DinD: an archive for `docker load`, nothing for the cluster. */
function nodeenv(releases: readonly FabricRelease[]): CatalogueEntry {
  const lines = [...new Set([...fabricLines, ...releases.map(({ line }) => line)])].sort();
  const builder: LayerRecipe = {
    ...npmRuntime,
    files: [
      script("chaincode/build.sh", "nodeenv-build.sh"),
      script("chaincode/start.sh", "nodeenv-start.sh"),
      ...(npmRuntime.files ?? []),
    ],
    directories: ["chaincode/input", "chaincode/output", "usr/local/src"],
  };
  return {
    builds: [],
    recipe: {
      name: "fabric-nodeenv",
      tags: lines.map((line) => `docker.io/hyperledger/fabric-nodeenv:${line}`),
      standsInFor: `hyperledger/fabric-nodeenv (Node ${nodeVersion} and npm ${npmVersion}, offline; no compiler for native modules)`,
      layers: [smallDebian, nodeRuntime, builder],
      config: { Cmd: ["node"], Env: [path] },
      loaded: false,
    },
  };
}
