import { writeFile } from "node:fs/promises";
import { Option } from "commander";
import { FabricError, messageOf } from "../../../core/error.ts";
import type { PreparationOptions } from "../../../core/chaincode/package/package-source.ts";
import type { ChaincodePackage } from "../../../core/fabric/package/chaincode-package.ts";
import { noticeOn } from "../../terminal/notice.ts";
import { typed } from "../../terminal/remedy.ts";
import { list } from "../arguments.ts";
import { neverBoth, optionsOf, type CommandDefinition } from "../command.ts";

interface PackageOptions {
  readonly file?: string;
  readonly label?: string;
  readonly include?: readonly string[];
  readonly bundle?: boolean;
  readonly language?: "golang" | "node" | "java";
  readonly build: boolean;
  readonly offline: boolean;
  readonly list: boolean;
  readonly why: boolean;
}

/** How the package is made. Its label is asked for separately: the default is the folder's name. */
export function packageRequest({ offline, include, language, bundle }: PackageOptions): PreparationOptions {
  return { offline, include, language, bundle };
}

export const chaincodePackage: CommandDefinition = (group, terminal) => {
  const command = group
    .command("package")
    .argument("<dir>", "folder of the chaincode, or a package (.tar.gz) to look into")
    .summary("package a folder, and show what is in it")
    .description(
      "Packages Go, Node, TypeScript or Java chaincode as deploy-cc does: the same source and label give the same package\n" +
        "ID on any machine. Unless --label says it, the label here is the folder's name, that of deploy-cc the chaincode's.\n" +
        "What .fabricignore names (Node: else .npmignore) is left out. Shows the package ID, each file and its size, and\n" +
        "what the peer's build would have to download. Asks no cluster.",
    )
    .option("-f, --file <file>", "write the package, as deploy-cc --path and other tools take it")
    .addOption(
      new Option(
        "--label <label>",
        "label of the package (default: the folder's name; that of deploy-cc: the chaincode's)",
      ),
    )
    .addOption(
      new Option("--language <language>", "where the folder can be chaincode in several").choices([
        "golang",
        "node",
        "java",
      ]),
    )
    .option("--build", "run the folder's npm run build before (TypeScript)", false)
    .option("--include <files>", "though they look like keys or passwords, as .npmrc,tls/root.pem", list)
    .option(
      "--bundle",
      "Node: install the lock file's production dependencies for the package (default: where npm can)",
    )
    .option("--no-bundle", "pack node_modules as they lie")
    .option("--offline", "refuse what the peer's build would have to download", false)
    .option("--list", "every file, also of dependencies", false)
    .option("--why", "what is left out, and the rule, file and line that did it", false)
    .addHelpText(
      "after",
      `
Examples:
  kubectl fabric chaincode package ./chaincode
  kubectl fabric chaincode package ./chaincode --label asset      the package of deploy-cc asset --path ./chaincode
  kubectl fabric chaincode package ./chaincode --label asset_1.0 --file asset.tar.gz
  kubectl fabric chaincode package ./typescript --build --offline -o name
  kubectl fabric chaincode package ./chaincode --list --why      which rule left out which path
  kubectl fabric chaincode package ./asset.tar.gz -o json`,
    );
  neverBoth(command, "bundle");
  command.action(async (path: string) => {
    const options = optionsOf<PackageOptions>(command);
    const [{ preparePackage, labelOf, isPackageFile }, { packageTable }, { printResult }, { buildSource }] =
      await Promise.all([
        import("../../../core/chaincode/package/package-source.ts"),
        import("./table.ts"),
        import("../../terminal/output.ts"),
        import("../../../core/chaincode/package/source-build.ts"),
      ]);
    if (options.build) await buildSource(path, terminal.stderr, terminal.signal);
    const label = options.label ?? labelOf(path);
    const {
      pkg,
      entries,
      notices: found,
      leftOut,
    } = await preparePackage(path, label, { ...packageRequest(options), notice: noticeOn(terminal) }, terminal.signal);
    const notices = [
      ...found.map((notice) => typed(notice)),
      ...(options.label === undefined && !isPackageFile(path) ? [labelNotice(path, pkg)] : []),
    ];
    if (options.file !== undefined) await write(options.file, pkg.bytes);
    const { id, metadata, bytes } = pkg;
    const files = entries.filter(({ kind }) => kind === "file").map(({ name, size }) => ({ name, size }));
    for (const notice of notices) noticeOn(terminal)(notice);
    await printResult(terminal, options.output, {
      data: {
        packageId: id,
        ...metadata,
        bytes: bytes.length,
        file: options.file,
        files,
        notices,
        ...(options.why ? { leftOut } : {}),
      },
      table: (width) =>
        packageTable(
          {
            id,
            metadata,
            bytes: bytes.length,
            files,
            file: options.file,
            leftOut: options.why ? leftOut : undefined,
            all: options.list,
          },
          width,
        ),
      names: () => [id],
    });
  });
};

/** The label is a part of the package ID, and deploy-cc takes another one unless it is told. */
function labelNotice(path: string, { metadata: { label } }: ChaincodePackage): string {
  return (
    `its label is ${label}, after the folder: deploy-cc NAME --path ${path} takes NAME, which gives another package ID; ` +
    `the same one with --label ${label} there, or --label NAME here`
  );
}

async function write(file: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(file, bytes);
  } catch (cause) {
    throw new FabricError("usage", `cannot write ${file}: ${messageOf(cause)}`, { cause });
  }
}
