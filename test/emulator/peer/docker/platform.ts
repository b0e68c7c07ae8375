/** How chaincode of one language is built and started (core/chaincode/platforms). */
export interface Platform {
  /** As in the label of the image. */
  readonly name: string;
  readonly builderImage: string;
  readonly runtimeImage: string;
  /** Where the built files go in the runtime image. */
  readonly destination: string;
  readonly buildScript: string;
  readonly buildEnvironment: readonly string[];
  startCommand(peerAddress: string): readonly string[];
}

/** Full image names. */
export interface PlatformImages {
  readonly builder: string;
  readonly golang: string;
  readonly node: string;
  readonly java: string;
}

/** Throws for a type that Fabric has no platform for. `path` is the package's, used by Go only. */
export function platformOf(type: string, path: string, images: PlatformImages): Platform {
  switch (type.toUpperCase()) {
    case "NODE":
      return {
        name: "NODE",
        builderImage: images.node,
        runtimeImage: images.node,
        destination: "/usr/local/src",
        buildScript: nodeBuild,
        buildEnvironment: [],
        startCommand: (address) => ["/bin/sh", "-c", nodeStart(address)],
      };
    case "GOLANG":
      return {
        name: "GOLANG",
        builderImage: images.builder,
        runtimeImage: images.golang,
        destination: "/usr/local/bin",
        buildScript: goBuild(path),
        buildEnvironment: goEnvironment(),
        startCommand: (address) => ["chaincode", `-peer.address=${address}`],
      };
    case "JAVA":
      return {
        name: "JAVA",
        builderImage: images.java,
        runtimeImage: images.java,
        destination: "/root/chaincode-java/chaincode",
        buildScript: "./build.sh",
        buildEnvironment: [],
        startCommand: (address) => ["/root/chaincode-java/start", "--peerAddress", address],
      };
    default:
      throw new Error(`Failed to generate a Dockerfile: Unknown chaincodeType: ${type.toUpperCase()}`);
  }
}

export function dockerfileOf(platform: Platform, version: string): string {
  return [
    `FROM ${platform.runtimeImage}`,
    `ADD binpackage.tar ${platform.destination}`,
    `LABEL org.hyperledger.fabric.chaincode.type="${platform.name}" \\`,
    `      org.hyperledger.fabric.version="${version}"`,
    `ENV CORE_CHAINCODE_BUILDLEVEL=${version}`,
  ].join("\n");
}

// The images may bring their own scripts: what a peer runs must look for them where they are.
const nodeBuild = `
set -e
if [ -x /chaincode/build.sh ]; then
	/chaincode/build.sh
else
	cp -R /chaincode/input/src/. /chaincode/output
	cd /chaincode/output
	npm install --production
fi
`;

function nodeStart(address: string): string {
  return `
set -e
if [ -x /chaincode/start.sh ]; then
	/chaincode/start.sh --peer.address ${address}
else
	cd /usr/local/src
	npm start -- --peer.address ${address}
fi
`;
}

function goBuild(path: string): string {
  const flags = `-ldflags "-linkmode external -extldflags '-static'"`;
  return `
set -e
root=/chaincode/input/src
package=${path}
if [ ! -f "$root/go.mod" ] && [ -f "$root/$package/go.mod" ]; then
	root="$root/$package"
	package=.
fi
if [ ! -f "$root/go.mod" ]; then
	GO111MODULE=off GOPATH=/chaincode/input:$GOPATH go build -v ${flags} -o /chaincode/output/chaincode ${path}
	exit
fi
mode=readonly
[ -d "$root/vendor" ] && mode=vendor
cd "$root"
GO111MODULE=on go build -v -mod=$mode ${flags} -o /chaincode/output/chaincode $package
`;
}

function goEnvironment(): readonly string[] {
  return [
    ...(process.env["GOPROXY"] === undefined ? [] : [`GOPROXY=${process.env["GOPROXY"]}`]),
    ...(process.env["GOSUMDB"] === undefined ? [] : [`GOSUMDB=${process.env["GOSUMDB"]}`]),
  ];
}
