import { common } from "@hyperledger/fabric-protos";

/**
 * What every node of a channel has to understand, by level of the configuration.
 * Nodes refuse a channel with a capability that they do not know (common/capabilities).
 */
export interface Capabilities {
  readonly channel: readonly string[];
  readonly orderer: readonly string[];
  readonly application: readonly string[];
}

/** Understood by Fabric 2.5 and 3.x alike: what fabric-samples' test network uses. */
export const defaultCapabilities: Capabilities = { channel: ["V2_0"], orderer: ["V2_0"], application: ["V2_5"] };

/** For channels of Fabric 3 only; BFT needs it (internal/configtxgen/encoder/encoder.go, NewOrdererGroup). */
export const bftCapabilities: Capabilities = { ...defaultCapabilities, channel: ["V3_0"] };

export function capabilitiesValue(names: readonly string[]): common.Capabilities {
  const value = new common.Capabilities();
  for (const name of names) value.getCapabilitiesMap().set(name, new common.Capability());
  return value;
}
