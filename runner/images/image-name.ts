import { ApiError } from "../api-error.ts";

/** Docker Hub's prefix, which a name may leave out (distribution/reference, familiar names). */
const hubPrefix = /^(?:docker\.io\/|index\.docker\.io\/)(?:library\/)?/;

const repositoryPattern = /^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?::\d+)?(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^\w[\w.-]{0,127}$/;

/** An image's name as Docker shows it: "hyperledger/fabric-nodeenv:2.5", always with a tag. Throws ApiError 400 for what is no name. */
export function imageName(reference: string): string {
  const familiar = reference.replace(hubPrefix, "").replace(/@sha256:[0-9a-f]{64}$/, "");
  const colon = familiar.lastIndexOf(":");
  const tagged = colon > familiar.lastIndexOf("/");
  const repository = tagged ? familiar.slice(0, colon) : familiar;
  const tag = tagged ? familiar.slice(colon + 1) : "latest";
  if (repository.length > 255 || !repositoryPattern.test(repository) || !tagPattern.test(tag)) {
    throw new ApiError(400, `invalid reference format: ${JSON.stringify(reference.slice(0, 200))}`);
  }
  return `${repository}:${tag}`;
}

/** The repository's last part, which identifies a toolchain in any registry: "fabric-nodeenv". */
export function baseName(reference: string): string {
  return imageName(reference)
    .replace(/:[^:]*$/, "")
    .replace(/^.*\//, "");
}

/** "sha256:..." or at least twelve digits of it; undefined for a name. */
export function imageId(reference: string): string | undefined {
  return /^(?:sha256:)?([0-9a-f]{12,64})$/.exec(reference)?.[1];
}

/** Whether a name matches a filter: "*" and "?" stand for any characters but a slash (moby, daemon/images). */
export function matches(name: string, pattern: string): boolean {
  const wanted = pattern.replace(hubPrefix, "");
  const subject = wanted.includes(":") ? name : name.replace(/:[^:]*$/, "");
  const expression = wanted
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", "[^/]*")
    .replaceAll("?", "[^/]");
  return new RegExp(`^${expression}$`).test(subject);
}
