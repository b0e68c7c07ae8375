import type { V1Secret } from "@kubernetes/client-node";
import { ClusterApiError, type ClusterApi } from "../cluster-api.ts";
import { splitBundle, type KeyPair } from "./certificate.ts";
import type { CertificateStore, Versioned, Written } from "./store.ts";

/** Names of the objects with our certificates. The manifests create them: our rights are to change them, not to create them. */
export interface CertificateObjects {
  readonly namespace: string;
  readonly authoritySecret: string;
  readonly leafSecret: string;
  readonly configuration: string;
}

const certEntry = "tls.crt";
const keyEntry = "tls.key";
const bundleEntry = "ca.crt";

/** The store in a cluster. */
export function newClusterStore(api: ClusterApi, names: CertificateObjects): CertificateStore {
  const { namespace, authoritySecret, leafSecret, configuration } = names;

  const readSecret = (name: string): Promise<V1Secret> => api.readNamespacedSecret({ name, namespace });

  /** Replaces a Secret's data and keeps its labels and owners. */
  const writeSecret = async (
    name: string,
    data: Readonly<Record<string, string>>,
    resourceVersion: string,
  ): Promise<Written> => {
    const secret = await readSecret(name);
    const encoded = Object.fromEntries(
      Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString("base64")]),
    );
    const body = Object.assign(secret, {
      data: encoded,
      metadata: Object.assign({}, secret.metadata, { resourceVersion }),
    });
    return written(api.replaceNamespacedSecret({ name, namespace, body }));
  };

  return {
    readAuthority: async () => {
      const secret = await readSecret(authoritySecret);
      const [cert = ""] = splitBundle(textOf(secret, certEntry));
      return versioned(secret, {
        cert,
        key: textOf(secret, keyEntry),
        bundle: splitBundle(textOf(secret, bundleEntry)),
      });
    },
    writeAuthority: ({ cert, key, bundle }, resourceVersion) =>
      writeSecret(
        authoritySecret,
        { [certEntry]: cert, [keyEntry]: key, [bundleEntry]: bundle.join("") },
        resourceVersion,
      ),
    readLeaf: async () => {
      const secret = await readSecret(leafSecret);
      return versioned<KeyPair>(secret, { cert: textOf(secret, certEntry), key: textOf(secret, keyEntry) });
    },
    writeLeaf: ({ cert, key }, resourceVersion) =>
      writeSecret(leafSecret, { [certEntry]: cert, [keyEntry]: key }, resourceVersion),
    readTrusted: async () => {
      const found = await api.readMutatingWebhookConfiguration({ name: configuration });
      const bundles = (found.webhooks ?? []).map(({ clientConfig }) => splitBundle(decoded(clientConfig.caBundle)));
      return versioned(found, bundles);
    },
    writeTrusted: async (bundle, resourceVersion) => {
      const found = await api.readMutatingWebhookConfiguration({ name: configuration });
      const caBundle = Buffer.from(bundle.join("")).toString("base64");
      // A strategic merge finds each webhook by its name and changes nothing else of it. With the version it fails after another write.
      const webhooks = (found.webhooks ?? []).map(({ name }) => ({ name, clientConfig: { caBundle } }));
      const body = { metadata: { resourceVersion }, webhooks };
      return written(api.patchMutatingWebhookConfiguration({ name: configuration, body }));
    },
  };
}

function textOf({ data }: V1Secret, key: string): string {
  return decoded(data?.[key]);
}

function decoded(base64: string | undefined): string {
  return Buffer.from(base64 ?? "", "base64").toString("utf8");
}

function versioned<T>(
  { metadata }: { readonly metadata?: { readonly resourceVersion?: string } },
  value: T,
): Versioned<T> {
  return { value, resourceVersion: metadata?.resourceVersion ?? "" };
}

async function written(request: Promise<unknown>): Promise<Written> {
  try {
    await request;
    return "written";
  } catch (thrown) {
    if (thrown instanceof ClusterApiError && thrown.status === 409) return "conflict";
    throw thrown;
  }
}
