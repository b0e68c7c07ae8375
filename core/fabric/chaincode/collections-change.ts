import { peer } from "@hyperledger/fabric-protos";
import { FabricError } from "../../error.ts";

/**
 * Fabric never removes a committed collection, nor changes its blockToLive (core/chaincode/lifecycle/scc.go,
 * validateCollectionConfigsAgainstCommittedDef). Throws `usage` when `proposed` would do so.
 */
export function checkCollectionsChange(committed: Uint8Array, proposed: Uint8Array): void {
  const wanted = collectionsIn(proposed);
  for (const before of collectionsIn(committed)) {
    const name = before.getName();
    const after = wanted.find((collection) => collection.getName() === name);
    if (!after) {
      throw new FabricError("usage", `expected the collection ${name} in the collections file, found none`, {
        hint: "a collection that was committed once cannot be removed: keep it in the file",
      });
    }
    if (after.getBlockToLive() === before.getBlockToLive()) continue;
    throw new FabricError(
      "usage",
      `expected blockToLive ${before.getBlockToLive()} of collection ${name}, found ${after.getBlockToLive()}`,
      { hint: "blockToLive of a collection that was committed cannot be changed: add a collection of another name" },
    );
  }
}

/** The former collections and those committed since then: Fabric lets none be removed. */
export function withLaterCollections(former: Uint8Array, committed: Uint8Array): Uint8Array {
  const names = new Set(collectionsIn(former).map((collection) => collection.getName()));
  const added = collectionsIn(committed).filter((collection) => !names.has(collection.getName()));
  if (added.length === 0) return former;
  const all = new peer.CollectionConfigPackage();
  all.setConfigList([...collectionsIn(former), ...added].map(wrapped));
  return all.serializeBinary();
}

function collectionsIn(bytes: Uint8Array): readonly peer.StaticCollectionConfig[] {
  return peer.CollectionConfigPackage.deserializeBinary(bytes)
    .getConfigList()
    .flatMap((config) => config.getStaticCollectionConfig() ?? []);
}

function wrapped(collection: peer.StaticCollectionConfig): peer.CollectionConfig {
  const config = new peer.CollectionConfig();
  config.setStaticCollectionConfig(collection);
  return config;
}
