import { expect, test } from "vitest";
import { installChaincode } from "../../../../../core/fabric/chaincode/lifecycle.ts";
import type { ChaincodePackage } from "../../../../../core/fabric/package/chaincode-package.ts";
import type { NodeConnection } from "../../../../../core/fabric/node/node-connection.ts";
import type { SigningIdentity } from "../../../../../core/fabric/identity/signing-identity.ts";

const identity = { creator: new Uint8Array(), sign: async () => new Uint8Array() } as unknown as SigningIdentity;
const pkg = { id: "asset:1", bytes: new Uint8Array() } as unknown as ChaincodePackage;

/** The deadline that an installation has; it fails at once. */
async function deadlineOfInstall(options: { readonly timeout?: number }): Promise<unknown> {
  let deadline: unknown;
  const processProposal = (_: unknown, given: { readonly deadline: unknown }, callback: (error: Error) => void) => {
    ({ deadline } = given);
    callback(Object.assign(new Error("no"), { code: 2, details: "no" }));
  };
  const connection = { name: "peer0", endpoint: {}, stub: () => ({ processProposal }) } as unknown as NodeConnection;
  await expect(installChaincode({ connection, identity, ...options }, pkg)).rejects.toMatchObject({ code: "rejected" });
  return deadline;
}

test("an installation takes as long as the command and the peer let it, unless told", async () => {
  expect(await deadlineOfInstall({})).toBe(Infinity);
  expect(await deadlineOfInstall({ timeout: 1000 })).toBeInstanceOf(Date);
});
