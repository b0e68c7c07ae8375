import type { Environment } from "../../environment.ts";
import type { DockerSettings } from "./runtime.ts";

/** What CORE_VM_* and CORE_CHAINCODE_* say about containers; defaults as in Fabric's core.yaml. */
export function dockerSettings(environment: Environment, mspId: string, version: string): DockerSettings {
  // core/chaincode/platforms/util/utils.go: a release's own version has a "v", its two digits have none.
  const twoDigits = version.replace(/^v/, "").split(".").slice(0, 2).join(".");
  const image = (key: string, fallback: string): string =>
    environment
      .text(key, fallback)
      .replace("$(DOCKER_NS)", "hyperledger")
      .replace("$(PROJECT_VERSION)", version)
      .replace("$(TWO_DIGIT_VERSION)", twoDigits);
  const memory = Number(environment.text("VM_DOCKER_HOSTCONFIG_MEMORY", "2147483648"));
  return {
    networkId: environment.text("PEER_NETWORKID", "dev"),
    peerId: environment.text("PEER_ID", "jdoe"),
    mspId,
    version,
    images: {
      builder: image("CHAINCODE_BUILDER", "$(DOCKER_NS)/fabric-ccenv:$(TWO_DIGIT_VERSION)"),
      golang: image("CHAINCODE_GOLANG_RUNTIME", "$(DOCKER_NS)/fabric-baseos:$(TWO_DIGIT_VERSION)"),
      node: image("CHAINCODE_NODE_RUNTIME", "$(DOCKER_NS)/fabric-nodeenv:2.5"),
      java: image("CHAINCODE_JAVA_RUNTIME", "$(DOCKER_NS)/fabric-javaenv:2.5"),
    },
    hostConfig: {
      NetworkMode: environment.text("VM_DOCKER_HOSTCONFIG_NETWORKMODE", "host"),
      Memory: memory,
      LogConfig: { Type: "json-file", Config: { "max-size": "50m", "max-file": "5" } },
    },
    loggingEnvironment: [
      `CORE_CHAINCODE_LOGGING_LEVEL=${environment.text("CHAINCODE_LOGGING_LEVEL", "info")}`,
      `CORE_CHAINCODE_LOGGING_SHIM=${environment.text("CHAINCODE_LOGGING_SHIM", "warning")}`,
      `CORE_CHAINCODE_LOGGING_FORMAT=${environment.text("CHAINCODE_LOGGING_FORMAT")}`,
    ],
    attachOutput: environment.flag("VM_DOCKER_ATTACHSTDOUT"),
  };
}
