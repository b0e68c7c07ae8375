import { expect, test } from "vitest";
import { byReason } from "../../../../core/engine/reasons.ts";

const image = "container peer has no image docker.io/hyperledger/fabric-peer:9.9 (ImagePullBackOff): back-off";

test("the same reason is told once, with all it is about", () => {
  expect(
    byReason([
      { about: "peer0.org1", reason: `Pod peer0-0: ${image}` },
      { about: "orderer0.orderer", reason: "no Pod yet" },
      { about: "peer1.org1", reason: `StatefulSet org1/peer1 was not ready after 300 s: Pod peer1-0: ${image}` },
      { about: "peer0.org2", reason: image },
    ]),
  ).toEqual([
    { about: ["peer0.org1", "peer1.org1", "peer0.org2"], reason: image },
    { about: ["orderer0.orderer"], reason: "no Pod yet" },
  ]);
});

test("a reason of one alone stays as it was said", () => {
  const reason = `StatefulSet org1/peer0 was not ready after 300 s: Pod peer0-0: ${image}`;
  expect(byReason([{ about: "a", reason }])).toEqual([{ about: ["a"], reason }]);
});
