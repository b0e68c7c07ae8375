/** What a test asks a node to do wrong. Everything is off at start. */
export class Faults {
  /** Added to the time every proposal takes. */
  endorsementDelayMilliseconds = 0;
  /** This many of the next endorsed transactions to be validated are found in conflict. */
  conflicts = 0;
  /** Every installation is refused with this text; empty when off. */
  refuseInstall = "";
  /** Chaincode containers cannot be started because their image is gone. */
  vanishedImage = false;
  /** The node takes every client's certificate for expired. */
  certificatesExpired = false;

  /** The time by which certificates are judged. */
  now(): Date {
    return new Date(this.certificatesExpired ? "9999-01-01" : Date.now());
  }

  /** Everything that can be set, as it is. */
  show(): Readonly<Record<string, unknown>> {
    const { endorsementDelayMilliseconds, conflicts, refuseInstall, vanishedImage, certificatesExpired } = this;
    return { endorsementDelayMilliseconds, conflicts, refuseInstall, vanishedImage, certificatesExpired };
  }

  /** Applies what a request names; throws on a name or type that is none. */
  set(changes: Readonly<Record<string, unknown>>): void {
    for (const [name, value] of Object.entries(changes)) {
      switch (name) {
        case "endorsementDelayMilliseconds":
        case "conflicts":
          this[name] = Number(value);
          break;
        case "refuseInstall":
          this[name] = String(value);
          break;
        case "vanishedImage":
        case "certificatesExpired":
          this[name] = value === true;
          break;
        default:
          throw new Error(`expected the name of a fault, found ${name}`);
      }
    }
  }
}
