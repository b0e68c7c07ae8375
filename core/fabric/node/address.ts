import { FabricError } from "../../error.ts";

/** The host and port at which others reach a node. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Reads "host:port". Throws `usage`. */
export function parseAddress(text: string): Address {
  const match = /^([^:\s/]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (match?.[1] === undefined || port < 1 || port > 65_535) {
    throw new FabricError("usage", `expected an address like peer0.org1:7051, found "${text}"`);
  }
  return { host: match[1], port };
}

/** The inverse of `parseAddress`. */
export function printAddress({ host, port }: Address): string {
  return `${host}:${port}`;
}
