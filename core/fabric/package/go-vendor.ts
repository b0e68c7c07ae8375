import { FabricError } from "../../error.ts";
import { describeModule, replacementOf, type GoModFile, type GoModule } from "./go-module.ts";

interface Vendored extends GoModule {
  isExplicit: boolean;
  replacement: GoModule | undefined;
  hasPackages: boolean;
}

/** Lines of vendor/modules.txt: modules, what they are replaced by, whether go.mod names them (cmd/go/internal/modload/vendor.go, readVendorList). */
function readVendored(text: string): readonly Vendored[] {
  const modules = new Map<string, Vendored>();
  const at = (path: string, version: string): Vendored => {
    const key = `${path} ${version}`;
    const known = modules.get(key) ?? { path, version, isExplicit: false, replacement: undefined, hasPackages: false };
    modules.set(key, known);
    return known;
  };
  let current: Vendored | undefined;
  for (const line of text.split(/\r?\n/)) {
    const words = line.trim().split(/\s+/);
    if (line.startsWith("# ")) {
      const [, path = "", second = ""] = words;
      const isAll = second === "=>";
      current = path !== "" && (isAll || isVersion(second)) ? at(path, isAll ? "" : second) : undefined;
      const [arrow, by, version = ""] = words.slice(isAll ? 2 : 3);
      if (current && arrow === "=>" && by !== undefined) current.replacement = { path: by, version };
    } else if (current && line.startsWith("## ")) {
      if (
        line
          .slice(3)
          .split(";")
          .some((entry) => entry.trim() === "explicit")
      )
        current.isExplicit = true;
    } else if (current && words.length === 1 && words[0] !== "") current.hasPackages = true;
  }
  return [...modules.values()];
}

const isVersion = (word: string): boolean => /^v\d/.test(word);

/**
 * Go refuses to build when vendor/modules.txt and go.mod disagree: about what go.mod requires, by itself or not, and about what is replaced
 * ("inconsistent vendoring", cmd/go/internal/modload/vendor.go, checkVendorConsistency). Throws `usage`; `where` is the module's folder.
 */
export function checkVendored(module: GoModFile, modulesText: string, where: string, isWorkspace = false): void {
  const [first, ...others] = disagreements(module, readVendored(modulesText));
  if (first === undefined) return;
  const more = [first, ...others].slice(0, 5).join("; ");
  const rest = others.length > 4 ? ` and ${others.length - 4} more` : "";
  throw new FabricError("usage", `expected ${where}/vendor to agree with go.mod, as Go does, found ${more}${rest}`, {
    hint: `${isWorkspace ? "GOWORK=off " : ""}go mod vendor, in ${where}`,
  });
}

function disagreements({ go, require, replace }: GoModFile, vendored: readonly Vendored[]): readonly string[] {
  const find = (path: string, version: string) => vendored.find((one) => one.path === path && one.version === version);
  const isOld = isBefore114(go);
  const required = require.flatMap((wanted) => {
    const { path, version } = wanted;
    const found = find(path, version);
    if (found?.isExplicit === true) return [];
    if (isOld) {
      const other = vendored.find((one) => one.path === path && one.hasPackages && one.version !== version);
      return other && !found?.hasPackages ? [`${describeModule(wanted)}, of which vendor has ${other.version}`] : [];
    }
    return [found ? `${describeModule(wanted)} not marked as explicit` : `no ${describeModule(wanted)}`];
  });
  const replaced = replace.flatMap(({ old, by }) => {
    const found = find(old.path, old.version);
    if (found?.replacement === undefined) {
      const isTold = isOld && (old.version === "" || found?.hasPackages !== true);
      return isTold ? [] : [`${describeModule(old)} not replaced by ${describeModule(by)}`];
    }
    const { replacement } = found;
    return isSame(replacement, by)
      ? []
      : [`${describeModule(old)} replaced by ${describeModule(replacement)}, and by ${describeModule(by)} in go.mod`];
  });
  const tooMuch = vendored.flatMap((one) => {
    const isRequired = require.some((wanted) => isSame(wanted, one));
    const explicit =
      one.isExplicit && one.hasPackages && !isRequired ? [`${describeModule(one)}, which go.mod does not require`] : [];
    const isReplaced = one.replacement !== undefined && replacementOf(replace, one) === undefined;
    return [...explicit, ...(isReplaced ? [`${describeModule(one)} replaced, which go.mod does not replace`] : [])];
  });
  return [...required, ...replaced, ...tooMuch];
}

const isSame = (one: GoModule, other: GoModule): boolean => one.path === other.path && one.version === other.version;

/** Before Go 1.14 modules.txt did not say so much. A go.mod that names no version counts as older (modfile.go, indexModFile). */
function isBefore114(go: string | undefined): boolean {
  const [major = 0, minor = 0] = (go ?? "").split(/[.a-z]/).map(Number);
  return major < 1 || (major === 1 && minor < 14);
}
