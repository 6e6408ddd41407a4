import type { WireEventPosition } from '#libs/api-contracts';
import { ProblemError } from '../http/problem-error.ts';

type Positions = Map<string, WireEventPosition>;

/** The id of an event: where the reader is at each node, for any replica of the API to go on from. */
export function textOfPositions(positions: ReadonlyMap<string, WireEventPosition>): string {
  const pairs = [...positions].map(([node, { life, number }]) => [node, life, number]);
  return Buffer.from(JSON.stringify(pairs)).toString('base64url');
}

/**
 * What an id says; empty without one.
 *
 * @throws ProblemError when it is none that an event had.
 */
export function positionsOf(text: string | undefined): Positions {
  if (text === undefined || text === '') return new Map();
  try {
    const pairs: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (Array.isArray(pairs)) return new Map(pairs.map(pairOf));
  } catch {
    // Told below.
  }
  const detail = 'Last-Event-ID is not the id of an event of this API';
  throw new ProblemError('validation-failed', detail, {
    errors: [{ pointer: '/header/last-event-id', code: 'invalid', detail }],
  });
}

function pairOf(pair: unknown): [string, WireEventPosition] {
  const [node, life, number] = Array.isArray(pair) ? (pair as unknown[]) : [];
  if (typeof node !== 'string' || !isCount(life) || !isCount(number))
    throw new TypeError('no pair');
  return [node, { life, number }];
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
