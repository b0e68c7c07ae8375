import type { ChaincodePackage } from "../../fabric/package/chaincode-package.ts";
import { packChaincode } from "../../fabric/package/chaincode-package.ts";
import type { ArchiveFile } from "../../fabric/package/tarball.ts";
import type { ChaincodeLanguage } from "../../fabric/package/package-rules.ts";

const marker = "src/image.json";

/**
 * The package that stands for an image in Fabric's lifecycle, which knows packages only: the same image and label give the same package ID.
 * A peer whose daemon has lost the image would build this package: for Node, the program in it then says what happened.
 */
export function imagePackage(label: string, type: ChaincodeLanguage, imageId: string): Promise<ChaincodePackage> {
  const lost = `echo 'this chaincode came as the image ${imageId}, which this daemon has lost: kubectl fabric chaincode seed' >&2; exit 1`;
  const files: readonly ArchiveFile[] = [
    { name: marker, content: json({ image: imageId }) },
    ...(type === "node" ? [{ name: "src/package.json", content: json({ scripts: { start: lost } }) }] : []),
  ];
  return packChaincode({ path: "", type, label }, files);
}

/** The ID of the image that a package stands for; undefined for a package of sources. */
export function imageOfPackage(files: readonly ArchiveFile[]): string | undefined {
  const content = files.find(({ name }) => name === marker)?.content;
  return /^\{"image":"(sha256:[0-9a-f]{64})"\}$/.exec(Buffer.from(content ?? []).toString())?.[1];
}

const json = (value: object): Uint8Array => Buffer.from(JSON.stringify(value));
