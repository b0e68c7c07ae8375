import type { DeployRequest } from "./deploy-request.ts";

/** What a command says instead of the request that it is made of. */
export interface OtherTerms {
  readonly version?: string;
  readonly policy?: string;
  /** A file. */
  readonly collections?: string;
  readonly initRequired?: boolean;
}

/** What the administrator of an organization has to type to the end of a request, or under other terms. */
export function deployCommand(request: DeployRequest, organization: string, terms: OtherTerms = {}): string {
  const { initRequired, ...said } = { ...request, ...terms };
  const words: (readonly [string, string | number | undefined])[] = [
    ["--runtime", said.runtime === "dind" ? undefined : said.runtime],
    ["--start", said.start],
    ["--per", said.per],
    ["--path", said.path],
    ["--include", said.include?.join(",")],
    ["--image", said.image],
    ["--language", said.language],
    ["--package-id", said.packageId],
    ["--rollback-to", said.rollbackTo],
    ["--label", said.label],
    ["--chaincode-version", said.version],
    ["--policy", said.policy],
    ["--collections", said.collections],
  ];
  return [
    "kubectl fabric deploy-cc",
    said.name,
    "-C",
    said.channel,
    ...words.flatMap(([option, value]) => (value === undefined ? [] : [`${option} ${shellWord(String(value))}`])),
    ...(initRequired === undefined ? [] : [initRequired ? "--init" : "--no-init"]),
    ...(said.clientAuth ? ["--client-auth"] : []),
    "--org",
    organization,
  ].join(" ");
}

/** What to type where nobody has the image of a package that peers have installed: a peer that has built one does not build it again. */
export const buildAnew = (chaincode: string, channel: string): string =>
  `kubectl fabric deploy-cc ${chaincode} -C ${channel} --path DIR --label LABEL builds its source as another package`;

/** A word as a shell takes it. */
export const shellWord = (word: string): string =>
  /^[\w./:@+,=-]+$/.test(word) ? word : `"${word.replace(/(["$`\\])/g, "\\$1")}"`;
