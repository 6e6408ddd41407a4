import type { Scope } from '../../e2e/harness/scope.ts';

/** What a measurement has found. */
export interface Findings {
  /** By name, which ends in the unit. */
  readonly figures: Record<string, number | string>;
  /** What is not as it must be. */
  readonly failures: string[];
}

/** Something that is counted or timed on a cluster without a fault. */
export interface Measurement {
  readonly name: string;
  readonly title: string;
  readonly measure: (scope: Scope, findings: Findings) => Promise<void>;
}

/** What a measurement has shown. */
export interface MeasurementResult extends Findings {
  readonly row: string;
  readonly title: string;
}

/** Runs a measurement. The scope holds what it opens. */
export async function runMeasurement(
  scope: Scope,
  { name, title, measure }: Measurement,
): Promise<MeasurementResult> {
  const findings: Findings = { figures: {}, failures: [] };
  await measure(scope, findings).catch((error: unknown) => findings.failures.push(String(error)));
  return { row: name, title, ...findings };
}

/** Notes a failure unless something is as it must be. */
export function expectThat({ failures }: Findings, isSo: boolean, otherwise: string): void {
  if (!isSo) failures.push(otherwise);
}

/** How long something took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const beganAtMs = performance.now();
  await work();
  return performance.now() - beganAtMs;
}

/** The figure below which a share of others lies. */
export function percentile(figures: readonly number[], share: number): number {
  const sorted = figures.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** With three digits that mean something. */
export const rounded = (figure: number): number => Number(figure.toPrecision(3));
