import { check as verdictOf, type Verdict, type Violation } from '../faults/checker.ts';
import type { Outcome } from './outcome.ts';
import { SimCluster } from './sim-cluster.ts';
import { SimFleet } from './sim-fleet.ts';
import { messageName } from './sim-payload.ts';
import type { Plant } from './plant.ts';
import { profileOf, type Profile } from './profiles.ts';
import { restless } from './rest.ts';
import { excerptOf } from './trace.ts';
import { World } from './world.ts';

const HEAL_MS = 120_000;
const QUIET_MS = 45_000;
const LAST_MS = 5_000;
const WRONG: ReadonlySet<Violation> = new Set(['lost', 'qos2-duplicate', 'phantom']);

/** Which simulation to run. */
export interface SimulationOptions {
  readonly seed: number;
  /** @defaultValue the one that the seed chooses */
  readonly profile?: Profile | undefined;
  /** A defect that is to be found. */
  readonly plant?: Plant;
  /** Is told what happens, one line each. */
  readonly trace?: (line: string) => void;
}

/** Lets a cluster and its clients live through what a seed has for them, and checks what became of every message. */
export async function simulate(options: SimulationOptions): Promise<Outcome> {
  const { seed, trace } = options;
  const world = new World(seed, trace);
  const profile = options.profile ?? profileOf(seed);
  const cluster = new SimCluster(world, { ...profile.cluster(world), plant: options.plant });
  const fleet = new SimFleet(cluster);
  const failures: string[] = [];
  profile.populate(fleet, world);
  await cluster.start();
  await fleet.begin();
  await profile.run(cluster, fleet);
  world.tell('', () => 'all faults are over');
  const isDone = (): boolean => fleet.isIdle && fleet.isDelivered;
  if (!(await world.runUntil(isDone, HEAL_MS))) failures.push('not all has come');
  // Leases of dead nodes run out, and copies that come late are there.
  await world.runUntil(() => false, QUIET_MS);
  // What a store was not told in time is put right by the next connection.
  fleet.reconnect();
  await takeRest(world, fleet);
  failures.push(...(await restless(cluster, fleet)));
  const verdict = verdictOf({
    publications: fleet.publications,
    receivers: fleet.sinks.map(({ receiver }) => receiver),
    faultsAtMs: [],
  });
  failures.push(...failuresOf(verdict), ...cluster.errors);
  const examples = [...examplesOf(verdict)];
  const others = { 'after SUBACK': fleet.late, 'to the group': fleet.group };
  for (const [name, receivers] of Object.entries(others)) {
    for (const history of receivers.histories()) {
      const own = verdictOf(history);
      failures.push(...failuresOf({ ...own, unanswered: 0 }).map((text) => `${name} ${text}`));
      examples.push(...examplesOf(own));
    }
  }
  failures.push(...misplacedOf(profile, fleet));
  return {
    ...{ seed, profile: profile.name, failures, verdict, examples },
    events: world.steps,
    virtualMs: Math.round(world.nowMs),
  };
}

/** A client that is slow takes what comes again at its own pace: until nothing more comes. */
async function takeRest(world: World, fleet: SimFleet): Promise<void> {
  const untilMs = world.nowMs + HEAL_MS;
  const arrived = (): number =>
    fleet.sinks.reduce((sum, { receiver }) => sum + receiver.events.length, 0);
  let before: number;
  do {
    before = arrived();
    await world.runUntil(() => false, LAST_MS);
  } while (arrived() > before && world.nowMs < untilMs);
}

function failuresOf({ lost, qos2Duplicated, phantoms, unanswered }: Verdict): string[] {
  const counts = { lost, qos2Duplicated, phantoms, unanswered };
  const wrong = Object.entries(counts).filter(([, count]) => count > 0);
  return wrong.map(([name, count]) => `${name}: ${String(count)}`);
}

/** Where no fault allows for it, subscribers that stay where they are get a publisher's messages in order. */
function misplacedOf({ keepsOrder = false }: Profile, { sinks, publications }: SimFleet): string[] {
  const receivers = sinks
    .map(({ receiver }) => receiver)
    .filter(({ name }) => keepsOrder && name.startsWith('stays'));
  const { reorderedUnexplained } = verdictOf({ publications, receivers, faultsAtMs: [] });
  return reorderedUnexplained === 0 ? [] : [`out of order: ${String(reorderedUnexplained)}`];
}

/** The messages to name: those whose fate is a failure. */
function examplesOf({ examples }: Verdict): Outcome['examples'] {
  return examples
    .filter(({ violation }) => WRONG.has(violation))
    .flatMap(({ publication, receiver, violation }) =>
      publication === undefined
        ? []
        : [
            {
              message: messageName(publication.publisher, publication.number),
              receiver,
              violation,
            },
          ],
    );
}

/** Runs a simulation, and once more with a trace if it fails. */
export async function check(options: SimulationOptions): Promise<Outcome> {
  const outcome = await simulate(options);
  if (outcome.failures.length === 0) return outcome;
  const trace: string[] = [];
  await simulate({ ...options, trace: (line) => trace.push(line) });
  return { ...outcome, excerpt: excerptOf(trace, outcome) };
}

/** What is told of a simulation that failed, with the command that repeats it. */
export function report({ seed, profile, failures, examples, excerpt }: Outcome): string {
  const named = examples.map(
    ({ message, receiver, violation }) => `${violation} ${message} at ${receiver}`,
  );
  return [
    `seed ${String(seed)} (${profile}): ${failures.join('; ')}; again: npm run sim -- --seeds 1 --from ${String(seed)}`,
    ...named.map((text) => `  ${text}`),
    ...(excerpt ?? []),
  ].join('\n');
}
