/** A text by which an answer of a node is recognised. */
export interface Answer {
  readonly text: RegExp;
  /** The file of Fabric that says it. */
  readonly from: string;
  /** The release lines of Fabric whose sources have the text, as read in 2.5.16 and 3.1.5. */
  readonly known: readonly ("2.5" | "3.1")[];
  /** The case of test/contract in which real nodes answered it, by its name in test/contract/golden; `none` where there is none. */
  readonly contract: string;
}

const both = ["2.5", "3.1"] as const;
const support = "core/chaincode/chaincode_support.go";
const lifecycle = "core/chaincode/lifecycle/lifecycle.go";
const registry = "internal/pkg/gateway/registry.go";

/** Every text of a node that our code recognises. Statuses and codes are not here: the code that reads them tells them apart. */
export const answers = {
  // Channels
  channelUnknown: {
    text: /channel '.*' not found|unknown channel ID/i,
    from: "core/endorser/endorser.go, core/scc/cscc/configure.go",
    known: both,
    contract: "transactions/identities/reach-no-channel-that-the-peer-has-not-joined",
  },
  ledgerExists: {
    text: /ledger \[.*\] already exists/, // the ledger is made first and only once
    from: "core/ledger/kvledger/kv_ledger_provider.go",
    known: both,
    contract: "channel/cscc/refuses-to-join-twice",
  },
  channelExists: {
    text: /channel already exists/,
    from: "orderer/common/types/errors.go",
    known: both,
    contract: "channel/channel-participation/refuses-to-join-twice",
  },
  /** Another configuration update was committed first. */
  updateOutdated: {
    text: /requires that key .* be at version|attempt to set key .* to version/,
    from: "common/configtx/update.go, verifyReadSet and verifyDeltaSet",
    known: both,
    contract: "channel/config-update/refuses-a-wrong-version",
  },
  /** A new leader that has not yet heard from its followers counts them as dead. */
  quorumLoss: {
    text: /nodes are alive, configuration will result in quorum loss/,
    from: "orderer/consensus/etcdraft/chain.go, ValidateConsensusMetadata",
    known: both,
    contract: "none",
  },

  // Identities
  accessDenied: {
    text: /access denied|creator (org|is)/i,
    from: "core/endorser/msgvalidation.go",
    known: both,
    contract: "channel/cscc/lets-only-administrators-join-channels",
  },
  policyUnsatisfied: {
    text: /implicit policy evaluation failed|does not satisfy/i,
    from: "common/policies/implicitmeta.go",
    known: both,
    contract: "channel/config-update/refuses-a-stranger-s-message",
  },
  identityExpired: {
    text: /certificate has expired|expired|not yet valid/i,
    from: "core/handlers/auth/filter/expiration.go",
    known: both,
    contract: "transactions/identities/are-denied-with-an-expired-certificate",
  },

  // Packages and definitions
  installedAlready: {
    text: /chaincode already successfully installed \(package ID '([^']*)'\)/,
    from: `${lifecycle}, InstallChaincode`,
    known: both,
    contract: "lifecycle/packages/refuses-the-same-package-again-naming-its-id",
  },
  packageAbsent: {
    text: /could not load chaincode install package|not found/,
    from: "core/chaincode/persistence/persistence.go, CodePackageNotFoundErr",
    known: both,
    contract: "lifecycle/packages/has-no-package-that-is-not-installed",
  },
  /** QueryApprovedChaincodeDefinitions came with 3.1. A peer gives the second text where a policy for it is set by hand. */
  functionUnknown: {
    text: /Unmapped policy for _lifecycle\/|QueryApprovedChaincodeDefinitions does not exist/,
    from: "core/aclmgmt/defaultaclprovider.go, core/dispatcher/dispatcher.go",
    known: both,
    contract: "lifecycle/packages/has-no-other-functions",
  },
  notDefined: {
    text: /namespace .* is not defined/,
    from: `${lifecycle}, ErrNamespaceNotDefined`,
    known: both,
    contract: "lifecycle/definition/says-that-another-is-not-defined",
  },
  notApproved: {
    text: /could not fetch approved chaincode definition/,
    from: `${lifecycle}, QueryApprovedChaincodeDefinition`,
    known: both,
    contract: "lifecycle/approval/knows-no-definition-at-first",
  },
  approvedAlready: {
    text: /attempted to redefine uncommitted sequence .* with unchanged content/,
    from: `${lifecycle}, ApproveChaincodeDefinitionForOrg`,
    known: both,
    contract: "lifecycle/approval/refuses-to-approve-the-same-again",
  },
  sequenceOther: {
    text: /requested sequence is \d+, but new definition must be sequence (\d+)/,
    from: `${lifecycle}, CheckCommitReadiness`,
    known: both,
    contract: "lifecycle/definition/refuses-a-sequence-that-was-committed",
  },

  // Builds and starts
  buildFailed: {
    text: /docker (image )?build failed|platform builder failed/,
    from: "core/container/container.go, core/container/dockercontroller/dockercontroller.go, Build",
    known: both,
    contract: "none",
  },
  buildEnded: {
    text: /^([^]*?)Error returned from build: (\d+) "([^]*)"\s*$/, // all that the build wrote, in one line
    from: "core/chaincode/platforms/util/utils.go, DockerBuild",
    known: both,
    contract: "none",
  },
  /** The peer's daemon neither has the builder's image nor can pull it. */
  builderMissing: {
    text: /Failed to (?:wait )?pull (\S+): ([^]*)$/,
    from: "core/chaincode/platforms/util/utils.go, DockerBuild",
    known: both,
    contract: "none",
  },
  /** "No such image" is Docker's. */
  imageLacking: {
    text: /could not launch chaincode .*(error building image|No such image)/s,
    from: `${support}, Launch; core/chaincode/container_runtime.go, Build`,
    known: both,
    contract: "docker/chaincode-in-docker/cannot-be-started-when-its-image-has-vanished",
  },
  /** The peer's own failures begin like this; a chaincode's error does not. */
  peerFailed: {
    text: /: (error in simulation|make sure the chaincode|error validating proposal|failed )/,
    from: "core/endorser/endorser.go, ProcessProposalSuccessfullyOrError",
    known: both,
    contract: "docker/chaincode-in-docker/cannot-be-started-when-its-image-has-vanished",
  },
  /** The chaincode's own refusal. */
  chaincodeRefused: {
    text: /transaction returned with failure/,
    from: `${support}, processChaincodeExecutionResult`,
    known: both,
    contract: "none",
  },

  // Init
  initUnwanted: {
    text: /does not require initialization but called as init/,
    from: `${support}, CheckInvocation`,
    known: both,
    contract: "none",
  },
  initDone: {
    text: /is already initialized but called as init/,
    from: `${support}, CheckInvocation`,
    known: both,
    contract: "none",
  },
  initMissing: {
    text: /has not been initialized for this version/,
    from: `${support}, CheckInvocation`,
    known: both,
    contract: "none",
  },

  // The gateway
  /** The gateway knows no orderer, or no orderer takes the transaction. */
  noOrderers: {
    text: /no orderer nodes available|no orderers could/,
    from: "internal/pkg/gateway/submit.go",
    known: both,
    contract: "none",
  },
  /** Only on channels ordered by BFT. */
  tooFewOrderers: {
    text: /insufficient number of orderers/,
    from: "internal/pkg/gateway/submit.go",
    known: ["3.1"],
    contract: "none",
  },
  endorsersDiffer: {
    text: /ProposalResponsePayloads do not match/,
    from: "internal/pkg/gateway/endorsement.go",
    known: both,
    contract: "none",
  },
  noChannelConfig: {
    text: /failed to get config for channel/,
    from: registry,
    known: both,
    contract: "transactions/gateway/knows-no-other-channel",
  },
  noCombination: {
    text: /no combination of peers/,
    from: registry,
    known: both,
    contract: "transactions/gateway/knows-no-other-chaincode",
  },
  noEndorserSet: {
    text: /failed to select a set of endorsers/,
    from: registry,
    known: both,
    contract: "none",
  },
  noEndorsers: {
    text: /failed to find any endorsing peers/,
    from: registry,
    known: both,
    contract: "transactions/gateway/has-just-those-organizations-endorse-that-are-named",
  },
  noEvaluator: {
    text: /no peers available to evaluate chaincode/,
    from: registry,
    known: both,
    contract: "transactions/gateway/knows-no-other-chaincode",
  },
  /** The chaincode itself answered with an error. */
  chaincodeAnswered: {
    text: /chaincode response \d+/,
    from: "internal/pkg/gateway/apiutils.go",
    known: both,
    contract: "transactions/gateway/reports-the-chaincode-s-error-on-evaluation",
  },
  notInstalled: {
    text: /chaincode definition for '.*' exists, but chaincode is not installed/,
    from: "core/chaincode/lifecycle/endorsement_info.go",
    known: both,
    contract: "second-peer/two-peers-of-one-organization/only-where-the-package-is-installed-the-chaincode-runs",
  },
} satisfies Readonly<Record<string, Answer>>;

/** Whether a message is, or contains, one of these answers. */
export function says(message: string, ...any: readonly Answer[]): boolean {
  return any.some(({ text }) => text.test(message));
}
