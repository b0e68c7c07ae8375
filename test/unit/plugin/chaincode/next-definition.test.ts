import { describe, expect, test } from "vitest";
import type { ChaincodeDefinition } from "../../../../plugin/fabric/chaincode-definition.ts";
import { nextDefinition } from "../../../../plugin/chaincode/next-definition.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const wanted = { name: "asset", endorsementPolicy: bytes("MAJORITY"), collections: bytes(""), initRequired: false };
const committed: ChaincodeDefinition = { ...wanted, version: "3", sequence: 3 };
const approval = (packageId?: string) => ({ organization: "org1", packageId, wantedPackageId: "cc:1" });

describe("nextDefinition", () => {
  test("the first has sequence 1", () => {
    expect(nextDefinition(wanted, undefined, [])).toMatchObject({ sequence: 1, version: "1" });
  });

  test.each([
    ["nothing changed", {}, [approval("cc:1"), approval("cc:1")], 3, "3"],
    ["an organization has not approved yet", {}, [approval("cc:1"), approval()], 3, "3"],
    ["an organization runs another package", {}, [approval("cc:1"), approval("cc:0")], 4, "4"],
    ["another policy", { endorsementPolicy: bytes("ANY") }, [approval("cc:1")], 4, "4"],
    ["other collections", { collections: bytes("c") }, [approval("cc:1")], 4, "4"],
    ["init is required now", { initRequired: true }, [approval("cc:1")], 4, "4"],
    ["another version asked for", { version: "v9" }, [approval("cc:1")], 4, "v9"],
    ["the same version asked for", { version: "3" }, [approval("cc:1")], 3, "3"],
  ])("%s", (_, change, approvals, sequence, version) => {
    expect(nextDefinition({ ...wanted, ...change }, committed, approvals)).toMatchObject({ sequence, version });
  });

  test("each organization may run a package of its own", () => {
    const own = [approval("cc:1"), { organization: "org2", packageId: "cc:2", wantedPackageId: "cc:2" }];
    expect(nextDefinition(wanted, committed, own)).toMatchObject({ sequence: 3 });
    const other = [approval("cc:1"), { organization: "org2", packageId: "cc:1", wantedPackageId: "cc:2" }];
    expect(nextDefinition(wanted, committed, other)).toMatchObject({ sequence: 4 });
  });

  test("a version that a user chose stays while nothing else changes", () => {
    const chosen = { ...committed, version: "v1" };
    expect(nextDefinition(wanted, chosen, [approval("cc:1")])).toEqual(chosen);
  });
});
