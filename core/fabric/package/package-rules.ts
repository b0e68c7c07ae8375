/** Languages that a peer itself can build. */
export type ChaincodeLanguage = "node" | "golang" | "java";

const all: readonly ChaincodeLanguage[] = ["golang", "node", "java"];

/** What a rule does with the paths that it knows. */
type RuleEffect =
  | "never packed"
  | "always packed" // whatever an ignore file says
  | "refused when left out"
  | "leaves out"
  | "left out unless included"
  | "no say";

/** One row of what decides what a package holds. */
export interface PackageRule {
  /** Paths and files, as people write them. */
  readonly what: string;
  readonly effect: RuleEffect;
  readonly languages: readonly ChaincodeLanguage[];
  /** Paths, from the folder that is packed; without it the rule is not one of names. */
  readonly paths?: RegExp;
  /** It knows only files, or only folders. */
  readonly only?: "file" | "folder";
  /** What is needed anyhow is packed all the same. */
  readonly unlessNeeded?: true;
  readonly why: string;
}

/**
 * What is what in a folder of chaincode. Rules of names are read from here; `docs/packages.md` has the same table, and a test compares them.
 * A rule that stands above another one beats it.
 */
export const packageRules = [
  {
    what: ".git",
    effect: "never packed",
    languages: all,
    paths: /(^|\/)\.git$/,
    why: "the repository's own (the peer command leaves it out, too)",
  },
  {
    what: "node_modules/.bin, .cache, .package-lock.json",
    effect: "never packed",
    languages: ["node"],
    paths: /(^|\/)node_modules\/(\.bin|\.cache|\.package-lock\.json)$/,
    why: "links, executables, and what differs with each installation",
  },
  {
    what: "node_modules, with a bundle",
    effect: "never packed",
    languages: ["node"],
    paths: /^node_modules$/,
    why: "npm installs those of the lock file instead",
  },
  {
    what: "target, build, out, .gradle beside a build file",
    effect: "never packed",
    languages: ["java"],
    paths: /^(\.gradle|target|build|out)$/,
    why: "what a build has made, and the peer's build makes again",
  },
  {
    what: "*.class",
    effect: "never packed",
    languages: ["java"],
    paths: /\.class$/,
    why: "what a build has made; a peer refuses it",
  },
  {
    what: "go.work, go.work.sum",
    effect: "never packed",
    languages: ["golang"],
    paths: /(^|\/)go\.work(\.sum)?$/,
    why: "Go would look for the workspace's other modules in the peer's build",
  },
  {
    what: "files that //go:embed names",
    effect: "always packed",
    languages: ["golang"],
    why: "without them the peer's build fails",
  },
  {
    what: "folders that begin with a dot",
    effect: "never packed",
    languages: ["golang"],
    paths: /(^|\/)\.[^/]+$/,
    only: "folder",
    unlessNeeded: true,
    why: "Go does not look into them",
  },
  {
    what: "hidden files below META-INF",
    effect: "never packed",
    languages: all,
    paths: /^META-INF\/(.*\/)?\.[^/]+$/,
    only: "file",
    why: "no indexes (the peer command leaves them out, too)",
  },
  {
    what: "META-INF, beside the program",
    effect: "always packed",
    languages: all,
    paths: /^META-INF(\/.*)?$/,
    why: "the indexes of CouchDB",
  },
  {
    what: "package.json",
    effect: "always packed",
    languages: ["node"],
    paths: /^package\.json$/,
    why: "the peer's build reads it",
  },
  {
    what: "go.mod, go.sum",
    effect: "always packed",
    languages: ["golang"],
    paths: /^go\.(mod|sum)$/,
    why: "the peer's build reads them",
  },
  {
    what: "pom.xml, build.gradle, build.gradle.kts, settings.gradle, settings.gradle.kts",
    effect: "always packed",
    languages: ["java"],
    paths: /^(pom\.xml|(build|settings)\.gradle(\.kts)?)$/,
    why: "the peer's build reads them",
  },
  {
    what: "the program that npm start runs, and what it requires",
    effect: "refused when left out",
    languages: ["node"],
    why: "the chaincode would not start",
  },
  {
    what: ".fabricignore",
    effect: "leaves out",
    languages: all,
    why: "written for packages; its language is that of .gitignore",
  },
  {
    what: ".npmignore, outside node_modules",
    effect: "leaves out",
    languages: ["node"],
    why: "where there is no .fabricignore, and no files in package.json; npm, too, never looks into node_modules with it",
  },
  {
    what: ".dockerignore",
    effect: "no say",
    languages: all,
    why: "about an image of the folder",
  },
  {
    what: ".gitignore",
    effect: "no say",
    languages: all,
    why: "about the repository: what is built or installed is not in it, and has to be packed",
  },
  {
    what: "files in package.json",
    effect: "no say",
    languages: ["node"],
    why: "about what is published to a registry",
  },
  {
    what: "what looks like a key or a password",
    effect: "left out unless included",
    languages: all,
    why: "all organizations that get the package can read it",
  },
  {
    what: "package-lock.json, npm-shrinkwrap.json beside packed node_modules",
    effect: "never packed",
    languages: ["node"],
    paths: /^(package-lock|npm-shrinkwrap)\.json$/,
    why: "with one the peer's build runs npm ci, which removes what was packed and asks the registry",
  },
] as const satisfies readonly PackageRule[];

type RuleName = (typeof packageRules)[number]["what"];

/** A rule by what it is about. */
export function ruleOf(what: RuleName): PackageRule {
  const found = packageRules.find((rule) => rule.what === what);
  if (found) return found;
  throw new Error(`no rule of ${what}`);
}
