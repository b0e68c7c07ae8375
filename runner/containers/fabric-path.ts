/**
 * The absolute paths that Fabric's commands and variables name (core/chaincode/platforms, dockercontroller.go). There is no file system
 * of a container's own: they are rewritten into its directory.
 */
const fabricPaths =
  /(?<![\w./-])\/(?:chaincode|usr\/local\/src|etc\/hyperledger\/fabric|root\/chaincode-java)(?![\w-]|\.\w)/g;

/** Puts the container's directory before each such path. */
export function rewritePaths(text: string, root: string): string {
  return text.replace(fabricPaths, (path) => `${root}${path}`);
}
