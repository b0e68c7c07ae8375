import { FabricError } from "../../error.ts";

/**
 * The longest label whose package still has a file name on a peer: 255 less "." , 64 digits and ".tar.gz"
 * (core/chaincode/persistence/chaincode_package.go, CCFileName).
 */
const longest = 183;

/** Throws `usage` unless Fabric accepts the label of a package (core/chaincode/persistence/chaincode_package.go, LabelRegexp). */
export function checkChaincodeLabel(label: string): void {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.+-]*$/.test(label) && label.length <= longest) return;
  const wrong =
    label.length > longest
      ? `of at most ${longest} characters, found ${label.length}`
      : `of letters, digits and "_.+-", found "${label}"`;
  throw new FabricError("usage", `expected a label ${wrong}`, {
    hint: 'a label has letters, digits and "_.+-" and begins with a letter or digit: basic_1.0',
  });
}
