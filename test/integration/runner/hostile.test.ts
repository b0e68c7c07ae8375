import { once } from "node:events";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, readFile, readlink, stat, writeFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo, type Server } from "node:net";
import { createSocket } from "node:dgram";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { readKernel } from "../../../runner/confinement/kernel.ts";
import { alive, attack, createShell, ended, installShell, newMark, outputOf, start } from "./hostile.ts";
import { callApi, noRunner, startRunner, type TestRunner } from "./runner-process.ts";

/** A busy machine takes its time. */
const patience = { timeout: 20_000, interval: 50 };

/*
 * Chaincode that is a shell, in a runner with isolation required. Each deed is tried as a hostile chaincode would, after the same deed
 * was seen to be possible where it is allowed: nothing here is denied because it could not work at all.
 */
describe.skipIf(noRunner)("hostile chaincode", () => {
  let runner: TestRunner;
  let victim: string;
  let victimRoot: string;
  let victimInit: number;
  let peer: Server;
  let other: Server;
  const image = "dev-peer0-shell";

  const portOf = (server: Server) => (server.address() as AddressInfo).port;
  const listening = async (): Promise<Server> => {
    const server = createServer((socket) => socket.end("reached"));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return server;
  };
  const tries = (script: string) => attack(runner, image, script, { port: portOf(peer) });
  /** Node.js as the chaincode: the shell has no sockets. */
  const triesNode = (code: string) => tries(`exec node -e '${code}'`);

  beforeAll(async () => {
    [peer, other] = await Promise.all([listening(), listening()]);
    runner = await startRunner("--disk-limit=64Mi", "--thread-limit=64", "--max-running=3");
    await installShell(runner, image, { "secret.txt": "the code of all" });
    await createShell(runner, image, "victim", "echo $PWD; exec sleep 600");
    await start(runner, "victim");
    victim = "victim";
    await vi.waitUntil(async () => (await outputOf(runner, victim)).includes("\n"), patience);
    victimRoot = (await outputOf(runner, victim)).trim();
    const about = (await callApi(runner.socket, "GET", `/containers/${victim}/json`)).json();
    victimInit = (about as { readonly State: { readonly Pid: number } }).State.Pid;
  });

  afterAll(async () => {
    await runner?.stop();
    peer?.close();
    other?.close();
  });

  test("is what these tests run: it works in its own directory and reaches its peer", async () => {
    const { output, code } = await tries(
      "cat usr/local/src/secret.txt; echo; cat $CORE_TLS_CLIENT_KEY_PATH; echo x >own && cat own",
    );
    expect([code, output]).toEqual([0, expect.stringMatching(/^the code of all\nkey of attack-\w+x\n$/)]);
    const reached = await triesNode(
      `require("net").connect(${portOf(peer)},"127.0.0.1").on("data",d=>console.log(String(d))).on("error",e=>console.log(e.code))`,
    );
    expect(reached.output).toBe("reached\n");
  });

  describe("cannot touch other chaincode:", () => {
    test.each([
      ["read its files", (root: string) => `cat ${root}/usr/local/src/secret.txt`],
      ["read its key", (root: string) => `cat ${root}/etc/hyperledger/fabric/client.key`],
      ["list its directory", (root: string) => `ls ${root}`],
      ["write into it", (root: string) => `echo x >${root}/evil`],
      ["change its files", (root: string) => `echo x >>${root}/usr/local/src/index.js`],
      ["empty its files", (root: string) => `node -e 'require("fs").truncateSync("${root}/usr/local/src/secret.txt")'`],
      ["remove its files", (root: string) => `rm -f ${root}/usr/local/src/index.js`],
      ["move it away", (root: string) => `mv ${root} ${root}-gone`],
      [
        "link its key into the own directory",
        (root: string) => `ln ${root}/etc/hyperledger/fabric/client.key ./stolen`,
      ],
      ["read its key by a link", (root: string) => `ln -s ${root}/etc/hyperledger/fabric/client.key l && cat l`],
      ["change its modes", (root: string) => `chmod 777 ${root}`],
      ["change its times", (root: string) => `node -e 'require("fs").utimesSync("${root}",1,1)'`],
      ["see where the others are", (root: string) => `ls ${root}/..`],
    ])("%s", async (_, script) => {
      const { code, output } = await tries(script(victimRoot));
      expect(output).toMatch(/denied|not permitted|cross-device|EACCES|EPERM/i);
      expect(code).not.toBe(0);
      expect(await readFile(join(victimRoot, "usr/local/src/secret.txt"), "utf8")).toBe("the code of all");
    });

    test("read the images", async () => {
      const [store = ""] = (await readdir(runner.state)).filter((name) => name.startsWith("store-"));
      const { code, output } = await tries(`cat ${runner.state}/${store}/names.json; ls ${runner.state}`);
      expect([code, output]).toEqual([2, expect.stringMatching(/Permission denied[^]*Permission denied/)]);
    });
  });

  describe("cannot touch other processes:", () => {
    test("signal other chaincode, its init or the runner", async () => {
      const children = await readFile(`/proc/${victimInit}/task/${victimInit}/children`, "utf8");
      const stat = await readFile(`/proc/${victimInit}/stat`, "utf8");
      const runnerPid = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1];
      for (const pid of [children.trim(), victimInit, runnerPid]) {
        expect(await tries(`kill -9 ${pid}`)).toEqual({ code: 1, output: expect.stringMatching(/not permitted/) });
      }
      // All that it may signal: its own.
      expect((await tries("sleep 600 & kill -9 -1; wait $!; echo $?")).output).toMatch(/137\n$/);
      const about = await callApi(runner.socket, "GET", `/containers/${victim}/json`);
      expect(about.json()).toMatchObject({ State: { Running: true } });
    });

    test.each(["environ", "mem", "cmdline", "maps", "root/etc/passwd", "cwd/etc/hyperledger/fabric/client.key"])(
      "read /proc/<pid>/%s",
      async (file) => {
        const { output } = await tries(`cat /proc/${victimInit}/${file}`);
        expect(output).toMatch(/Permission denied/);
      },
    );

    test("list /proc", async () => expect((await tries("ls /proc")).output).toMatch(/Permission denied/));
  });

  describe("cannot reach:", () => {
    const connect = (options: string) =>
      triesNode(
        `require("net").connect(${options}).on("connect",()=>console.log("reached")).on("error",e=>console.log(e.code))`,
      );

    test("the runner's API, which would be the node of a Docker", async () => {
      expect((await connect(`{path:"${runner.socket}"}`)).output).toMatch(/^(EACCES|EPERM)\n/);
      expect((await tries(`chmod 000 ${runner.socket}`)).output).toMatch(/not permitted/);
      expect((await tries(`rm -f ${runner.socket}`)).output).toMatch(/denied/);
      expect((await callApi(runner.socket, "GET", "/_ping")).status).toBe(200);
    });

    test("abstract sockets", async () => {
      const server = createServer();
      server.listen("\0kubectl-fabric-test");
      await once(server, "listening");
      expect((await connect('{path:"\\u0000kubectl-fabric-test"}')).output).toMatch(/^(EACCES|EPERM)\n/);
      server.close();
    });

    test("ports other than the chaincode port: the peer's, the orderer's, anybody's", async () => {
      expect((await connect(`${portOf(other)},"127.0.0.1"`)).output).toBe("EACCES\n");
      expect((await connect(`${portOf(other)},"::ffff:127.0.0.1"`)).output).toBe("EACCES\n");
      for (const port of [7050, 7051, 7053, 9443, 443, 53]) {
        expect((await connect(`${port},"127.0.0.1"`)).output).toBe("EACCES\n");
      }
    });

    test("the network by datagrams", async () => {
      const socket = createSocket("udp4").bind(0, "127.0.0.1");
      await once(socket, "listening");
      const got: Buffer[] = [];
      socket.on("message", (message) => got.push(message));
      const { port } = socket.address();
      const { output } = await triesNode(
        `const s=require("dgram").createSocket("udp4");s.on("error",e=>{console.log(e.code);process.exit()});s.send("x",${port},"127.0.0.1",e=>{console.log(e?e.code:"sent");process.exit()})`,
      );
      expect(output).toMatch(/EACCES|EPERM/);
      // What it sent would have come before this.
      const ours = createSocket("udp4");
      ours.send("ours", port, "127.0.0.1");
      await expect.poll(() => got.map(String), patience).toEqual(["ours"]);
      ours.close();
      socket.close();
    });

    test("anybody by listening", async () => {
      const { output } = await triesNode(
        'require("net").createServer().listen(0,()=>console.log("listening")).on("error",e=>console.log(e.code))',
      );
      expect(output).toBe("EACCES\n");
    });

    test("the service account's token, and what is mounted elsewhere", async () => {
      const { output } = await tries(
        "ls /var/run/secrets /run /var /home /root /tmp /opt /sys/fs/selinux 2>&1 | grep -v denied | grep -v 'No such'; echo looked",
      );
      expect(output).toBe("looked\n");
    });
  });

  describe("is ended as a whole:", () => {
    test.each([
      ["a background process", "sleep MARK & wait", 1],
      ["a double fork", "(sleep MARK & ) ; (sh -c 'sleep MARK & exit' &) ; sleep 600", 2],
      ["setsid", "setsid sleep MARK & setsid setsid sh -c 'sleep MARK & sleep MARK' & sleep 600", 3],
      ["deaf to signals", "trap '' TERM INT HUP; (trap '' TERM HUP; setsid sleep MARK) & wait", 1],
    ])("%s", async (_, script, processes) => {
      const mark = newMark();
      await createShell(runner, image, mark, script.replaceAll("MARK", mark));
      await start(runner, mark);
      await expect.poll(() => alive(mark), patience).toBe(processes);
      expect((await callApi(runner.socket, "POST", `/containers/${mark}/stop?t=0`)).status).toBe(204);
      expect(await alive(mark)).toBe(0);
      expect((await callApi(runner.socket, "DELETE", `/containers/${mark}`)).status).toBe(204);
    });

    test("orphans, when the chaincode itself has ended", async () => {
      const mark = newMark();
      await createShell(
        runner,
        image,
        mark,
        `setsid sleep ${mark} & echo $PWD; until [ -e end ]; do sleep 0.1; done; exit 3`,
      );
      const end = ended(runner, mark);
      await start(runner, mark);
      await expect.poll(() => alive(mark), patience).toBe(1);
      await expect.poll(() => outputOf(runner, mark), patience).toMatch(/\n$/);
      await writeFile(join((await outputOf(runner, mark)).trim(), "end"), "");
      expect(await end).toBe(3);
      expect(await alive(mark)).toBe(0);
      expect((await callApi(runner.socket, "DELETE", `/containers/${mark}`)).status).toBe(204);
    });

    test("when the runner is killed", async () => {
      const doomed = await startRunner();
      const mark = newMark();
      await installShell(doomed, image);
      await createShell(doomed, image, "doomed", `setsid sleep ${mark} & sleep ${mark}`);
      await start(doomed, "doomed");
      await expect.poll(() => alive(mark), patience).toBe(2);
      await doomed.process.kill();
      await expect.poll(() => alive(mark), patience).toBe(0);
      await doomed.process.start();
      expect((await callApi(doomed.socket, "GET", `/images/${image}/json`)).status).toBe(200);
      expect((await callApi(doomed.socket, "GET", "/containers/json?all=1")).json()).toEqual([]);
      expect((await readdir(doomed.state)).filter((name) => name.startsWith("container-"))).toEqual([]);
      await doomed.stop();
    });
  });

  describe("is bounded:", () => {
    const memory = { memory: 256 * 1024 * 1024 };

    test("in the memory of a process", async () => {
      // Asked for, never used: no harm where nothing denies it.
      const code = 'console.log("runs");Buffer.allocUnsafeSlow(2**31).length;console.log("had it")';
      expect((await attack(runner, image, `exec node -e '${code}'`, memory)).output).toMatch(
        /^runs\n[^]*(allocation|memory)/i,
      );
    });

    test("in the memory of all its processes", async () => {
      const one = `node -e 'const a=[];for(let i=0;i<6;i++)a.push(Buffer.alloc(1<<24,1));setTimeout(()=>{},60000)'`;
      const { code, output } = await attack(runner, image, `${one} & ${one} & ${one} & wait`, memory);
      expect(output).toMatch(/ended by the runner: memory: expected at most 268435456 bytes/);
      expect(code).toBe(137);
    });

    test("in the size of a file", async () => {
      const { output } = await tries("dd if=/dev/zero of=big bs=1048576 count=80 2>&1; ls -l big | awk '{print $5}'");
      expect(output).toMatch(/File too large|limit exceeded|\n67108864\n/i);
    });

    test("in the disk of all its files", async () => {
      const { code, output } = await tries(
        "for i in 1 2 3 4; do dd if=/dev/zero of=f$i bs=1048576 count=20 2>/dev/null; done; exec sleep 60",
      );
      expect([code, output]).toEqual([
        137,
        expect.stringMatching(/ended by the runner: disk: expected at most 67108864 bytes/),
      ]);
    });

    test("in the disk of files that have no name any more", async () => {
      const code =
        'const fs=require("fs");for(let i=0;i<4;i++){const f=fs.openSync("f"+i,"w");fs.unlinkSync("f"+i);fs.writeSync(f,Buffer.alloc(20<<20,1))}setTimeout(()=>{},60000)';
      expect(await tries(`exec node -e '${code}'`)).toEqual({
        code: 137,
        output: expect.stringMatching(/ended by the runner: disk: expected at most 67108864 bytes/),
      });
    });

    test("in what it writes to somebody who does not read", async () => {
      await createShell(runner, image, "chatty", "head -c 100000000 /dev/zero; echo; exec sleep 600");
      const socket = connect(runner.socket);
      socket.write(
        "POST /containers/chatty/attach?stream=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
      );
      await once(socket, "readable");
      await start(runner, "chatty");
      // All of it has come to the runner when its last byte has.
      await expect.poll(async () => (await outputOf(runner, "chatty")).endsWith("\n"), patience).toBe(true);
      const text: Buffer[] = [];
      socket.on("data", (data: Buffer) => text.push(data));
      expect((await callApi(runner.socket, "POST", "/containers/chatty/stop?t=0")).status).toBe(204);
      await once(socket, "close");
      expect(Buffer.concat(text).length).toBeLessThan(20_000_000);
      expect(Buffer.concat(text).subarray(-200).toString()).toMatch(
        /runner: \d+ bytes are left out here, which were not read in time\n$/,
      );
      expect((await callApi(runner.socket, "DELETE", "/containers/chatty?force=1")).status).toBe(204);
    });

    // Bounded in number and in time by itself, should nothing else bound it.
    test("in its processes: a fork bomb", async () => {
      const { code, output } = await tries(
        "i=0; while [ $i -lt 200 ]; do sleep 20 & i=$((i+1)); done; echo all; sleep 20",
      );
      expect([code, output]).toEqual([
        137,
        expect.stringMatching(/ended by the runner: threads: expected at most 64, found \d+/),
      ]);
    });

    test("in how many run at once", async () => {
      for (const name of ["many-1", "many-2", "many-3"]) await createShell(runner, image, name, "sleep 600");
      await start(runner, "many-1");
      await start(runner, "many-2");
      await expect(start(runner, "many-3")).rejects.toThrow(/expected at most 3 containers to run at once, found 3/);
      for (const name of ["many-1", "many-2", "many-3"]) {
        expect((await callApi(runner.socket, "DELETE", `/containers/${name}?force=1`)).status).toBe(204);
      }
    });

    test("by what it cannot raise again", async () => {
      const { output } = await tries(
        "ulimit -d unlimited; ulimit -c 100; ulimit -f unlimited; grep NoNewPrivs /proc/self/status",
      );
      expect(output.match(/not permitted|denied/gi)?.length).toBeGreaterThanOrEqual(4);
    });
  });

  test.skipIf(!existsSync("/usr/bin/perl"))("cannot listen on a socket that was never bound", async () => {
    const listening =
      'use Socket; socket(S, AF_INET, SOCK_STREAM, 0) or die; print listen(S, 1) ? "listening" : $! + 0';
    expect(execFileSync("/usr/bin/perl", ["-e", listening], { encoding: "utf8" })).toBe("listening");
    expect(await tries(`exec perl -e '${listening}'`)).toEqual({ code: 0, output: "1" });
  });

  /*
   * Calls by their numbers, made by perl, which systems have: on x86-64 of arch/x86/entry/syscalls/syscall_64.tbl, on arm64 of
   * include/uapi/asm-generic/unistd.h. Each is seen to be answered otherwise where nothing forbids it.
   */
  const architectures: Readonly<Partial<Record<NodeJS.Architecture, readonly number[]>>> = {
    x64: [41, 44, 425, 319, 250, 29, 272, 321, 298, 165, 50, 43, 288, 294, 254, 300, 9],
    arm64: [198, 206, 425, 279, 219, 194, 97, 280, 241, 40, 201, 202, 242, 26, 27, 262, 222],
  };
  const calls = architectures[process.arch];

  describe.skipIf(calls === undefined || !existsSync("/usr/bin/perl"))("cannot make calls of the kernel:", () => {
    const [eperm, eacces, enosys, eprotonosupport, eopnotsupp] = [1, 13, 38, 93, 95];
    const [socket, sendto, ioUring, memfd, keyctl, shmget, unshare, bpf, perf, mount, ...later] = calls ?? [];
    const [listen, accept, accept4, inotify, addWatch, fanotify, mmap] = later;
    const perl = (call: string) =>
      `my ($s, $t) = ("a", "tmpfs"); my $r = syscall(${call}); print $r < 0 ? $! + 0 : "done"`;

    test.each([
      ["raw socket", `${socket}, 2, 3, 1`, eacces],
      ["packet socket", `${socket}, 17, 3, 0`, eacces],
      ["MPTCP socket", `${socket}, 2, 1, 262`, eprotonosupport],
      ["vsock socket", `${socket}, 40, 1, 0`, eacces],
      ["unix socket", `${socket}, 1, 1, 0`, eacces],
      ["TCP Fast Open", `${sendto}, 0, $s, 0, 0x20000000, 0, 0`, eopnotsupp],
      ["io_uring", `${ioUring}, 1, 0`, enosys],
      ["memfd", `${memfd}, $s, 0`, enosys],
      ["keys", `${keyctl}, 0, -3, 0`, eperm],
      ["System V shared memory", `${shmget}, 0, 4096, 0x380`, eperm],
      ["a user namespace", `${unshare}, 0x10000000`, eperm],
      ["bpf", `${bpf}, 99, 0, 0`, eperm],
      ["perf", `${perf}, 0, 0, -1, -1, 0`, eperm],
      ["a mount", `${mount}, $s, $s, $t, 0, 0`, eperm],
      ["listening", `${listen}, -1, 1`, eperm],
      ["accepting", `${accept}, -1, 0, 0`, eperm],
      ["accepting with flags", `${accept4}, -1, 0, 0, 0`, eperm],
      ["inotify", `${inotify}, 0`, enosys],
      ["a watch", `${addWatch}, -1, $s, 1`, enosys],
      ["fanotify", `${fanotify}, 0, 0`, enosys],
      ["shared memory without a file", `${mmap}, 0, 4096, 3, 0x21, -1, 0`, eacces],
    ])("%s", async (_, call, errno) => {
      const free = execFileSync("/usr/bin/perl", ["-e", perl(call)], { encoding: "utf8" });
      expect(free).not.toBe(String(errno));
      expect(await tries(`exec perl -e '${perl(call)}'`)).toEqual({ code: 0, output: String(errno) });
    });
  });

  /** As docs/runner-threats.md says them: a kernel that denies one of these is one to strike out there. */
  describe("has what the kernel does not deny:", () => {
    test("the chaincode port of other addresses, for Landlock knows no hosts", async () => {
      const elsewhere = createServer((socket) => socket.end("reached elsewhere"));
      elsewhere.listen(portOf(peer), "127.0.0.2");
      await once(elsewhere, "listening");
      const { output } = await triesNode(
        `require("net").connect(${portOf(peer)},"127.0.0.2").on("data",d=>console.log(String(d))).on("error",e=>console.log(e.code))`,
      );
      elsewhere.close();
      expect(output).toBe("reached elsewhere\n");
    });

    test("whether a file is there and how large it is, for whoever knows its name", async () => {
      const { output } = await tries(`stat -c %s ${victimRoot}/usr/local/src/secret.txt`);
      expect(output).toBe("15\n");
    });

    test("a build that changes modes of what it knows by name, which are put right", async () => {
      const [store = ""] = (await readdir(runner.state)).filter((name) => name.startsWith("store-"));
      const known = [join(runner.state, store, "images"), join(runner.state, store), runner.socket];
      const modes = await Promise.all(known.map(async (path) => (await stat(path)).mode));
      const build = {
        Image: "hyperledger/fabric-nodeenv:2.5",
        Cmd: ["/bin/sh", "-c", `chmod 000 ${known.join(" ")}`],
      };
      await callApi(runner.socket, "POST", "/containers/create?name=rude", build);
      const end = ended(runner, "rude");
      await start(runner, "rude");
      expect(await end).toBe(0);
      expect((await callApi(runner.socket, "DELETE", "/containers/rude")).status).toBe(204);
      const now = () => Promise.all(known.map(async (path) => (await stat(path)).mode));
      await expect.poll(now, patience).toEqual(modes);
    });

    test("the processor: chaincode is nicer than the runner, which has our niceness, and no more", async () => {
      const niceOf = async (pid: number): Promise<number> => {
        const text = await readFile(`/proc/${pid}/stat`, "utf8");
        return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[16]);
      };
      const children = await readFile(`/proc/${victimInit}/task/${victimInit}/children`, "utf8");
      expect(await niceOf(Number(children.trim()))).toBe((await niceOf(process.pid)) + 1);
    });
  });

  test("cannot make the runner read elsewhere by links that it leaves", async () => {
    await createShell(runner, image, "linker", "ln -s /etc/passwd stolen; ln -s /etc dir; echo done; sleep 600");
    await start(runner, "linker");
    const ask = (method: string, path: string) =>
      callApi(runner.socket, method, `/containers/linker/archive?path=${path}`);
    const get = (path: string) => ask("GET", path);
    await expect.poll(() => outputOf(runner, "linker"), patience).toBe("done\n");
    // While it runs it could put a link where a directory was seen.
    for (const method of ["GET", "HEAD"]) expect((await ask(method, "/dir")).status).toBe(409);
    expect((await callApi(runner.socket, "POST", "/containers/linker/stop?t=0")).status).toBe(204);
    // The links themselves, as links.
    for (const [path, target] of [
      ["/stolen", "/etc/passwd"],
      ["/dir/.", "/etc"],
    ] as const) {
      const { status, body } = await get(path);
      // Of a tar's header.
      const [linkName] = body.subarray(157, 257).toString().split("\0");
      expect([path, status, linkName]).toEqual([path, 200, target]);
      expect(body.toString()).not.toMatch(/root:|hostname/);
    }
    for (const path of ["/dir/passwd", "/../../../etc/passwd"]) {
      expect((await get(path)).status).toBeGreaterThanOrEqual(400);
    }
    expect((await callApi(runner.socket, "DELETE", "/containers/linker?force=1")).status).toBe(204);
  });

  test("cannot leave behind what the runner cannot remove", async () => {
    const done = await tries(
      'mkdir -p a/b/c; touch a/b/c/f; node -e \'const fs=require("fs");for(const d of ["a/b/c","a/b","a"]){const h=fs.openSync(d);fs.fchmodSync(h,0)}\'; stat -c %a a',
    );
    expect(done).toEqual({ code: 0, output: "0\n" });
    await expect
      .poll(
        async () => (await readdir(runner.state)).filter((name) => /^(container|gone)-/.test(name)).length,
        patience,
      )
      .toBe(1);
  });

  test("has an init that has no file descriptor of the runner's but its own", async () => {
    const { output } = await tries(
      'exec 9>own; for n in 3 4 5 6 7 8 9; do (eval "echo x >&$n") 2>/dev/null && echo open $n; done',
    );
    expect(output).toBe("open 9\n");
    expect(await readlink(`/proc/${victimInit}/fd/0`)).toBe("/dev/null");
  });
});

describe.skipIf(noRunner)("a kernel", () => {
  test("is asked for its rules by the program that applies them", async () => {
    const runner = await startRunner("--isolation=best-effort");
    const metrics = await (await fetch(`${runner.probes}/metrics`)).text();
    const kernel = await readKernel(join(runner.state, "../bin/confine"));
    expect(metrics).toContain(`kubectl_fabric_runner_isolation_missing_rules ${kernel.missing.length}`);
    await runner.stop();
  });
});
