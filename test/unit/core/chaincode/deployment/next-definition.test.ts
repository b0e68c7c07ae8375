import { describe, expect, test } from "vitest";
import type { ChaincodeDefinition } from "../../../../../core/fabric/chaincode/chaincode-definition.ts";
import { nextDefinition } from "../../../../../core/chaincode/deployment/next-definition.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const wanted = { name: "asset", endorsementPolicy: bytes("MAJORITY"), collections: bytes(""), initRequired: false };
const committed: ChaincodeDefinition = { ...wanted, version: "3", sequence: 3 };
/** An organization that is to run cc:1. */
const running = (approved?: string) => ({ organization: "org1", approved, wanted: "cc:1" });

describe("nextDefinition", () => {
  test("the first has sequence 1", () => {
    expect(nextDefinition(wanted, undefined, [])).toMatchObject({ sequence: 1, version: "1" });
  });

  test.each([
    ["nothing changed", {}, [running("cc:1"), running("cc:1")], 3, "3"],
    ["an organization has not approved yet", {}, [running("cc:1"), running()], 3, "3"],
    ["an organization runs another package", {}, [running("cc:1"), running("cc:0")], 4, "4"],
    ["another policy, same package", { endorsementPolicy: bytes("ANY") }, [running("cc:1")], 4, "3"],
    ["other collections, same package", { collections: bytes("c") }, [running("cc:1")], 4, "3"],
    ["other collections and another package", { collections: bytes("c") }, [running("cc:0")], 4, "4"],
    ["init is required now", { initRequired: true }, [running("cc:1")], 4, "3"],
    ["another version asked for", { version: "v9" }, [running("cc:1")], 4, "v9"],
    ["the same version asked for", { version: "3" }, [running("cc:1")], 3, "3"],
    ["an earlier version with another package", { version: "1" }, [running("cc:0")], 4, "1"],
  ])("%s", (_, change, packages, sequence, version) => {
    expect(nextDefinition({ ...wanted, ...change }, committed, packages)).toMatchObject({ sequence, version });
  });

  test("each organization may run a package of its own", () => {
    const org2 = { organization: "org2", wanted: "cc:2" };
    const own = [running("cc:1"), { ...org2, approved: "cc:2" }];
    expect(nextDefinition(wanted, committed, own)).toMatchObject({ sequence: 3 });
    const other = [running("cc:1"), { ...org2, approved: "cc:1" }];
    expect(nextDefinition(wanted, committed, other)).toMatchObject({ sequence: 4 });
  });

  test("a version that a user chose stays while nothing else changes", () => {
    const chosen = { ...committed, version: "v1" };
    expect(nextDefinition(wanted, chosen, [running("cc:1")])).toEqual(chosen);
  });
});
