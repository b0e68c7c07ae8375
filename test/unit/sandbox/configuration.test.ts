import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { componentNames, components } from "../../sandbox/components.ts";
import {
  configurationFiles,
  containerdConfiguration,
  kubeconfig,
  kubeletConfiguration,
  proxyConfiguration,
} from "../../sandbox/configuration.ts";
import { newLayout } from "../../sandbox/layout.ts";
import type { Machine } from "../../sandbox/machine.ts";

const layout = newLayout({ SANDBOX_CACHE: "/cache" });
const confined: Machine = {
  architecture: "amd64",
  cgroup: 1,
  mayLowerOomScore: false,
  rootDeviceVisible: false,
  address: "192.0.2.2",
};
const ordinary: Machine = { ...confined, cgroup: 2, mayLowerOomScore: true, rootDeviceVisible: true };

test("files are kept where SANDBOX_CACHE says, and sockets where a reboot clears them", () => {
  expect(layout).toMatchObject({ bin: "/cache/bin", kubeconfig: "/cache/state/admin.kubeconfig" });
  expect(layout.run.startsWith("/run/")).toBe(true);
  expect(newLayout({ SANDBOX_CACHE: "" }).cache).toMatch(/\.cache\/kubectl-fabric-sandbox$/);
});

describe("settings for a machine that may not do everything", () => {
  test("an ordinary one gets none of them", () => {
    const kubelet = kubeletConfiguration(layout, ordinary);
    expect(kubelet).not.toHaveProperty("failCgroupV1");
    expect(kubelet).not.toHaveProperty("oomScoreAdj");
    expect(kubelet).toMatchObject({ localStorageCapacityIsolation: true });
    expect(proxyConfiguration(layout, ordinary)).not.toHaveProperty("oomScoreAdj");
    expect(containerdConfiguration(layout, ordinary)).toContain("restrict_oom_score_adj = false");
  });

  test("cgroup v1 is tolerated", () => {
    expect(kubeletConfiguration(layout, confined)).toMatchObject({ failCgroupV1: false, cgroupDriver: "cgroupfs" });
  });

  test("without CAP_SYS_RESOURCE nobody lowers an oom score", () => {
    expect(kubeletConfiguration(layout, confined)).toMatchObject({ oomScoreAdj: 0 });
    expect(proxyConfiguration(layout, confined)).toMatchObject({ oomScoreAdj: 0 });
    expect(containerdConfiguration(layout, confined)).toContain("restrict_oom_score_adj = true");
  });

  test("without a root device kubelet does not look for one", () => {
    expect(kubeletConfiguration(layout, confined)).toMatchObject({ localStorageCapacityIsolation: false });
  });
});

test("the YAML files are what they were made of", () => {
  const files = configurationFiles(layout, confined);
  expect(parse(files["kubelet.yaml"] ?? "")).toEqual(kubeletConfiguration(layout, confined));
  expect(parse(files["kube-proxy.yaml"] ?? "")).toEqual(proxyConfiguration(layout, confined));
  expect(JSON.parse(files["cni/10-sandbox.conflist"] ?? "")).toMatchObject({ cniVersion: "1.0.0" });
  expect(files["resolv.conf"]).toBe("");
});

test("a kubeconfig carries its certificates itself", () => {
  const text = kubeconfig("admin", "192.0.2.2", "AUTHORITY", { key: "KEY", certificate: "CERTIFICATE" });
  expect(parse(text)).toMatchObject({
    clusters: [{ cluster: { server: "https://192.0.2.2:6443", "certificate-authority-data": btoa("AUTHORITY") } }],
    users: [{ name: "admin", user: { "client-key-data": btoa("KEY") } }],
    "current-context": "sandbox",
  });
});

describe("components", () => {
  const all = components(layout, "192.0.2.2");

  test("each has its own ports", () => {
    const ports = Object.values(all).flatMap((component) => component.ports);
    expect(new Set(ports).size).toBe(ports.length);
    expect(ports).toContain(6443);
  });

  test("each knows its name", () => {
    for (const name of componentNames) expect(all[name].name).toBe(name);
  });

  test("write nothing outside the state directory by their own choice", () => {
    expect(all.kubelet.args).toEqual(expect.arrayContaining(["--root-dir", "/cache/state/kubelet"]));
    expect(all["kube-apiserver"].args).toEqual(expect.arrayContaining(["--cert-dir", "/cache/state/apiserver"]));
    expect(all.etcd.args).toEqual(expect.arrayContaining(["--data-dir", "/cache/state/etcd"]));
  });
});
