import { expect, test } from "vitest";
import { containerName, imageName } from "../../emulator/peer/docker/names.ts";

const names = { networkId: "Dev", peerId: "Peer0.Org1" };

test("names an image by network, peer, package and the hash of all that, in lower case", () => {
  // printf 'Dev-Peer0.Org1-basic_1.0-abc' | sha256sum
  expect(imageName(names, "basic_1.0:abc")).toBe(
    "dev-peer0.org1-basic_1.0-abc-8d84c43b72c3360f7f7815a7fdeb121897374abdc1c7b6b9d76847d6f71a3c1c",
  );
});

test("names a container the same without hash, case kept", () => {
  expect(containerName(names, "basic_1.0:abc")).toBe("Dev-Peer0.Org1-basic_1.0-abc");
});

test("replaces what Docker does not take", () => {
  expect(containerName(names, "basic+1:abc")).toBe("Dev-Peer0.Org1-basic-1-abc");
});

test("leaves out what is empty", () => {
  expect(containerName({ networkId: "", peerId: "peer0" }, "a:b")).toBe("peer0-a-b");
});
