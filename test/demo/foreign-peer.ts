import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createCertificateAuthority,
  issueEnrolmentCertificate,
} from "../../core/fabric/identity/certificate-authority.ts";
import { nodeOusConfig } from "../../core/fabric/identity/msp.ts";
import type { Shell } from "./shell.ts";

interface Demo {
  /** " --context NAME", or nothing. */
  readonly flags: () => string;
  readonly version: string;
  readonly step: <T>(title: string, action: () => Promise<T>) => Promise<T>;
}

const namespace = "legacy";

/** A peer that somebody else deployed, before and after the annotation. */
export async function foreignPeer(shell: Shell, { flags, version, step }: Demo): Promise<void> {
  const kubectl = `kubectl${flags()} -n ${namespace}`;
  await step("Somebody else's peer: plain YAML, chaincode through the node's docker.sock", async () => {
    await shell.read(
      `kubectl${flags()} create namespace ${namespace} --dry-run=client -o yaml | kubectl${flags()} apply -f -`,
    );
    await inFolder(async (folder) => {
      await writeIdentity(folder);
      await shell.read(
        `${kubectl} create secret generic legacy-peer --from-file=${folder} --dry-run=client -o yaml | ${kubectl} apply -f -`,
      );
    });
    const manifest = await readFile(join(import.meta.dirname, "foreign-peer.yaml"), "utf8");
    await inFolder(async (folder) => {
      const file = join(folder, "peer.yaml");
      await writeFile(file, manifest.replaceAll("fabric-peer:3.1", `fabric-peer:${version}`));
      await shell.read(`${kubectl} apply -f ${file}`);
    });
    await shell.run(`${kubectl} get deployment legacy-peer -o jsonpath='${volumePath}{"\\n"}'`);
  });
  await step("The same peer with one label and one annotation", async () => {
    await shell.run(`kubectl${flags()} label namespace ${namespace} kubectl-fabric.io/injection=enabled --overwrite`);
    const patch = '{"spec":{"template":{"metadata":{"annotations":{"kubectl-fabric.io/inject":"true"}}}}}';
    await shell.run(`${kubectl} patch deployment legacy-peer -p '${patch}'`);
    await shell.run(`${kubectl} rollout status deployment legacy-peer --timeout=180s`);
  });
  await step(
    "What became of it: a daemon of its own, no docker.sock, and its health check reaches that daemon",
    async () => {
      const running = "--field-selector=status.phase=Running -o jsonpath={.items[0].metadata.name}";
      const pod = await shell.read(`${kubectl} get pods -l app=legacy-peer ${running}`);
      const sidecars = '{range .spec.initContainers[*]}{.name}{"  "}{.image}{"\\n"}{end}';
      await shell.run(`${kubectl} get pod ${pod} -o jsonpath='${sidecars}'`);
      const environment = '{range .spec.containers[0].env[*]}{.name}={.value}{"\\n"}{end}';
      await shell.run(`${kubectl} get pod ${pod} -o jsonpath='${environment}' | grep -E 'CORE_VM|CORE_PEER_CHAINCODE'`);
      await shell.run(`${kubectl} get pod ${pod} -o yaml | grep hostPath || echo "no hostPath left"`);
    },
  );
}

const volumePath = "{.spec.template.spec.volumes[0].hostPath.path}";

export async function removeForeignPeer(shell: Shell, flags: () => string): Promise<void> {
  await shell.run(`kubectl${flags()} delete namespace ${namespace} --ignore-not-found`);
}

/** An MSP of its own: this organization has nothing to do with the network that was made above. */
async function writeIdentity(folder: string): Promise<void> {
  const now = new Date();
  const authority = await createCertificateAuthority({ commonName: "ca.legacy", organization: "legacy", now });
  const peer = await issueEnrolmentCertificate(authority, { commonName: "legacy-peer", role: "peer", now });
  const files = {
    "msp-config.yaml": nodeOusConfig("cacerts/ca.pem"),
    "msp-ca.pem": authority.certificate,
    "msp-cert.pem": peer.certificate,
    "msp-key.pem": peer.privateKey,
  };
  await Promise.all(
    Object.entries(files).map(([name, content]) => writeFile(join(folder, name), content, { mode: 0o600 })),
  );
}

async function inFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "kubectl-fabric-demo-"));
  try {
    await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
