import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { containerSuffix } from "../../../../../core/fabric/chaincode/chaincode-container.ts";
import { chaincodeContainerName, chaincodeImageName } from "../../../../../core/fabric/chaincode/chaincode-image.ts";
import { containerName, imageName } from "../../../../emulator/peer/docker/names.ts";

describe("the name of the image that a peer looks for", () => {
  // The cases of core/container/dockercontroller/dockercontroller_test.go, TestGetVMNameForDocker.
  test.each([
    ["dev", "peer0", "mycc:1.0", "dev-peer0-mycc-1.0", "dev-peer0-mycc-1.0"],
    ["", "peer1", "mycc:1.0", "peer1-mycc-1.0", "peer1-mycc-1.0"],
    ["Dev", "Peer0", "myCC:1.0", "dev-peer0-mycc-1.0", "Dev-Peer0-myCC-1.0"],
    ["Dev$dev", "Peer*0", "myCC:1.0", "dev-dev-peer-0-mycc-1.0", "Dev$dev-Peer*0-myCC-1.0"],
    ["dev", "", "mycc:1.0", "dev-mycc-1.0", "dev-mycc-1.0"],
  ])("%s, %s, %s", (networkId, peerId, packageId, readable, hashed) => {
    const hash = createHash("sha256").update(hashed).digest("hex");
    expect(chaincodeImageName({ networkId, peerId }, packageId)).toBe(`${readable}-${hash}`);
  });

  test("is the emulator's, as the container's is", () => {
    const part = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9]{0,8}$/);
    fc.assert(
      fc.property(part, part, part, (networkId, peerId, label) => {
        const packageId = `${label}:${"0".repeat(64)}`;
        expect(chaincodeImageName({ networkId, peerId }, packageId)).toBe(imageName({ networkId, peerId }, packageId));
        const container = chaincodeContainerName({ networkId, peerId }, packageId);
        expect(container).toBe(containerName({ networkId, peerId }, packageId));
        expect(container.endsWith(containerSuffix(packageId))).toBe(true);
      }),
    );
  });

  test("one that Docker would not take is refused", () => {
    expect(() => chaincodeImageName({ networkId: "dev_", peerId: "-" }, "a:1")).toThrow("expected an image name");
  });
});
