import { Stop } from './faults.ts';
import type { TransformLimits } from './limits.ts';
import { RESERVED_NAMES } from './reserved-names.ts';

/** Raw bytes as a result: what `$bytes` makes. */
export class Bytes {
  readonly value: Buffer;

  constructor(value: Buffer) {
    this.value = value;
  }
}

// What a scalar, or the frame of an array or object, roughly takes in JSON.
const NODE_BYTES = 4;

/**
 * The size of a value, about that of its JSON.
 *
 * @remarks Values may share parts, and count them each time, as JSON would; the walk ends at the limit. Functions count
 * as a node.
 *
 * @throws Stop when it is larger or deeper than the limits.
 */
export function measure(value: unknown, limits: TransformLimits): number {
  return limits.valueBytesMax - walk(value, limits.valueBytesMax, { depth: 0, limits });
}

interface Place {
  readonly depth: number;
  readonly limits: TransformLimits;
}

/** Takes the value's size off what is left. */
function walk(value: unknown, left: number, place: Place): number {
  let rest = left - NODE_BYTES;
  if (typeof value === 'string') rest -= value.length;
  else if (value instanceof Bytes) rest -= value.value.length;
  else if (typeof value === 'object' && value !== null && !isFunction(value)) {
    const { limits } = place;
    const inner = { depth: place.depth + 1, limits };
    if (inner.depth > limits.depthMax) {
      throw new Stop('LIMIT_DEPTH', `a value nests more than ${limits.depthMax} levels`);
    }
    if (Array.isArray(value)) {
      for (const item of value) rest = walk(item, rest, inner);
    } else {
      const members = value as Readonly<Record<string, unknown>>;
      for (const name of Object.keys(members)) {
        if (RESERVED_NAMES.has(name)) {
          throw new Stop('EXPRESSION_FAILED', `an object would have the reserved name ${name}`);
        }
        rest = walk(members[name], rest - name.length, inner);
      }
    }
  }
  if (rest < 0) {
    throw new Stop('LIMIT_SIZE', `a value is larger than ${place.limits.valueBytesMax} bytes`);
  }
  return rest;
}

/** Whether a value is a function of the language: a JavaScript function, or an object that its evaluator marks as one. */
export function isFunction(value: unknown): boolean {
  if (typeof value === 'function') return true;
  return (
    typeof value === 'object' &&
    value !== null &&
    (Object.hasOwn(value, '_jsonata_lambda') || Object.hasOwn(value, '_jsonata_function'))
  );
}
