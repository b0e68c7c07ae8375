import { assert, property, stringMatching } from "fast-check";
import { describe, expect, test } from "vitest";
import {
  containerNameOf,
  imageNameOf,
  isChaincodeName,
  packageOfContainer,
  packageOfImage,
} from "../../../../../core/fabric/chaincode/chaincode-container.ts";
import * as emulator from "../../../../emulator/peer/docker/names.ts";

const hash = "0123456789abcdef".repeat(4);
const owner = { networkId: "dev", peerId: "peer0.org1" };

describe("names of chaincode in Docker", () => {
  test("are Fabric's", () => {
    // core/container/dockercontroller/dockercontroller_test.go, TestGetVMName and TestGetVMNameForDocker, has such a one.
    expect(containerNameOf(owner, `Asset_1.0:${hash}`)).toBe(`dev-peer0.org1-Asset_1.0-${hash}`);
    expect(imageNameOf(owner, `Asset_1.0:${hash}`)).toMatch(
      new RegExp(`^dev-peer0\\.org1-asset_1\\.0-${hash}-[0-9a-f]{64}$`),
    );
  });

  const part = stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9.-]{0,12}[a-z0-9]$/);
  const label = stringMatching(/^[a-zA-Z0-9]{1,6}([.+_-][a-zA-Z0-9]{1,4}){0,3}$/);

  test("are what the emulator calls them, too", () => {
    assert(
      property(part, part, label, (networkId, peerId, name) => {
        const id = `${name}:${hash}`;
        expect(containerNameOf({ networkId, peerId }, id)).toBe(emulator.containerName({ networkId, peerId }, id));
        let image: string;
        try {
          image = emulator.imageName({ networkId, peerId }, id);
        } catch {
          return; // Docker has no such name
        }
        expect(imageNameOf({ networkId, peerId }, id)).toBe(image);
      }),
    );
  });

  test("say their package", () => {
    assert(
      property(part, part, label, (networkId, peerId, name) => {
        const id = `${name.replaceAll("+", "-")}:${hash}`;
        const peer = { networkId, peerId };
        expect(packageOfContainer(peer, containerNameOf(peer, id))).toBe(id);
        expect(packageOfImage(peer, imageNameOf(peer, id))).toBe(id.toLowerCase());
      }),
    );
  });

  test.each(["dev-peer0.org1-asset-1.0", "dev-peer1.org1-asset-" + hash, "fabric-nodeenv", ""])(
    "%s says none of this peer",
    (name) => {
      expect(packageOfContainer(owner, name)).toBeUndefined();
      expect(packageOfImage(owner, name)).toBeUndefined();
    },
  );

  test("are told from all others by their hash", () => {
    expect(isChaincodeName(`dev-peer0-asset-${hash}`)).toBe(true);
    expect(isChaincodeName(`dev-peer0-asset-${hash}-${hash}`)).toBe(true);
    expect(isChaincodeName("hyperledger/fabric-nodeenv:2.5")).toBe(false);
    expect(isChaincodeName(hash)).toBe(false);
  });
});
