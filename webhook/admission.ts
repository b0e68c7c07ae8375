import express, { type ErrorRequestHandler, type Express, type Request, type Response } from "express";
import type { ClusterFacts } from "../core/injection/cluster.ts";
import { inject, skipReason } from "../core/injection/inject.ts";
import type { Outcome } from "../core/injection/outcome.ts";
import type { InjectionSettings } from "../core/injection/settings.ts";
import { reasonOf, type Log } from "../core/process/log.ts";
import type { Metrics } from "./metrics.ts";
import { mostBodiesBytes, BodyBudget, endLate, InvalidBody, readJsonBody } from "./request-body.ts";
import {
  answer,
  InvalidReview,
  isPodCreation,
  parseReview,
  passed,
  type AdmissionRequest,
  type AdmissionReview,
} from "./review.ts";

/** The path to which the API server sends reviews. */
export const injectPath = "/inject";

/** The inputs of an answer besides the review. Functions are called for each review. */
export interface AdmissionDependencies {
  readonly settings: () => InjectionSettings;
  /** Facts about the cluster and the Pod's namespace, as far as they can be read in time. */
  readonly cluster: (namespace: string) => Promise<ClusterFacts>;
  /** Seconds, of any epoch. */
  readonly seconds: () => number;
  readonly version: string;
  readonly metrics: Metrics;
  readonly log: Log;
}

/** The express application that answers admission reviews. */
export function newAdmissionApp(dependencies: AdmissionDependencies): Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  const admission = { ...dependencies, budget: new BodyBudget(mostBodiesBytes) };
  app.post(injectPath, (request, response) => admit(request, response, admission));
  app.use((_, response) => refuse(response, 404, `expected POST ${injectPath}`));
  app.use(failure(dependencies));
  return app;
}

async function admit(
  request: Request,
  response: Response,
  dependencies: AdmissionDependencies & { readonly budget: BodyBudget },
): Promise<void> {
  const { metrics, seconds, log, budget } = dependencies;
  const share = budget.open();
  response.on("close", () => share.close());
  endLate(request);
  const body = await readJsonBody(request, share);
  const begin = seconds();
  const review = parseReview(body);
  const { result, reason, reply, outcome } = await decide(review, dependencies);
  send(response, 200, reply);
  // After the answer was sent, so that the caller does not wait for it.
  metrics.admitted(result, reason, seconds() - begin);
  if (outcome !== undefined) report(log, review, outcome);
}

interface Decision {
  readonly result: string;
  readonly reason: string;
  readonly reply: AdmissionReview;
  /** Set for the creation of a Pod. */
  readonly outcome?: Outcome;
}

async function decide(review: AdmissionRequest, dependencies: AdmissionDependencies): Promise<Decision> {
  if (!isPodCreation(review)) return { result: "passed", reason: "not-a-pod-creation", reply: passed(review.uid) };
  const outcome = await outcomeOf(review, dependencies);
  return {
    outcome,
    result: outcome.kind,
    reason: outcome.kind === "injected" ? "" : outcome.reason,
    reply: answer(review.uid, outcome),
  };
}

async function outcomeOf({ pod, namespace }: AdmissionRequest, dependencies: AdmissionDependencies): Promise<Outcome> {
  const skip = skipReason(pod);
  if (skip !== undefined) return { kind: "untouched", reason: skip };
  const { settings, version } = dependencies;
  return inject(pod, { settings: settings(), cluster: await dependencies.cluster(namespace), version });
}

/** Logs the outcome for a Pod. A controller's Pod has no name yet, only generateName. */
function report(log: Log, { uid, namespace, pod }: AdmissionRequest, outcome: Outcome): void {
  const { name, generateName } = pod.metadata ?? {};
  const who = { uid, namespace, pod: name ?? `${generateName ?? ""}*` };
  if (outcome.kind === "denied") log.warn("denied", { ...who, reason: outcome.reason, sentence: outcome.message });
  else if (outcome.kind === "untouched") log.info("untouched", { ...who, reason: outcome.reason });
  else
    log.info("injected", {
      ...who,
      container: outcome.peerContainer,
      profile: outcome.profile,
      warnings: outcome.warnings.length,
    });
}

/** The metrics' reasons for HTTP statuses. */
const refusals: Readonly<Record<number, string>> = { 413: "too-large", 500: "internal", 503: "busy" };

function failure({ metrics, log }: AdmissionDependencies): ErrorRequestHandler {
  return (thrown: unknown, _request, response, next) => {
    if (response.headersSent) return next(thrown);
    const status = statusOf(thrown);
    const reason = refusals[status] ?? "malformed";
    metrics.refused(reason);
    log.warn("not answered", { status, reason: reasonOf(thrown) });
    // The rest of the body is not read.
    if (status === 503) response.setHeader("Connection", "close");
    // Details of an internal error are only in the log.
    refuse(response, status, status === 500 ? "internal error" : reasonOf(thrown));
  };
}

function statusOf(thrown: unknown): number {
  if (thrown instanceof InvalidReview) return 400;
  return thrown instanceof InvalidBody ? thrown.status : 500;
}

function refuse(response: Response, status: number, message: string): void {
  send(response, status, { error: message });
}

function send(response: Response, status: number, body: object): void {
  // By Node's own methods: express looks the type up and parses it, for each answer.
  const text = JSON.stringify(body);
  const headers = { "Content-Type": "application/json; charset=utf-8", "Content-Length": Buffer.byteLength(text) };
  response.writeHead(status, headers).end(text);
}
