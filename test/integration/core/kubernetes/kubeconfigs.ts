// Kubeconfigs and environments as people have them, and what kubectl sends or refuses: from the sources of client-go (tools/clientcmd,
// transport, plugin/pkg/client/auth/exec) and golang.org/x/net/http/httpproxy, each compared with kubectl 1.32.
import type { KeyPair, RecordingServers, Sent } from "./recording-servers.ts";

export interface Row {
  /** By name below the row's folder, which is HOME and the working directory. What begins with "#!" can be executed. */
  readonly files: Readonly<Record<string, string>>;
  /** As `--kubeconfig`; "config" unless there is KUBECONFIG or ~/.kube/config. */
  readonly kubeconfig?: string;
  readonly context?: string;
  /** "{}" stands for the folder. */
  readonly env?: Readonly<Record<string, string>>;
  /** What arrives; the path is /version unless told. */
  readonly sends?: Partial<Sent>;
  /** The error's message. */
  readonly refused?: RegExp;
  /** What kubectl does where we refuse more than it does. */
  readonly kubectl?: string;
}

export interface Facts extends Pick<
  RecordingServers,
  "tlsPort" | "httpPort" | "proxyPort" | "tlsProxyPort" | "socksPort" | "authority"
> {
  readonly ann: KeyPair;
  readonly other: KeyPair;
}

interface Config {
  readonly user?: object | null;
  readonly cluster?: object;
  readonly context?: object;
  readonly more?: object;
}

const bearer = (token: string): Partial<Sent> => ({ authorization: `Bearer ${token}` });
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const v1 = "client.authentication.k8s.io/v1";
const v1beta1 = "client.authentication.k8s.io/v1beta1";

/** A plugin that answers with this status. */
const plugin = (status: object, apiVersion = v1): string =>
  `#!/bin/sh\ncat <<'END'\n${JSON.stringify({ kind: "ExecCredential", apiVersion, status })}\nEND\n`;
/** A plugin whose token is what it was told: the test decodes it. */
const tells = (apiVersion = v1): string =>
  `#!/bin/sh\ntoken=$(printf %s "$KUBERNETES_EXEC_INFO" | base64 | tr -d '\\n')\nprintf '{"apiVersion":"${apiVersion}","kind":"ExecCredential","status":{"token":"told.%s"}}' "$token"\n`;
const told = (spec: object, apiVersion = v1): Partial<Sent> =>
  bearer(`told ${JSON.stringify({ apiVersion, kind: "ExecCredential", spec })}`);
const exec = (more: object = {}) => ({
  exec: { apiVersion: v1, command: "./login", interactiveMode: "Never", ...more },
});
const jwt = (exp: number): string =>
  ["{}", JSON.stringify({ exp })].map((part) => Buffer.from(part).toString("base64url")).join(".") + ".s";

export function kubeconfigs({
  tlsPort,
  httpPort,
  proxyPort,
  tlsProxyPort,
  socksPort,
  authority,
  ann,
  other,
}: Facts): Record<string, Row> {
  const server = `https://127.0.0.1:${tlsPort}`;
  /** Not loopback by Go's rule, and yet here. */
  const elsewhere = `https://0.0.0.0:${tlsPort}`;
  const behind = "https://api.lab.example:6443";
  const [proxy, socks] = [`127.0.0.1:${proxyPort}`, `127.0.0.1:${socksPort}`];
  const ca = { "certificate-authority-data": base64(authority.cert) };
  const config = (
    { user = { token: "t" }, cluster = {}, context = {}, more = {} }: Config = {},
    name = "lab",
  ): string =>
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": name,
      clusters: [{ name, cluster: { server, ...ca, ...cluster } }],
      contexts: [{ name, context: { cluster: name, user: name, ...context } }],
      users: user === null ? [] : [{ name, user }],
      ...more,
    });
  const with_ = (user: object | null, rest: Omit<Config, "user"> = {}) => ({ config: config({ user, ...rest }) });
  const at = (address: string, cluster: object = {}) =>
    with_({ token: "t" }, { cluster: { server: address, ...cluster } });
  const noCa = { "certificate-authority-data": "" };
  const pem = { "client-certificate-data": base64(ann.cert), "client-key-data": base64(ann.key) };

  return {
    // Files
    "--kubeconfig": { files: with_({ token: "t" }), sends: bearer("t") },
    "a kubeconfig in YAML, with a byte order mark and CRLF": {
      files: {
        config:
          `\uFEFFcurrent-context: a\nclusters:\n- name: a\n  cluster:\n    server: ${server}\n    insecure-skip-tls-verify: yes\nusers:\n- name: a\n  user: &ann\n    token: t\n- name: b\n  user:\n    <<: *ann\n    as: bob\ncontexts:\n- name: a\n  context: {cluster: a, user: b}\n`.replaceAll(
            "\n",
            "\r\n",
          ),
      },
      sends: { ...bearer("t"), impersonate: { user: "bob" } },
    },
    "~/.kube/config": { files: { ".kube/config": config() }, sends: bearer("t") },
    "an empty KUBECONFIG is none": {
      files: { ".kube/config": config() },
      env: { KUBECONFIG: "" },
      sends: bearer("t"),
    },
    "KUBECONFIG: the first file's entry wins, and is not completed by another's": {
      files: { a: config({ user: { token: "a" } }), b: config({ user: { token: "b", as: "bob" } }) },
      env: { KUBECONFIG: "{}/a:{}/b" },
      sends: bearer("a"),
    },
    "KUBECONFIG: missing and empty files, and no file at all, do not count": {
      files: { empty: "", comment: "# later\n", a: config() },
      env: { KUBECONFIG: "{}/none::{}/empty:{}/comment:{}/a" },
      sends: bearer("t"),
    },
    "KUBECONFIG: the current context is the first file's that has one": {
      files: { a: config({ more: { "current-context": "" } }, "a"), b: config({ user: { token: "b" } }, "b") },
      env: { KUBECONFIG: "{}/a:{}/b" },
      sends: bearer("b"),
    },
    "KUBECONFIG: context, cluster and user of different files": {
      files: {
        contexts: JSON.stringify({
          contexts: [{ name: "x", context: { cluster: "lab", user: "y" } }],
          "current-context": "x",
        }),
        clusters: config(),
        users: JSON.stringify({ users: [{ name: "y", user: { tokenFile: "token" } }] }),
        token: "of-y",
      },
      env: { KUBECONFIG: "{}/contexts:{}/clusters:{}/users" },
      sends: bearer("of-y"),
    },
    "--context": {
      files: with_({ token: "t" }, { more: { "current-context": "none" } }),
      context: "lab",
      sends: bearer("t"),
    },
    "an unknown --context": {
      files: with_({ token: "t" }),
      context: "nowhere",
      refused: /^expected a context named "nowhere", found lab$/,
    },
    "no current context": {
      files: with_({ token: "t" }, { more: { "current-context": "" } }),
      refused: /^expected a current context, found lab$/,
      kubectl: "goes to localhost:8080",
    },
    "a current context that is not there": {
      files: with_({ token: "t" }, { more: { "current-context": "gone" } }),
      refused: /^expected a context named "gone", found lab$/,
    },
    "a context without its cluster": {
      files: with_({ token: "t" }, { context: { cluster: "gone" } }),
      refused: /names the cluster "gone", which is not there$/,
      kubectl: "goes to localhost:8080",
    },
    "a folder": { files: { "config/x": "" }, refused: /^expected a kubeconfig in .*config, got: EISDIR/ },
    "no YAML": { files: { config: "clusters: [\n" }, refused: /^expected a kubeconfig in .*config, got: / },
    "a text": { files: { config: "s3cret\n" }, refused: /got: expected fields in the file, found a string$/ },
    "two documents": {
      files: { config: `${config()}\n---\n${config()}` },
      refused: /got: several documents$/,
      kubectl: "reads the first",
    },
    "another kind": { files: { config: "kind: Pod\napiVersion: v1\n" }, refused: /expected kind: Config, found Pod$/ },
    "two entries of a name in a file": {
      files: with_(null, { more: { users: ["a", "b"].map((token) => ({ name: "lab", user: { token } })) } }),
      refused: /expected one user named "lab", found two$/,
    },
    "a field twice": {
      files: { config: config({ user: { x: 1 } }).replace('"x":1', '"token":"a","token":"b"') },
      sends: bearer("b"),
    },
    "a number for a text": {
      files: with_({ token: 12_345 }),
      refused: /expected text in users\[0\]\.user\.token, found a number$/,
    },
    "base64 with broken lines": {
      files: with_(
        { token: "t" },
        { cluster: { "certificate-authority-data": base64(authority.cert).replaceAll(/.{64}/g, "$&\n") } },
      ),
      sends: bearer("t"),
    },
    "broken base64": {
      files: with_({ token: "t" }, { cluster: { "certificate-authority-data": "-" } }),
      refused: /expected base64 in clusters\[0\]\.cluster\.certificate-authority-data, found something else$/,
    },
    "fields that change no request": {
      files: with_(
        { token: "t", extensions: [{ name: "x", extension: { a: 1 } }] },
        { cluster: { "disable-compression": true }, more: { preferences: { colors: true }, extensions: [] } },
      ),
      sends: bearer("t"),
    },
    "an unknown field of the user": {
      files: with_({ token: "t", tokenfile: "token" }),
      refused: /^expected fields of a kubeconfig in user lab in .*config, found tokenfile$/,
      kubectl: "passes over it",
    },
    "an unknown field of the file": {
      files: with_({ token: "t" }, { more: { current_context: "lab" } }),
      refused: /got: expected fields of a kubeconfig, found current_context$/,
      kubectl: "passes over it",
    },
    "an unknown field of a user who is not used": {
      files: with_(null, {
        more: {
          users: [
            { name: "lab", user: { token: "t" } },
            { name: "x", user: { tokn: 1 } },
          ],
        },
      }),
      sends: bearer("t"),
    },

    // Tokens, names and passwords
    "a token's file": {
      files: { "c/config": config({ user: { tokenFile: "../token" } }), token: " t\n\n" },
      kubeconfig: "c/config",
      sends: bearer("t"),
    },
    "a token and a token's file: the file": {
      files: { ...with_({ token: "a", tokenFile: "token" }), token: "b" },
      sends: bearer("b"),
    },
    "a token and a token's file that is missing": {
      files: with_({ token: "a", tokenFile: "token" }),
      sends: bearer("a"),
    },
    "a token's file that is missing": {
      files: with_({ tokenFile: "token" }),
      refused: /^expected a token in .*token, got: ENOENT/,
    },
    "a token's file that is empty": {
      files: { ...with_({ tokenFile: "token" }), token: "\n" },
      refused: /got: nothing in it$/,
    },
    "a token with a line break": {
      files: with_({ token: "t\n" }),
      refused: /^expected a token of user lab without line breaks/,
    },
    "a token in another script": {
      files: with_({ token: "größe" }),
      sends: bearer(Buffer.from("größe").toString("latin1")),
    },
    "name and password": {
      files: with_({ username: "ann", password: "p:ä" }),
      sends: { authorization: `Basic ${base64("ann:p:ä")}` },
    },
    "name, password and a token": {
      files: with_({ username: "ann", password: "p", token: "t" }),
      refused: /^expected username and password or token in user lab in .*, found both$/,
    },
    "name, password and a token's file": {
      files: { ...with_({ username: "ann", password: "p", tokenFile: "token" }), token: "t" },
      refused: /found both$/,
    },
    "a password without a name": { files: with_({ password: "p" }), refused: /^expected username beside password/ },
    "no credentials": { files: with_({}), refused: /^expected credentials in user lab in .*, found none$/ },
    "a user who is not there": { files: with_(null), refused: /names the user "lab", which is not there$/ },

    // Servers and what is trusted
    "a server without TLS gets no token, but the impersonation": {
      files: with_({ token: "t", as: "jane" }, { cluster: { server: `http://127.0.0.1:${httpPort}` } }),
      sends: { impersonate: { user: "jane" } },
    },
    "a server without a scheme is one without TLS": {
      files: at(`localhost:${httpPort}`),
      sends: {},
    },
    "a server with a path": {
      files: at(`${server}/k8s/c-1/?a=b`),
      sends: { ...bearer("t"), path: "/k8s/c-1/version" },
    },
    "a user in the server's address": {
      files: at(server.replace("//", "//ann:p@")),
      refused: /^expected no user in the address of server of cluster lab/,
      kubectl: "sends that one instead of the token",
    },
    "no server": {
      files: at(""),
      refused: /as server of cluster lab in .*, found none$/,
      kubectl: "goes to localhost:8080",
    },
    "a server that speaks something else": {
      files: at("ftp://127.0.0.1:21"),
      refused: /as server of cluster lab in .*, found ftp:/,
    },
    "the authority in a file": {
      files: {
        "c/config": config({ cluster: { ...noCa, "certificate-authority": "ca.crt" } }),
        "c/ca.crt": `text\n${authority.cert}`,
      },
      kubeconfig: "c/config",
      sends: bearer("t"),
    },
    "the authority in a file with a path of Windows": {
      files: { ...at(server, { ...noCa, "certificate-authority": "C:\\ca.crt" }), "C:\\ca.crt": authority.cert },
      sends: bearer("t"),
    },
    "the authority in a file that is missing": {
      files: at(server, { ...noCa, "certificate-authority": "ca.crt" }),
      refused: /^expected a file for certificate-authority of cluster lab in .*, got: ENOENT/,
    },
    "the authority in a file and as data": {
      files: { ...at(server, { "certificate-authority": "ca.crt" }), "ca.crt": authority.cert },
      refused: /^expected certificate-authority or certificate-authority-data in cluster lab/,
    },
    "an authority that is none": {
      files: at(server, { "certificate-authority-data": base64("hello") }),
      refused: /^expected a certificate \(PEM\) in certificate-authority/,
    },
    "no authority, and none that the system knows": {
      files: at(server, noCa),
      refused: /a certificate that context "lab" does not trust/,
    },
    "insecure-skip-tls-verify": {
      files: at(server, { ...noCa, "insecure-skip-tls-verify": true }),
      sends: bearer("t"),
    },
    "insecure-skip-tls-verify and an authority": {
      files: at(server, { "insecure-skip-tls-verify": true }),
      refused: /^expected insecure-skip-tls-verify or a certificate authority/,
    },
    "tls-server-name": {
      files: at(server, { "tls-server-name": "api.lab.example" }),
      sends: { ...bearer("t"), serverName: "api.lab.example" },
    },
    "tls-server-name that the server is not": {
      files: at(server, { "tls-server-name": "other.example" }),
      refused: /a certificate that context "lab" does not trust/,
    },

    // Client certificates
    "a client certificate": { files: with_(pem), sends: { certificate: "ann" } },
    "a client certificate in files": {
      files: {
        ...with_({ "client-certificate": "p/ann.crt", "client-key": "p/ann.key" }),
        "p/ann.crt": ann.cert,
        "p/ann.key": ann.key,
      },
      sends: { certificate: "ann" },
    },
    "a client certificate and a token": {
      files: with_({ ...pem, token: "t" }),
      sends: { ...bearer("t"), certificate: "ann" },
    },
    "a client certificate without its key": {
      files: with_({ "client-certificate-data": base64(ann.cert) }),
      refused: /^expected client-key beside client-certificate/,
    },
    "a key without its client certificate": {
      files: with_({ token: "t", "client-key-data": base64(ann.key) }),
      refused: /^expected client-certificate beside client-key/,
      kubectl: "passes over it",
    },
    "a client certificate with another's key": {
      files: with_({ ...pem, "client-key-data": base64(other.key) }),
      refused: /^expected a client certificate and its key \(PEM\) of user lab/,
    },
    "a client certificate in a file and as data": {
      files: { ...with_({ ...pem, "client-certificate": "ann.crt" }), "ann.crt": ann.cert },
      refused: /^expected client-certificate or client-certificate-data/,
    },
    "a client certificate in a file that is missing": {
      files: with_({ "client-certificate": "ann.crt", "client-key": "ann.key" }),
      refused: /^expected a file for client-certificate of user lab, got: ENOENT/,
    },

    // Impersonation
    "as, as-uid, as-groups, as-user-extra": {
      files: with_({
        token: "t",
        as: "jane",
        "as-uid": "42",
        "as-groups": ["admins", "größe"],
        "as-user-extra": { reason: ["a", "b"], "example.com/x%": ["c"], none: [] },
      }),
      sends: {
        ...bearer("t"),
        impersonate: {
          user: "jane",
          uid: "42",
          group: "admins, größe",
          "extra-reason": "a, b",
          "extra-example.com%2fx%25": "c",
        },
      },
    },
    "as-groups without as": {
      files: with_({ token: "t", "as-groups": ["a"] }),
      refused: /^expected as beside as-uid, as-groups/,
    },
    "as-groups that are no list": {
      files: with_({ token: "t", as: "j", "as-groups": "a" }),
      refused: /expected a list in users/,
    },

    // Credential plugins
    "a plugin beside its kubeconfig": {
      files: { "c/config": config({ user: exec() }), "c/login": plugin({ token: "p" }) },
      kubeconfig: "c/config",
      sends: bearer("p"),
    },
    "a plugin of PATH, with arguments and variables": {
      files: {
        ...with_(exec({ command: "lab-login", args: ["a b", ""], env: [{ name: "OWN", value: "c" }] })),
        "bin/lab-login": `#!/bin/sh\nprintf '{"apiVersion":"${v1}","kind":"ExecCredential","status":{"token":"%s-%s-%s"}}' "$#" "$1" "$OWN"\n`,
      },
      env: { PATH: `{}/bin:${process.env["PATH"] ?? ""}` },
      sends: bearer("2-a b-c"),
    },
    "a plugin that answers in YAML, with a time": {
      files: {
        ...with_(exec()),
        login: `#!/bin/sh\nprintf 'apiVersion: ${v1}\\nkind: ExecCredential\\nstatus:\\n  token: yaml\\n  expirationTimestamp: "2090-01-01T00:00:00Z"\\n'\n`,
      },
      sends: bearer("yaml"),
    },
    "a plugin that answers with a client certificate": {
      files: { ...with_(exec()), login: plugin({ clientCertificateData: ann.cert, clientKeyData: ann.key }) },
      sends: { certificate: "ann" },
    },
    "a plugin of v1beta1 need not say interactiveMode": {
      files: {
        ...with_(exec({ apiVersion: v1beta1, interactiveMode: undefined })),
        login: plugin({ token: "p" }, v1beta1),
      },
      sends: bearer("p"),
    },
    "a plugin of v1 has to": {
      files: { ...with_(exec({ interactiveMode: undefined })), login: plugin({ token: "p" }) },
      refused: /^expected Never, IfAvailable or Always as exec\.interactiveMode of user lab in .*, found none$/,
    },
    "a plugin of v1alpha1": {
      files: { ...with_(exec({ apiVersion: "client.authentication.k8s.io/v1alpha1" })), login: plugin({ token: "p" }) },
      refused: /as exec\.apiVersion of user lab in .*, found client\.authentication\.k8s\.io\/v1alpha1$/,
    },
    "a plugin that wants a terminal, where there is none": {
      files: { ...with_(exec({ interactiveMode: "Always" })), login: plugin({ token: "p" }) },
      refused: /the credential plugin .*login failed: it wants a terminal as standard input/,
    },
    "a plugin is told no more than it asked for": {
      files: { ...with_(exec({ interactiveMode: "IfAvailable" })), login: tells() },
      sends: told({ interactive: false }),
    },
    "a plugin is told its cluster": {
      files: {
        ...with_(exec({ provideClusterInfo: true }), {
          cluster: {
            "tls-server-name": "api.lab.example",
            "disable-compression": true,
            "proxy-url": `http://${proxy}`,
            extensions: [{ name: "client.authentication.k8s.io/exec", extension: { audience: "lab" } }],
          },
        }),
        login: tells(),
      },
      sends: {
        ...told({
          cluster: {
            server,
            "tls-server-name": "api.lab.example",
            ...ca,
            "proxy-url": `http://${proxy}`,
            "disable-compression": true,
            config: { audience: "lab" },
          },
          interactive: false,
        }),
        serverName: "api.lab.example",
        proxy: `CONNECT 127.0.0.1:${tlsPort}`,
      },
    },
    "a plugin of v1beta1 is told its cluster, with the authority of a file": {
      files: {
        ...with_(exec({ provideClusterInfo: true, apiVersion: v1beta1 }), {
          cluster: { ...noCa, "certificate-authority": "ca.crt" },
        }),
        "ca.crt": authority.cert,
        login: tells(v1beta1),
      },
      sends: told({ cluster: { server, ...ca, config: null }, interactive: false }, v1beta1),
    },
    "a plugin that answers in another version": {
      files: { ...with_(exec()), login: plugin({ token: "p" }, v1beta1) },
      refused: /expected an ExecCredential of client\.authentication\.k8s\.io\/v1 on its standard output/,
    },
    "a plugin that answers nothing": { files: { ...with_(exec()), login: "#!/bin/sh\n" }, refused: /found nothing$/ },
    "a plugin that answers no credentials": {
      files: { ...with_(exec()), login: plugin({}) },
      refused: /expected a token or a certificate in its status, found neither$/,
    },
    "a plugin that answers a certificate without its key": {
      files: { ...with_(exec()), login: plugin({ clientCertificateData: ann.cert }) },
      refused: /expected a certificate and its key, found only one$/,
    },
    "a plugin that fails": {
      files: { ...with_(exec()), login: "#!/bin/sh\nexit 7\n" },
      refused: /^expected credentials for user "lab", the credential plugin .*login failed: it ended with exit code 7$/,
    },
    "a plugin that is not there": {
      files: with_(exec({ command: "no-such-login" })),
      refused: /the credential plugin no-such-login failed: it was not found$/,
    },
    "a plugin without a command": { files: with_(exec({ command: "" })), refused: /^expected command beside exec/ },
    "a plugin beside a token is not asked": {
      files: { ...with_({ token: "t", ...exec() }), login: "#!/bin/sh\nexit 7\n" },
      sends: bearer("t"),
    },
    "a plugin beside a client certificate is not asked": {
      files: { ...with_({ ...pem, ...exec() }), login: "#!/bin/sh\nexit 7\n" },
      sends: { certificate: "ann" },
    },
    "a plugin and an auth provider": {
      files: with_({ ...exec(), "auth-provider": { name: "oidc" } }),
      refused: /^expected exec or auth-provider/,
    },
    "the auth provider gcp": {
      files: with_({ "auth-provider": { name: "gcp", config: { "access-token": "a" } } }),
      refused: /^expected no auth-provider but oidc in user lab in .*, found gcp$/,
    },
    "the auth provider oidc": {
      files: with_({ "auth-provider": { name: "oidc", config: oidc(jwt(4_000_000_000)) } }),
      sends: bearer(jwt(4_000_000_000)),
    },
    "the auth provider oidc, expired": {
      files: with_({ "auth-provider": { name: "oidc", config: oidc(jwt(1_000_000_000)) } }),
      refused: /^expected a valid id-token of user lab, found an expired one$/,
    },
    "the auth provider oidc without an issuer": {
      files: with_({ "auth-provider": { name: "oidc", config: { "id-token": jwt(4_000_000_000) } } }),
      refused: /^expected config\.idp-issuer-url beside auth-provider/,
    },

    // Proxies
    "proxy-url": {
      files: at(behind, { "proxy-url": `http://${proxy}` }),
      sends: { ...bearer("t"), serverName: "api.lab.example", proxy: "CONNECT api.lab.example:6443" },
    },
    "proxy-url with name and password, for loopback and against the environment": {
      files: at(server, { "proxy-url": `http://ann:p%40@${proxy}` }),
      env: { NO_PROXY: "*", HTTPS_PROXY: "http://127.0.0.1:9" },
      sends: { ...bearer("t"), proxy: `CONNECT 127.0.0.1:${tlsPort} as ann:p@` },
    },
    "proxy-url of a proxy with TLS, which is trusted as the server is": {
      files: at(behind, { "proxy-url": `https://ann:p@localhost:${tlsProxyPort}` }),
      sends: { ...bearer("t"), serverName: "api.lab.example", proxy: "CONNECT api.lab.example:6443 as ann:p" },
    },
    "proxy-url of a proxy with TLS that is not trusted": {
      files: at(behind, {
        "proxy-url": `https://localhost:${tlsProxyPort}`,
        "certificate-authority-data": base64(other.cert),
      }),
      refused: /a certificate that context "lab" does not trust/,
    },
    "proxy-url of SOCKS: the proxy resolves names": {
      files: at(behind, { "proxy-url": `socks5://${socks}` }),
      sends: { ...bearer("t"), serverName: "api.lab.example", proxy: "SOCKS api.lab.example:6443" },
    },
    "proxy-url of SOCKS to an address": {
      files: at(server, { "proxy-url": `socks5://${socks}` }),
      sends: { ...bearer("t"), proxy: `SOCKS 127.0.0.1:${tlsPort}` },
    },
    "proxy-url of SOCKS to an address that the server's certificate does not have": {
      files: at("https://192.0.2.1:6443", { "proxy-url": `socks5://${socks}` }),
      refused: /a certificate that context "lab" does not trust/,
    },
    "proxy-url of SOCKS with name and password, and a client certificate": {
      files: with_(pem, { cluster: { server: behind, "proxy-url": `socks5://ann:pw@${socks}` } }),
      sends: { certificate: "ann", serverName: "api.lab.example", proxy: "SOCKS api.lab.example:6443 as ann:pw" },
    },
    "proxy-url for a server without TLS": {
      files: at(`http://127.0.0.1:${httpPort}`, { "proxy-url": `http://${proxy}` }),
      sends: { proxy: `http http://127.0.0.1:${httpPort}` },
    },
    "proxy-url with another scheme": {
      files: at(behind, { "proxy-url": `socks5h://ann:pw@${socks}` }),
      refused: /^expected an address with http:\/\/, https:\/\/, socks5:\/\/ in proxy-url of .*, found socks5h:\/\/…@/,
    },
    HTTPS_PROXY: {
      files: at(elsewhere),
      env: { HTTPS_PROXY: `http://${proxy}`, NO_PROXY: "" },
      sends: { ...bearer("t"), proxy: `CONNECT 0.0.0.0:${tlsPort}` },
    },
    "HTTPS_PROXY without a scheme": {
      files: at(elsewhere),
      env: { HTTPS_PROXY: proxy },
      sends: { ...bearer("t"), proxy: `CONNECT 0.0.0.0:${tlsPort}` },
    },
    "HTTPS_PROXY before https_proxy": {
      files: at(elsewhere),
      env: { HTTPS_PROXY: `http://${proxy}`, https_proxy: "http://127.0.0.1:9" },
      sends: { ...bearer("t"), proxy: `CONNECT 0.0.0.0:${tlsPort}` },
    },
    https_proxy: {
      files: at(elsewhere),
      env: { https_proxy: `http://${proxy}` },
      sends: { ...bearer("t"), proxy: `CONNECT 0.0.0.0:${tlsPort}` },
    },
    "HTTPS_PROXY of SOCKS": {
      files: at(behind),
      env: { HTTPS_PROXY: `socks5://${socks}` },
      sends: { ...bearer("t"), serverName: "api.lab.example", proxy: "SOCKS api.lab.example:6443" },
    },
    "HTTPS_PROXY: never for loopback": {
      files: at(server),
      env: { HTTPS_PROXY: "http://127.0.0.1:9" },
      sends: bearer("t"),
    },
    "HTTPS_PROXY: never for localhost": {
      files: at(`https://localhost:${tlsPort}`),
      env: { HTTPS_PROXY: "http://127.0.0.1:9" },
      sends: { ...bearer("t"), serverName: "localhost" },
    },
    "HTTPS_PROXY and NO_PROXY with a network": {
      files: at(elsewhere),
      env: { HTTPS_PROXY: "http://127.0.0.1:9", NO_PROXY: "10.0.0.0/8, 0.0.0.0/8" },
      sends: bearer("t"),
    },
    "HTTPS_PROXY and NO_PROXY with address and port": {
      files: at(elsewhere),
      env: { HTTPS_PROXY: "http://127.0.0.1:9", no_proxy: `example.com,0.0.0.0:${tlsPort}` },
      sends: bearer("t"),
    },
    "HTTPS_PROXY and NO_PROXY with another port": {
      files: at(elsewhere),
      env: { HTTPS_PROXY: `http://${proxy}`, NO_PROXY: "0.0.0.0:1,0.0.0.1" },
      sends: { ...bearer("t"), proxy: `CONNECT 0.0.0.0:${tlsPort}` },
    },
    "HTTPS_PROXY and NO_PROXY for everything": {
      files: at(elsewhere),
      env: { HTTPS_PROXY: "http://127.0.0.1:9", NO_PROXY: "example.com,*" },
      sends: bearer("t"),
    },
    "HTTPS_PROXY and NO_PROXY with a name that only ends alike": {
      files: at(behind),
      env: { HTTPS_PROXY: `http://${proxy}`, NO_PROXY: "b.example, .api.lab.example,10.0.0.0/8" },
      sends: { ...bearer("t"), serverName: "api.lab.example", proxy: "CONNECT api.lab.example:6443" },
    },
    "HTTP_PROXY is for servers without TLS": {
      files: at(`http://0.0.0.0:${httpPort}`),
      env: { HTTP_PROXY: `http://${proxy}`, HTTPS_PROXY: "http://127.0.0.1:9" },
      sends: { proxy: `http http://0.0.0.0:${httpPort}` },
    },
    "HTTPS_PROXY with a scheme that nobody speaks": {
      files: at(elsewhere),
      env: { HTTPS_PROXY: "ftp://127.0.0.1:9" },
      refused: /^expected an address with .* in HTTPS_PROXY or HTTP_PROXY, found ftp:/,
    },
  };
}

const oidc = (token: string) => ({ "idp-issuer-url": "https://127.0.0.1:9", "client-id": "lab", "id-token": token });
