import { packageRules, type ChaincodeLanguage, type PackageRule } from "./package-rules.ts";
import type { Judge } from "./sieve.ts";

/** What a language's source says of a folder, beside the names in the table. */
export interface NameRules {
  readonly language: ChaincodeLanguage;
  /** Where META-INF is, from the folder that is packed. */
  readonly metadata?: string;
  /** Always packed, or on the way to what is: what Go embeds. */
  readonly needed?: (path: string, kind: "file" | "folder") => boolean;
  /** Rules that have nothing to say in this folder. */
  readonly without?: readonly PackageRule[];
}

/** Judges by the names in the table (package-rules.ts), then, what that leaves open, by ignore files. */
export function nameJudge(
  { language, metadata = "META-INF", needed = () => false, without = [] }: NameRules,
  ignored: readonly Judge[],
): Judge {
  const rules: readonly PackageRule[] = packageRules.filter(
    (rule: PackageRule) => rule.languages.includes(language) && !without.includes(rule),
  );
  return (path, kind, origin) => {
    const name = path === metadata || path.startsWith(`${metadata}/`) ? `META-INF${path.slice(metadata.length)}` : path;
    const rule = rules.find(({ paths, only }) => paths?.test(name) === true && (only === undefined || only === kind));
    const isFirm = rule?.effect === "never packed" && rule.unlessNeeded !== true;
    if (isFirm) return { rule: rule.what, why: rule.why };
    if (needed(path, kind) || rule?.effect === "always packed") return undefined;
    if (rule?.effect === "never packed") return { rule: rule.what, why: rule.why };
    for (const judge of ignored) {
      const by = judge(path, kind, origin);
      if (by) return by;
    }
    return undefined;
  };
}
