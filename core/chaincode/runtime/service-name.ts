import { createHash } from "node:crypto";
import { annotationPrefix } from "../../injection/annotations.ts";
import { managedBy } from "../../kubernetes/ownership.ts";
import { networkLabel, organizationLabel } from "../../network/resources/labels.ts";
import type { FabricNetwork, Organization } from "../../network/resources/spec.ts";

/** What tells one service from another: a change in it is another package, another Deployment, and an upgrade on the channel. */
export interface ServiceIdentity {
  readonly chaincode: string;
  readonly channel: string;
  readonly label: string;
  readonly image: string;
  readonly per: "organization" | "peer";
  readonly clientAuth: boolean;
}

const chaincodeLabel = `${annotationPrefix}chaincode`;
const channelLabel = `${annotationPrefix}channel`;
const serviceLabel = `${annotationPrefix}chaincode-service`;
export const packageAnnotation = `${annotationPrefix}package-id`;
export const certificateAnnotation = `${annotationPrefix}certificate`;

/**
 * Name of the Service and all that belongs to it: a DNS label, with room for "-peer99". The old version keeps its own
 * name, address and Pods until nobody calls it any more.
 */
export function serviceName(identity: ServiceIdentity): string {
  const { chaincode, channel, label, image, per, clientAuth } = identity;
  const digest = digestOf(JSON.stringify([chaincode, channel, label, image, per, clientAuth]));
  const readable = chaincode.toLowerCase().replaceAll("_", "-").slice(0, 40).replace(/-+$/, "");
  return `cc-${readable}-${digest}`;
}

/** Labels of all objects of services that ran a chaincode of a channel, within the organization's namespace. */
export function chaincodeSelector(chaincode: string, channel: string): Record<string, string> {
  return {
    ...managedBy,
    "app.kubernetes.io/component": "chaincode",
    [chaincodeLabel]: labelValue(chaincode),
    [channelLabel]: labelValue(channel),
  };
}

export function serviceLabels(
  network: FabricNetwork,
  organization: Organization,
  identity: ServiceIdentity,
): Record<string, string> {
  return {
    ...chaincodeSelector(identity.chaincode, identity.channel),
    [networkLabel]: network.metadata.name,
    [organizationLabel]: organization.name,
    [serviceLabel]: serviceName(identity),
  };
}

/** Which service an object belongs to. */
export function serviceOfLabels(labels: Readonly<Record<string, string>> | undefined): string | undefined {
  return labels?.[serviceLabel];
}

/** A name of Fabric's as a label's value: at most 63 characters, a letter or digit at both ends. */
export function labelValue(name: string): string {
  if (/^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/.test(name)) return name;
  return `${name.slice(0, 40)}.${digestOf(name)}`;
}

const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 10);
