/**
 * The absolute paths in Fabric's commands and variables (core/chaincode/platforms, dockercontroller.go). A container has no file system
 * of its own here, so the paths are rewritten into its directory.
 */
const fabricPaths =
  /(?<![\w./-])\/(?:chaincode|usr\/local\/src|etc\/hyperledger\/fabric|root\/chaincode-java)(?![\w-]|\.\w)/g;

/** Puts the container's directory before each such path. */
export function rewritePaths(text: string, root: string): string {
  return text.replace(fabricPaths, (path) => `${root}${path}`);
}
