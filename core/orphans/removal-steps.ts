import { FabricError } from "../error.ts";
import type { Step } from "../engine/step.ts";
import { findingKey, type Finding } from "./judgement/finding.ts";
import type { AgeLimit } from "./judgement/judgement.ts";
import type { Place } from "./places/place.ts";
import { remembered } from "./judgement/remembered.ts";

/** For how long several steps may use the same look at a place. */
const freshFor = 2000; // milliseconds

/**
 * Steps that remove the orphans. Each step looks again first: a thing that is gone by now is done, and one that is needed by now stays.
 * Images come after the containers of their daemon.
 */
export function removalSteps(
  places: readonly Place[],
  findings: readonly Finding[],
  age: () => AgeLimit,
): readonly Step[] {
  const looks = places.map((place) => ({ place, look: rememberedLook(place, age) }));
  const orphans = findings.filter(({ verdict }) => verdict === "orphan");
  const stepOf = (finding: Finding, after: readonly Step[]): readonly Step[] => {
    const at = looks.find(({ place }) => place.source === finding.source && holds(place, finding));
    return at ? [removalStep(at.place, at.look, finding, after, age)] : [];
  };
  const containers = orphans
    .filter(({ kind }) => kind.includes("container"))
    .map((finding) => ({ finding, steps: stepOf(finding, []) }));
  return orphans.flatMap((finding): readonly Step[] => {
    if (finding.kind !== "image")
      return containers.find((other) => other.finding === finding)?.steps ?? stepOf(finding, []);
    const ofDaemon = containers.filter((other) => sameDaemon(other.finding, finding));
    return stepOf(
      finding,
      ofDaemon.flatMap(({ steps }) => steps),
    );
  });
}

const holds = (place: Place, finding: Finding): boolean =>
  place.name === finding.place || place.name === "all namespaces";

const sameDaemon = (one: Finding, other: Finding): boolean => one.source === other.source && one.place === other.place;

type Look = (signal: AbortSignal) => Promise<readonly Finding[]>;

function rememberedLook(place: Place, age: () => AgeLimit): Look {
  return remembered(
    (signal: AbortSignal) => place.look(age(), signal),
    () => freshFor,
  );
}

function removalStep(place: Place, look: Look, finding: Finding, after: readonly Step[], age: () => AgeLimit): Step {
  const key = findingKey(finding);
  return {
    id: key,
    title: `${finding.kind} ${shortName(finding.name)} in ${finding.place} is gone`,
    after,
    removes: true,
    async observe({ signal }) {
      const now = (await look(signal)).find((other) => findingKey(other) === key && other.id === finding.id);
      if (!now) return { is: "so", detail: "gone already" };
      if (now.verdict !== "orphan") return { is: "so", detail: `kept: ${now.because}` };
      return { is: "differs", change: now.because };
    },
    async act({ signal }) {
      try {
        return (await place.remove(finding, age(), signal)) ? finding.because : { unchanged: "gone already" };
      } catch (error) {
        // Something has begun to use it since the look: it is no longer an orphan.
        if (error instanceof FabricError && error.code === "conflict") return { unchanged: `kept: ${error.message}` };
        throw error;
      }
    },
  };
}

/** Shortens hashes to 12 digits, as Docker shows them. */
export function shortName(name: string): string {
  return name.replaceAll(/[0-9a-f]{64}/g, (hash) => hash.slice(0, 12));
}
