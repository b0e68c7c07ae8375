import { FabricError } from "../../error.ts";

/** Throws `usage` unless Fabric accepts the name of a channel (common/configtx/validator.go, ValidateChannelID). */
export function checkChannelName(name: string): void {
  if (/^[a-z][a-z0-9.-]{0,248}$/.test(name)) return;
  const wrong =
    name.length > 249
      ? `of at most 249 characters, found ${name.length}`
      : `of lower case letters, digits, "." and "-", found "${name}"`;
  throw new FabricError("usage", `expected a channel name ${wrong}`, {
    hint: 'a channel name has lower case letters, digits, "." and "-" and begins with a letter: mychannel',
  });
}
