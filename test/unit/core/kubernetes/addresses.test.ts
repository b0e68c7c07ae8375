import { expect, test } from "vitest";
import { FabricError } from "../../../../core/error.ts";
import { checkProxy } from "../../../../core/kubernetes/kubeconfig-check.ts";
import { serverUrl } from "../../../../core/kubernetes/server-url.ts";

const proxy = (address: string) => checkProxy(address, ["http:", "https:"], "HTTPS_PROXY");
const server = (address: string) => serverUrl(address, "c");

test.each([
  [proxy, "http://ann:secret/ss@proxy:3128"],
  [proxy, "ann:secret@proxy:3128"],
  [proxy, "http://ann:secret%E9@proxy:3128"],
  [proxy, "http://ann:secret%@proxy:3128"],
  [server, "https://ann:secret@host:99999"],
  [server, "ftp://ann:secret@host"],
  [server, "https://ann:secret@host"],
])("an address that cannot be used is refused without its password: %o %s", (read, address) => {
  let refused: unknown;
  try {
    read(address);
  } catch (error) {
    refused = error;
  }
  expect(refused).toBeInstanceOf(FabricError);
  expect(refused).toMatchObject({ code: "invalid", message: expect.not.stringContaining("secret") });
});

test("what is encoded properly is a name and a password", () => {
  expect(() => proxy("http://ann:p%C3%A4ss@proxy:3128")).not.toThrow("expected");
});
