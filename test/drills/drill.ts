import { until } from '#libs/testkit';
import type { Scope } from '../e2e/harness/scope.ts';
import type { Settings } from '../e2e/harness/app.ts';
import { openStage, type Observe, type Stage } from './stage.ts';

/** Something that goes wrong, and what an SRE must hear of it. */
export interface Drill {
  readonly name: string;
  readonly title: string;
  /** The alert that must fire. */
  readonly alert: string;
  /** Settings of the nodes beyond those of every drill. */
  readonly settings?: Settings;
  /** Makes it go wrong; returns what makes it right again. */
  begin(stage: Stage, scope: Scope): Promise<() => unknown>;
}

/** What a drill has shown. */
export interface DrillResult {
  /** Seconds until the alert fired; undefined when it did not. */
  readonly firedAfterSeconds: number | undefined;
  /** Seconds from the repair until somebody was told that the alert is over; undefined when nobody was. */
  readonly resolvedAfterSeconds: number | undefined;
  /** Pages that somebody got, besides that of the alert. */
  readonly otherPages: readonly string[];
  /** What Alertmanager has kept silent, since its cause was told. */
  readonly inhibited: readonly string[];
  /** Alerts that wake nobody. */
  readonly warnings: readonly string[];
  /** What was not as it must be. */
  readonly failures: readonly string[];
}

/** How long nothing may page before it goes wrong. */
const QUIET_MS = 15_000;
/** Starting costs a small machine so much that it may look ill; it has this long to calm down. */
const SETTLE_DEADLINE_MS = 150_000;
const FIRE_DEADLINE_MS = 240_000;
/** Longer than any alert of the drills takes. */
const NO_FAULT_MS = 75_000;
/** How long is watched, after the alert has fired, whether others follow. */
const AFTERMATH_MS = 20_000;
const RESOLVE_DEADLINE_MS = 120_000;
const LOOK_EVERY_MS = 500;

/** Every alert that has fired since it was opened, by name. */
class Watch {
  readonly fired = new Map<string, string>();
  readonly #stage: Stage;
  #now: readonly string[] = [];

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** Whether an alert fires now. */
  isFiring(name: string): boolean {
    return this.#now.includes(name);
  }

  /** Whether any page fires now. */
  get isPaging(): boolean {
    return this.#now.some((name) => this.fired.get(name) === 'critical');
  }

  /** Looks until the condition is met; false when it is not in time. */
  async look(milliseconds: number, isOver: () => boolean = () => false): Promise<boolean> {
    const endsAtMs = performance.now() + milliseconds;
    let nextMs = 0;
    const asked = until(async () => {
      const nowMs = performance.now();
      if (nowMs < nextMs) return false;
      nextMs = nowMs + LOOK_EVERY_MS;
      const firing = await this.#stage.prometheus.firing();
      for (const { name, severity } of firing) this.fired.set(name, severity);
      this.#now = firing.map(({ name }) => name);
      return isOver() || nowMs > endsAtMs;
    }, 2 * milliseconds);
    await asked;
    return isOver();
  }
}

/** Waits until nothing has paged for a while; gives what still does. */
async function settle(stage: Stage, alert: string): Promise<readonly string[]> {
  const watch = new Watch(stage);
  let sinceMs = performance.now();
  const isQuiet = (): boolean => {
    if (watch.isPaging || watch.isFiring(alert)) sinceMs = performance.now();
    return performance.now() - sinceMs > QUIET_MS;
  };
  return (await watch.look(SETTLE_DEADLINE_MS, isQuiet)) ? [] : [...watch.fired.keys()];
}

/** Sets the stage, sees that nothing pages, lets it go wrong, makes it right, and tells what fired. */
export async function runDrill(
  scope: Scope,
  drill: Drill,
  { observe, isWithoutFault }: { readonly observe: Observe; readonly isWithoutFault: boolean },
): Promise<DrillResult> {
  const { alert } = drill;
  const stage = await openStage(scope, { observe, settings: drill.settings ?? {} });
  const early = await settle(stage, alert);
  stage.pager.forget();
  const watch = new Watch(stage);
  const beganAtMs = performance.now();
  const repair = isWithoutFault ? () => undefined : await drill.begin(stage, scope);
  const deadlineMs = isWithoutFault ? NO_FAULT_MS : FIRE_DEADLINE_MS;
  const isFired = await watch.look(deadlineMs, () => watch.fired.has(alert));
  const firedAfterSeconds = isFired ? secondsSince(beganAtMs) : undefined;
  if (isFired) await watch.look(AFTERMATH_MS);
  await repair();
  const repairedAtMs = performance.now();
  const isOver = (): boolean => !watch.isFiring(alert) && stage.pager.told('resolved').has(alert);
  const isResolved = isFired && (await watch.look(RESOLVE_DEADLINE_MS, isOver));
  const resolvedAfterSeconds = isResolved ? secondsSince(repairedAtMs) : undefined;
  return { firedAfterSeconds, resolvedAfterSeconds, ...judge(stage, { alert, watch, early }) };
}

const secondsSince = (beganAtMs: number): number =>
  Math.round((performance.now() - beganAtMs) / 1_000);

function judge(
  { pager }: Stage,
  {
    alert,
    watch,
    early,
  }: { readonly alert: string; readonly watch: Watch; readonly early: readonly string[] },
): Pick<DrillResult, 'failures' | 'inhibited' | 'otherPages' | 'warnings'> {
  const others = [...watch.fired].filter(([name]) => name !== alert);
  const named = (isPage: boolean): readonly string[] =>
    others.filter(([, severity]) => (severity === 'critical') === isPage).map(([name]) => name);
  const paged = pager.told('firing', 'critical');
  const otherPages = [...paged].filter((name) => name !== alert);
  const failures = [
    ...early.map((name) => `${name} fired before anything was wrong`),
    ...(watch.fired.has(alert) ? [] : [`${alert} did not fire`]),
    ...(pager.told('firing').has(alert) ? [] : [`nobody was told of ${alert}`]),
    ...(pager.told('resolved').has(alert) ? [] : [`nobody was told that ${alert} is over`]),
    ...otherPages.map((name) => `${name} pages, and nothing of its kind is wrong`),
  ];
  const inhibited = named(true).filter((name) => !paged.has(name));
  return { failures, inhibited, otherPages, warnings: named(false) };
}
