import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import jsonPatch, { type Operation } from "fast-json-patch";
import type { Cluster } from "../../../../core/kubernetes/cluster.ts";
import { answerJson, clusterAt, serve } from "../../../integration/core/kubernetes/api-server.ts";
import { ApiRefusal, qualified } from "./api-refusal.ts";
import { usualControllers, type Controller } from "./controllers.ts";
import { mergePatched } from "./merge-patch.ts";
import { selects } from "./selectors.ts";
import {
  servedResource,
  StoredObjects,
  type Change,
  type ServedResource,
  type WireMetadata,
  type WireObject,
} from "./stored-objects.ts";

/** One request, as the API server understands it. */
interface Attempt {
  readonly verb: "get" | "list" | "watch" | "create" | "apply" | "patch" | "delete" | "review";
  readonly resource: string;
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  /** Asks for a change, and not only for what it would be. */
  readonly writes: boolean;
  readonly object: WireObject | undefined;
}

/** What becomes of a request instead of its answer. */
type Fate =
  /** The user has no right to it. */
  | "forbidden"
  /** The connection is cut before anything is done. */
  | "lost"
  /** It is done, and the connection is cut before the answer; a watch is cut when it has begun. */
  | "unanswered"
  | { readonly refusal: ApiRefusal };

/** Decides about requests, and may change the cluster just before one; undefined leaves it to the server. */
type Interference = (attempt: Attempt) => Fate | undefined;

/** A write that was done. */
interface Write {
  /** "apply Namespace org1", "create Secret org1/admin-identity", "delete Namespace org1" */
  readonly line: string;
  /** What was sent; of a removal what was removed. */
  readonly object: WireObject;
}

/**
 * An API server on loopback with objects in memory: what steps do to a cluster, without one. It follows Kubernetes (server-side apply
 * with owners of fields, dry run, preconditions, watches, namespaces that take a while to go), runs controllers in the place of
 * Kubernetes' own, and lets a test decide about any request.
 */
export interface ScriptedCluster {
  readonly url: string;
  /** Writes of users that were done, in order: neither dry runs nor what controllers do. */
  readonly writes: readonly Write[];
  /** Every request of a user, answered or not: "get Secret org1/admin-identity". */
  readonly requests: readonly string[];
  /** A client of its own, as each run of the command line has one. */
  connect(signal?: AbortSignal): Cluster;
  /** From now on; undefined ends it. */
  interfere(interference: Interference | undefined): void;
  /** Puts an object there, or changes it, as somebody else. */
  put(object: WireObject, manager?: string): WireObject;
  /** What a container of a Pod has written; `previous`: in its life before. */
  write(namespace: string, pod: string, container: string, log: string, previous?: boolean): void;
  /** Removes an object at once, as somebody else. */
  erase(kind: string, name: string, namespace?: string): void;
  /** Throws when it is not there. */
  read(kind: string, name: string, namespace?: string): WireObject;
  find(kind: string, name: string, namespace?: string): WireObject | undefined;
  /** All, or those of a namespace (with the namespace itself). */
  objects(namespace?: string): readonly WireObject[];
  /** Done when this has happened, or had before. */
  happened(what: (change: Change) => boolean): Promise<void>;
  close(): Promise<void>;
}

export interface ScriptedClusterOptions {
  /** In the place of `usualControllers`. */
  readonly controllers?: readonly Controller[];
}

export async function scriptedCluster({
  controllers = usualControllers,
}: ScriptedClusterOptions = {}): Promise<ScriptedCluster> {
  const stored = new StoredObjects();
  const writes: Write[] = [];
  const requests: string[] = [];
  const clients: Cluster[] = [];
  let interference: Interference | undefined;
  stored.onChange((change) => {
    // Later, as controllers act: they are told by a watch.
    for (const controller of controllers) setImmediate(controller, change, stored);
  });

  const logs = new Map<string, string>();
  const logKey = (namespace: string, pod: string, container: string, previous: boolean) =>
    [namespace, pod, container, previous ? "previous" : "now"].join("/");

  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? "", "http://localhost");
    const [, namespace, pod] = logPath.exec(url.pathname) ?? [];
    if (namespace !== undefined && pod !== undefined) {
      requests.push(`get Pod ${namespace}/${pod}/log`);
      const key = logKey(namespace, pod, url.searchParams.get("container") ?? "", url.searchParams.has("previous"));
      const lines = (logs.get(key) ?? "").split(/(?<=\n)/);
      const tail = Number(url.searchParams.get("tailLines") ?? lines.length);
      response.writeHead(200, { "content-type": "text/plain" }).end(lines.slice(-tail).join(""));
      return;
    }
    const call = await callOf(request);
    requests.push(lineOf(call));
    const fate = interference?.(call);
    if (fate === "lost") {
      request.socket.destroy();
      return;
    }
    try {
      if (fate === "forbidden") throw forbidden(call);
      if (typeof fate === "object") throw fate.refusal;
      if (call.verb === "watch") {
        stream(stored, call, response);
        // What the client has of it by then is its beginning.
        if (fate === "unanswered") response.write("\n", () => request.socket.destroy());
        return;
      }
      const answer = answerTo(stored, call);
      if (call.writes) writes.push({ line: lineOf(call), object: call.object ?? answer.body });
      if (fate === "unanswered") request.socket.destroy();
      else answerJson(response, answer.body, answer.status);
    } catch (error) {
      if (!(error instanceof ApiRefusal)) throw error;
      answerJson(response, error.body, error.status);
    }
  };
  const server = await serve({
    onRequest: (request, response) => {
      // A client that went away while it was sending.
      handle(request, response).catch(() => request.socket.destroy());
    },
  });

  const resourceOf = (kind: string): ServedResource => {
    const resource = servedResource({ kind });
    if (!resource) throw new Error(`expected a kind that is served, found ${kind}`);
    return resource;
  };
  return {
    url: server.url,
    writes,
    requests,
    connect(signal) {
      const client = clusterAt(server.url, {}, {}, { signal });
      clients.push(client);
      return client;
    },
    interfere: (next) => void (interference = next),
    put(object, manager = "somebody") {
      const resource = resourceOf(object.kind);
      const { namespace, name } = object.metadata;
      if (!stored.find(resource, namespace, name)) return stored.create(resource, object, manager);
      return stored.update(resource, namespace, name, (before) => mergePatched(before, object) as WireObject, manager);
    },
    write: (namespace, pod, container, log, previous = false) =>
      void logs.set(logKey(namespace, pod, container, previous), log),
    erase: (kind, name, namespace) => stored.erase(resourceOf(kind), namespace, name),
    read: (kind, name, namespace) => stored.read(resourceOf(kind), namespace, name),
    find: (kind, name, namespace) => stored.find(resourceOf(kind), namespace, name),
    objects: (namespace) =>
      stored
        .all()
        .filter(
          ({ kind, metadata }) =>
            namespace === undefined ||
            metadata.namespace === namespace ||
            (kind === "Namespace" && metadata.name === namespace),
        ),
    happened: (what) =>
      new Promise((resolve) => {
        if (stored.changes.some(what)) {
          resolve();
          return;
        }
        const end = stored.onChange((change) => {
          if (!what(change)) return;
          end();
          resolve();
        });
      }),
    close: async () => {
      for (const client of clients) client.close();
      await server.close();
    },
  };
}

const logPath = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/log$/;

interface Call extends Attempt {
  readonly served: ServedResource | undefined;
  readonly query: URLSearchParams;
  readonly body: unknown;
}

/** "/apis/apps/v1/namespaces/org1/statefulsets/peer0" */
const paths = /^\/(?:api|apis\/([^/]+))\/([^/]+)(?:\/namespaces\/([^/]+)(?=\/))?\/([^/]+)(?:\/([^/]+))?$/;
const reviews = "selfsubjectaccessreviews";

async function callOf(request: IncomingMessage): Promise<Call> {
  const sent = await text(request);
  const { pathname, searchParams: query } = new URL(request.url ?? "", "http://localhost");
  const [, group = "", version = "", namespace, plural = "", name] = paths.exec(decodeURIComponent(pathname)) ?? [];
  const body: unknown = sent === "" ? undefined : JSON.parse(sent);
  const found = servedResource({ apiVersion: group === "" ? version : `${group}/${version}`, plural });
  const verb = plural === reviews ? "review" : verbOf(request, name, query);
  const object = verb === "create" || verb === "apply" ? withPlace(body as WireObject, namespace, name) : undefined;
  const dryRun = query.has("dryRun") || (verb === "delete" && "dryRun" in (body as object));
  return {
    verb,
    resource: plural,
    kind: found?.kind ?? plural,
    namespace,
    name: name ?? object?.metadata.name,
    writes: (["create", "apply", "patch", "delete"] as const).some((writing) => writing === verb) && !dryRun,
    object,
    served: found,
    query,
    body,
  };
}

function withPlace(object: WireObject, namespace: string | undefined, name: string | undefined): WireObject {
  const { generateName } = object.metadata;
  const generated = generateName === undefined ? {} : { name: `${generateName}${randomUUID().slice(0, 5)}` };
  const metadata: WireMetadata = {
    ...generated,
    ...object.metadata,
    ...(name === undefined ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
  };
  return { ...object, metadata };
}

function verbOf({ method, headers }: IncomingMessage, name: string | undefined, query: URLSearchParams) {
  switch (method) {
    case "GET":
      if (name !== undefined) return "get";
      return query.get("watch") === "true" ? "watch" : "list";
    case "POST":
      return "create";
    case "PATCH":
      return headers["content-type"] === "application/apply-patch+yaml" ? "apply" : "patch";
    default:
      return "delete";
  }
}

function lineOf({ verb, kind, namespace, name }: Attempt): string {
  const place = [namespace, name].filter((part) => part !== undefined).join("/");
  return [verb, kind, place].filter((word) => word !== "").join(" ");
}

interface Answer {
  readonly status: number;
  readonly body: WireObject;
}

function answerTo(stored: StoredObjects, call: Call): Answer {
  const { verb, served, namespace, name = "", query, object, body } = call;
  if (verb === "review") return { status: 201, body: { ...(body as WireObject), status: { allowed: true } } };
  if (!served) throw new ApiRefusal(404, "NotFound", "the server could not find the requested resource");
  const manager = query.get("fieldManager") ?? "unknown";
  const dryRun = query.get("dryRun") === "All";
  switch (verb) {
    case "get":
      return { status: 200, body: stored.read(served, namespace, name) };
    case "list":
    case "watch":
      return { status: 200, body: listOf(stored, served, call) };
    case "create":
      return { status: 201, body: stored.create(served, object as WireObject, manager, dryRun) };
    case "apply": {
      const force = query.get("force") === "true";
      return { status: 200, body: stored.apply(served, object as WireObject, manager, { force, dryRun }) };
    }
    case "patch": {
      // A list is a JSON patch (RFC 6902), else it is a merge patch; its tests throw.
      const patched = (before: WireObject) =>
        Array.isArray(body)
          ? jsonPatch.applyPatch(structuredClone(before), body as Operation[], true).newDocument
          : (mergePatched(before, body) as WireObject);
      return { status: 200, body: stored.update(served, namespace, name, patched, manager, dryRun) };
    }
    case "delete": {
      const { preconditions } = body as { readonly preconditions?: { readonly uid?: string } };
      return { status: 200, body: stored.remove(served, namespace, name, preconditions, "dryRun" in (body as object)) };
    }
  }
}

/** A page of a list: `limit` and `continue` count; the items carry neither kind nor apiVersion, as those of built-in kinds do not. */
function listOf(stored: StoredObjects, served: ServedResource, { namespace, query }: Call): WireObject {
  const all = stored.list(served, namespace).filter((object) => selects(query, object));
  const first = Number(query.get("continue") ?? 0);
  const limit = Number(query.get("limit") ?? 0) || all.length;
  const items = all.slice(first, first + limit).map(({ kind: _kind, apiVersion: _version, ...item }) => item);
  const metadata = {
    name: "",
    resourceVersion: String(stored.version),
    ...(first + limit < all.length ? { continue: String(first + limit) } : {}),
  };
  return { kind: `${served.kind}List`, apiVersion: served.apiVersion, metadata, items };
}

/** Changes since a version, and from then on as they come. An object that a selector no longer selects is gone for that watch. */
function stream(stored: StoredObjects, { served, namespace, query }: Call, response: ServerResponse): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.flushHeaders();
  const since = Number(query.get("resourceVersion"));
  const tell = ({ version, resource, object, before, removed }: Change) => {
    if (version <= since || resource !== served) return;
    if (namespace !== undefined && object.metadata.namespace !== namespace) return;
    const was = before !== undefined && selects(query, before);
    const is = !removed && selects(query, object);
    if (!was && !is) return;
    const type = was && is ? "MODIFIED" : is ? "ADDED" : "DELETED";
    response.write(`${JSON.stringify({ type, object })}\n`);
  };
  stored.changes.forEach(tell);
  response.once("close", stored.onChange(tell));
}

/** As the RBAC authorizer words it (apiserver pkg/endpoints/handlers/responsewriters/errors.go). */
function forbidden({ verb, resource, namespace, name, served }: Call): ApiRefusal {
  const group = served?.group ?? "";
  const what = name === undefined || verb === "create" ? "" : ` "${name}"`;
  const asked = verb === "apply" ? "patch" : verb;
  const where = namespace === undefined ? "at the cluster scope" : `in the namespace "${namespace}"`;
  const message = `${qualified(resource, group)}${what} is forbidden: User "ann" cannot ${asked} resource "${resource}" in API group "${group}" ${where}`;
  return new ApiRefusal(403, "Forbidden", message, { group, kind: resource, ...(name === undefined ? {} : { name }) });
}
