import { until } from '#libs/testkit';
import type { Scope } from '../e2e/harness/scope.ts';
import type { Settings } from '../e2e/harness/app.ts';
import { openStage, type Stage, type StartPrometheus } from './stage.ts';

/** Something that goes wrong, and what an SRE must hear of it. */
export interface Drill {
  readonly name: string;
  readonly title: string;
  /** The alert that must fire. */
  readonly alert: string;
  /** Pages (severity critical) that say the same from the side of the clients, and may fire with it. */
  readonly mayPage: readonly string[];
  /** Settings of the nodes beyond those of every drill. */
  settings?(scope: Scope): Promise<Settings>;
  /** Makes it go wrong; the scope ends it. */
  begin(stage: Stage, scope: Scope): Promise<void>;
}

/** What a drill has shown. */
export interface DrillResult {
  readonly drill: string;
  /** Seconds until the alert fired; undefined when it did not. */
  readonly firedAfterSeconds: number | undefined;
  /** Every alert that fired, as `name (severity)`. */
  readonly fired: readonly string[];
  /** What was not as it must be. */
  readonly failures: readonly string[];
}

const QUIET_MS = 30_000;
const FIRE_DEADLINE_MS = 240_000;
/** How long is watched, after the alert has fired, whether others follow. */
const AFTERMATH_MS = 20_000;
const LOOK_EVERY_MS = 500;

/** Every alert that has fired since it was opened. */
class Watch {
  readonly fired = new Map<string, string>();
  readonly #stage: Stage;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Looks until the condition is met; false when it is not in time. */
  async look(milliseconds: number, isOver: () => boolean = () => false): Promise<boolean> {
    const endsAtMs = performance.now() + milliseconds;
    const asked = until(
      async () => {
        for (const { name, severity } of await this.#stage.prometheus.firing())
          this.fired.set(name, severity);
        return isOver() || performance.now() > endsAtMs;
      },
      milliseconds + LOOK_EVERY_MS * 60,
    );
    await asked;
    return isOver();
  }
}

/** Sets the stage, sees that nothing fires, lets it go wrong, and tells what fired. */
export async function runDrill(
  scope: Scope,
  drill: Drill,
  observe: StartPrometheus,
): Promise<DrillResult> {
  const settings = (await drill.settings?.(scope)) ?? {};
  const stage = await openStage(scope, { observe, settings });
  const before = new Watch(stage);
  // What is wrong from the beginning, as a certificate is, has its alert from the beginning.
  await before.look(QUIET_MS);
  const early = [...before.fired.keys()].filter((name) => name !== drill.alert);
  const watch = new Watch(stage);
  const beganAtMs = performance.now();
  await drill.begin(stage, scope);
  const isFired = await watch.look(FIRE_DEADLINE_MS, () => watch.fired.has(drill.alert));
  const seconds = Math.round((performance.now() - beganAtMs) / 1_000);
  await watch.look(AFTERMATH_MS);
  const pages = [...watch.fired]
    .filter(([name, severity]) => severity === 'critical' && name !== drill.alert)
    .map(([name]) => name)
    .filter((name) => !drill.mayPage.includes(name));
  return {
    drill: drill.name,
    firedAfterSeconds: isFired ? seconds : undefined,
    fired: [...watch.fired].map(([name, severity]) => `${name} (${severity})`),
    failures: [
      ...early.map((name) => `${name} fired before anything was wrong`),
      ...(isFired ? [] : [`${drill.alert} did not fire`]),
      ...pages.map((name) => `${name} pages, and nothing of its kind is wrong`),
    ],
  };
}
