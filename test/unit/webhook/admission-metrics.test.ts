import { afterEach, beforeEach, expect, test } from "vitest";
import { defaultSettings } from "../../../core/injection/settings.ts";
import { newAdmissionApp } from "../../../webhook/admission.ts";
import { newMetrics, type Metrics } from "../../../webhook/metrics.ts";
import { serve, type RunningServer } from "../../../webhook/server.ts";

let metrics: Metrics;
let server: RunningServer;

beforeEach(async () => {
  metrics = newMetrics("1.2.3");
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const cluster = async () => ({});
  const seconds = () => performance.now() / 1000;
  const app = newAdmissionApp({ settings: () => defaultSettings, cluster, seconds, version: "1.2.3", metrics, log });
  server = await serve(app, 0);
});

afterEach(() => server.drain(Promise.resolve()));

const review = JSON.stringify({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: { uid: "u1", operation: "DELETE", namespace: "org1", resource: { resource: "pods" } },
});

test.each([
  ["a review that is answered", review, 200, { result: "passed", reason: "not-a-pod-creation", durations: 1 }],
  ["what is no review", "{}", 400, { result: "invalid", reason: "malformed", durations: 0 }],
])("%s is counted; only an answer has a duration", async (_, body, status, { result, reason, durations }) => {
  const headers = { "Content-Type": "application/json", Connection: "close" };
  const response = await fetch(`http://127.0.0.1:${server.port}/inject`, { method: "POST", headers, body });
  await response.text();
  expect(response.status).toBe(status);
  const text = await metrics.text();
  expect(text).toContain(`kubectl_fabric_admissions_total{result="${result}",reason="${reason}"} 1\n`);
  expect(text).toContain(`kubectl_fabric_admission_duration_seconds_count ${durations}\n`);
});
