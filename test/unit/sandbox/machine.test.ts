import type { networkInterfaces } from "node:os";
import { describe, expect, test } from "vitest";
import {
  addressOf,
  architectureOf,
  hasCapability,
  requireLinuxRoot,
  requireOwnControlGroups,
  rootDeviceOf,
} from "../../sandbox/machine.ts";

const sysResource = 24;

describe("who may start it", () => {
  test.each([
    ["darwin", 0, "usage", /expected Linux, found darwin/],
    ["linux", 1000, "forbidden", /expected to be root, found user 1000/],
  ])("%s as user %i is refused as %s", (platform, uid, code, message) => {
    expect(() => requireLinuxRoot(platform, uid)).toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message), hint: expect.stringContaining("") }),
    );
  });

  test("root on Linux may", () => {
    expect(() => requireLinuxRoot("linux", 0)).not.toThrow();
  });
});

test("a container's control groups cannot hold Pods; a machine's and systemd's can", () => {
  expect(() => requireOwnControlGroups("domain\n", "1\n17\n")).toThrow(/found a container/);
  expect(() => requireOwnControlGroups(undefined, "1\n17\n")).not.toThrow();
  expect(() => requireOwnControlGroups("domain\n", "")).not.toThrow();
});

test("processors go by Go's names", () => {
  expect([architectureOf("x64"), architectureOf("arm64")]).toEqual(["amd64", "arm64"]);
  expect(() => architectureOf("riscv64")).toThrow(/riscv64/);
});

test.each([
  ["000001fffeffffff", false],
  ["000001ffffffffff", true],
  ["0000000000000000", false],
])("effective capabilities %s: may lower an oom score: %s", (mask, expected) => {
  expect(hasCapability(`Name:\tnode\nCapPrm:\t000001ffffffffff\nCapEff:\t${mask}\n`, sysResource)).toBe(expected);
});

describe("the device that holds /", () => {
  const disk = "22 27 0:21 / /proc rw - proc proc rw\n27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n";
  const overlay = "800 700 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/a,upperdir=/b\n";

  test("is what / is mounted from", () => expect(rootDeviceOf(disk, () => true)).toBe("/dev/vda"));
  test("is none when its node is missing", () => expect(rootDeviceOf(disk, () => false)).toBeUndefined());
  test("is none in a container", () => expect(rootDeviceOf(overlay, () => true)).toBeUndefined());
});

describe("the machine's address", () => {
  const header = "Iface\tDestination\tGateway \tFlags\n";
  const at = (address: string, internal = false) =>
    [{ family: "IPv4", address, internal }] as unknown as ReturnType<typeof networkInterfaces>[string];

  test("is that of the default route, whatever comes first", () => {
    const interfaces = { tun0: at("10.8.0.2"), eth0: at("192.0.2.2") };
    expect(addressOf(`${header}eth0\t00000000\t010200C0\t0003\n`, interfaces)).toBe("192.0.2.2");
  });

  test("is any other when there is no way out, but none of a container engine", () => {
    const interfaces = { lo: at("127.0.0.1", true), docker0: at("172.17.0.1"), eth1: at("198.51.100.7") };
    expect(addressOf(header, interfaces)).toBe("198.51.100.7");
  });

  test("is missing with nothing but loopback: the hint makes one", () => {
    expect(() => addressOf(header, { lo: at("127.0.0.1", true) })).toThrow(
      expect.objectContaining({ code: "not-found", hint: expect.stringContaining("ip link add") }),
    );
  });
});
