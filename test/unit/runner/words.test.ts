import { describe, expect, test } from "vitest";
import { parseTarget } from "../../../runner/api/call.ts";
import { parseConfiguration } from "../../../runner/configuration.ts";
import { checkIsolation } from "../../../runner/confinement/kernel.ts";
import { buildPolicy, chaincodePolicy, chaincodePort, registryPorts } from "../../../runner/confinement/policy.ts";
import { rewritePaths } from "../../../runner/containers/fabric-path.ts";
import { frame, newOutput, selectLog } from "../../../runner/containers/output.ts";
import { familyOf, parseStatus, readProcesses, usageOf } from "../../../runner/containers/process-table.ts";
import { excess } from "../../../runner/containers/watch.ts";
import { baseName, imageName, matches } from "../../../runner/images/image-name.ts";

describe("image names", () => {
  test.each([
    ["hyperledger/fabric-nodeenv:2.5", "hyperledger/fabric-nodeenv:2.5"],
    ["docker.io/hyperledger/fabric-nodeenv", "hyperledger/fabric-nodeenv:latest"],
    ["docker.io/library/dev-peer0.org1-a_1.0-0f", "dev-peer0.org1-a_1.0-0f:latest"],
    ["mirror.example:5000/fabric-ccenv:3.1", "mirror.example:5000/fabric-ccenv:3.1"],
  ])("%s is %s", (reference, name) => expect(imageName(reference)).toBe(name));

  test.each(["", "../x", "UPPER", "a b", "a:", "/etc/passwd", "a:b:c", "x".repeat(300)])("%j is none", (reference) =>
    expect(() => imageName(reference)).toThrow(/invalid reference format/),
  );

  test("tell a toolchain by their last part", () =>
    expect(baseName("mirror.example:5000/fabric-ccenv:3.1")).toBe("fabric-ccenv"));

  test("are filtered as by Docker", () => {
    expect(matches("dev-peer0-a:latest", "dev-*")).toBe(true);
    expect(matches("org/dev-peer0:latest", "dev-*")).toBe(false);
    expect(matches("dev-a:latest", "dev-a:latest")).toBe(true);
    expect(matches("dev-a:latest", "dev.a")).toBe(false);
  });
});

describe("Fabric's paths", () => {
  test.each([
    ["cd /usr/local/src", "cd /R/usr/local/src"],
    ["[ -x /chaincode/build.sh ]", "[ -x /R/chaincode/build.sh ]"],
    ["GOPATH=/chaincode/input:$GOPATH", "GOPATH=/R/chaincode/input:$GOPATH"],
    ["/root/chaincode-java/start", "/R/root/chaincode-java/start"],
    ["/etc/hyperledger/fabric/peer.crt", "/R/etc/hyperledger/fabric/peer.crt"],
    ["./chaincode/x a/chaincode/x /chaincode2", "./chaincode/x a/chaincode/x /chaincode2"],
    ["/etc/passwd /usr/local/bin", "/etc/passwd /usr/local/bin"],
  ])("%s becomes %s", (text, rewritten) => expect(rewritePaths(text, "/R")).toBe(rewritten));
});

describe("policies", () => {
  const limits = { dataBytes: 1, fileBytes: 2, tasks: 3, openFiles: 4, cpuSeconds: 5 };
  const request = { isolation: "required", root: "/R", read: ["/opt/node"], limits } as const;

  test.each([
    [["/bin/sh", "-c", "npm start -- --peer.address localhost:7052\n"], 7052],
    [["chaincode", "-peer.address=localhost:30152"], 30152],
    [["/root/chaincode-java/start", "--peerAddress", "localhost:7052"], 7052],
    [["chaincode"], undefined],
    [["chaincode", "-peer.address=localhost:70520"], undefined],
  ])("read the port of %j", (command, port) => expect(chaincodePort(command)).toBe(port));

  test("let chaincode reach the one port, its own directory, no datagrams", () => {
    expect(chaincodePolicy(request, 7052)).toMatchObject({
      required: true,
      write: ["/R"],
      ports: [7052],
      datagrams: false,
      attributes: false,
      limits: { cpuSeconds: 0 },
    });
    expect(chaincodePolicy(request, undefined).ports).toEqual([]);
  });

  test("never show /proc as a whole, where other processes are", () =>
    expect(
      buildPolicy(request, []).read.filter((path) => /^\/(proc|var|run|home|root|tmp|opt)?\/?$/.test(path)),
    ).toEqual([]));

  test("let builds reach the registries that the environment names", () =>
    expect(
      registryPorts([443], {
        GOPROXY: "https://proxy.example,direct",
        npm_config_registry: "http://registry.example:4873/",
        HTTP_PROXY: "http://proxy.example:3128",
      }),
    ).toEqual([53, 443, 4873, 3128]));
});

describe("isolation", () => {
  const old = { landlock: 4, seccomp: true, missing: ["nothing denies signals to other processes"] };

  test("is refused where the kernel lacks a rule", () =>
    expect(() => checkIsolation(old, "required")).toThrow(/nothing denies signals.*--isolation best-effort/));
  test("is what there is when the operator accepts it", () =>
    expect(() => checkIsolation(old, "best-effort")).not.toThrow());
});

describe("the command line", () => {
  test("has defaults", () =>
    expect(parseConfiguration([])).toMatchObject({
      isolation: "required",
      diskLimit: 2 ** 30,
      registryPorts: [80, 443],
    }));

  test.each([
    [["--isolation=none"], /--isolation: expected required or best-effort, found "none"/],
    [["--disk-limit=lots"], /--disk-limit: expected a size such as 512Mi, found "lots"/],
    [["--registry-ports=443,http"], /--registry-ports: expected a whole number up to 65535, found "http"/],
    [["--max-running=-1"], /max-running/],
    [["--tcp=2375"], /Unknown option/],
  ])("refuses %j", (argv, message) => expect(() => parseConfiguration(argv)).toThrow(message));
});

describe("requests", () => {
  test.each([
    ["/v1.44/images/a%2Fb/json", "/images/a/b/json"],
    ["/_ping", "/_ping"],
    ["/v1.44", "/v1.44"],
    ["//[", undefined],
    ["/%ff", undefined],
  ])("to %s mean %s", (url, path) => expect(parseTarget(url)?.path).toBe(path));
});

describe("output", () => {
  test("keeps the last bytes, tells followers, and ends", () => {
    const output = newOutput(10, () => 0);
    const seen: string[] = [];
    output.write("stdout", Buffer.from("12345678"));
    output.follow(
      ({ data }) => seen.push(data.toString()),
      () => seen.push("end"),
    );
    output.write("stderr", Buffer.from("abcdef"));
    output.end();
    expect(output.kept.map(({ data }) => data.toString())).toEqual(["abcdef"]);
    expect(seen).toEqual(["abcdef", "end"]);
  });

  test("has Docker's frames", () =>
    expect(frame({ stream: "stderr", time: 0, data: Buffer.from("ab") }).toString("hex")).toBe("02000000000000026162"));

  test("is chosen by stream, time and line", () => {
    const chunk = (stream: "stdout" | "stderr", time: number, text: string) => ({
      stream,
      time,
      data: Buffer.from(text),
    });
    const chunks = [chunk("stdout", 1000, "a\nb\n"), chunk("stderr", 2000, "c\n"), chunk("stdout", 3000, "d")];
    const all = { stdout: true, stderr: true, timestamps: false, since: 0, tail: undefined };
    const chosen = (selection: object) =>
      selectLog(chunks, { ...all, ...selection })
        .map(({ data }) => data.toString())
        .join("");
    expect(chosen({})).toBe("a\nb\nc\nd");
    expect(chosen({ stderr: false })).toBe("a\nb\nd");
    expect(chosen({ since: 2000 })).toBe("c\nd");
    expect(chosen({ tail: 2 })).toBe("c\nd");
    expect(chosen({ tail: 1, timestamps: true })).toBe("1970-01-01T00:00:03.000Z d");
  });
});

describe("processes", () => {
  test("are read even when their names are hostile", () => {
    const text = "Name:\ta\rPPid:\t1\\n\nUmask:\t0022\nPid:\t42\nPPid:\t7\nThreads:\t19\n";
    expect(parseStatus(`${text}VmPeak:\t   99 kB\nVmRSS:\t      64 kB\n`)).toEqual({
      pid: 42,
      parent: 7,
      threads: 19,
      resident: 65_536,
    });
    // One that has ended, and nobody has waited for.
    expect(parseStatus(text)).toMatchObject({ pid: 42, resident: 0 });
    expect(parseStatus("")).toBeUndefined();
  });

  test.skipIf(process.platform !== "linux")("are those of the machine, with what they have in memory", () => {
    const own = readProcesses().find(({ pid }) => pid === process.pid);
    expect(own).toMatchObject({ parent: process.ppid });
    // It changes from one look to the next; a wrong unit would be off by four times or more.
    expect((own?.resident ?? 0) / process.memoryUsage.rss()).toBeCloseTo(1, 0);
  });

  test("are counted with their descendants, not their neighbours", () => {
    const entry = (pid: number, parent: number) => ({ pid, parent, threads: 2, resident: 10 });
    const table = [entry(1, 0), entry(2, 1), entry(3, 2), entry(4, 3), entry(5, 1)];
    expect(usageOf(familyOf(2, table))).toEqual({ processes: 3, threads: 6, resident: 30 });
  });

  test("are too much by memory, threads or disk", () => {
    const limits = { threads: 10, disk: 100 };
    const usage = { processes: 1, threads: 5, resident: 50 };
    expect(excess(usage, 50, 100, limits)).toBeUndefined();
    expect(excess({ ...usage, resident: 101 }, 50, 100, limits)).toMatch(
      /^memory: expected at most 100 bytes, found 101/,
    );
    expect(excess({ ...usage, threads: 11 }, 50, 100, limits)).toMatch(/^threads/);
    expect(excess(usage, 101, 100, limits)).toMatch(/^disk/);
  });
});
