import { isUtf8 } from 'node:buffer';
import { Stop } from './faults.ts';
import { RESERVED_NAMES } from './reserved-names.ts';

/** What an expression sees of a payload, whatever it came in. */
export interface PayloadFields {
  /** The payload as JSON; undefined when it is empty. To ask for one that is not JSON is a fault of the stage `payload`. */
  readonly payload: unknown;
  /** The payload as text; to ask for one that is not UTF-8 is a fault of the stage `payload`. */
  readonly payloadText: string;
  readonly payloadBase64: string;
  readonly payloadBytes: number;
}

/** What a payload may be. */
export interface PayloadLimits {
  readonly valueBytesMax: number;
  readonly depthMax: number;
}

/** What documents of a kind have, for those who write expressions. */
export interface DocumentKindOptions {
  /** What the kind is called in errors. */
  readonly plural: string;
  /** The names that expressions may begin with. */
  readonly fields: readonly string[];
  /** What authors may call fields, and what the fields are called. */
  readonly aliases?: Readonly<Record<string, string>>;
}

/** A kind of document: messages, or records. */
export class DocumentKind {
  readonly plural: string;
  readonly fields: readonly string[];
  readonly #aliases: Readonly<Record<string, string>>;
  /**
   * The fields of the document at hand, when it is of this kind.
   *
   * @remarks The evaluator wants an object with members of its own, and to make one with getters takes longer than most
   * evaluations. One is enough, since evaluations are synchronous and do not nest.
   */
  readonly atHand: object;

  constructor({ plural, fields, aliases = {} }: DocumentKindOptions) {
    this.plural = plural;
    this.fields = fields;
    this.#aliases = aliases;
    this.atHand = Object.freeze(
      Object.defineProperties(
        {},
        Object.fromEntries(
          fields.map((name) => [name, { enumerable: true, get: () => atHand?.read(name) }]),
        ),
      ),
    );
  }

  /** What to write instead of a name that no field has. */
  insteadOf(name: string): string {
    const known = Object.hasOwn(this.#aliases, name) ? this.#aliases[name] : undefined;
    return known ?? `payload.${name}`;
  }
}

let atHand: ExpressionDocument | undefined;

/** Takes a document to hand; undefined lets go of it. */
export function takeToHand(document: ExpressionDocument | undefined): void {
  atHand = document;
}

/**
 * What expressions read. All expressions of all rules may share the document of a message or record.
 *
 * @remarks Reads the bytes when they are first asked for: use it only as long as those live.
 */
export abstract class ExpressionDocument {
  /** What it is, and so which fields it has. */
  abstract readonly kind: DocumentKind;
  readonly #payload: Uint8Array;
  #parsed: { readonly payload: unknown } | undefined;
  #limits: PayloadLimits = { valueBytesMax: 0, depthMax: 0 };

  constructor(payload: Uint8Array) {
    this.#payload = payload;
  }

  /** The value of a field that is not one of the payload's; undefined when there is none of that name. */
  protected abstract readField(name: string): unknown;

  /** The value of a field; undefined when there is none of that name. @internal */
  read(name: string): unknown {
    switch (name) {
      case 'payload':
        this.#parsed ??= { payload: this.#parse() };
        return this.#parsed.payload;
      case 'payloadText':
        return textOf(this.#payload);
      case 'payloadBase64':
        return bufferOf(this.#payload).toString('base64');
      case 'payloadBytes':
        return this.#payload.length;
      default:
        return this.readField(name);
    }
  }

  /** What a value that the document holds takes, in bytes of JSON; undefined for every other value. @internal */
  sizeOf(value: unknown): number | undefined {
    const { length } = this.#payload;
    if (value === this.kind.atHand) return length * 4;
    return value === this.#parsed?.payload ? length : undefined;
  }

  /** Says under which limits the next expression reads. @internal */
  limit(limits: PayloadLimits): void {
    if (this.#limits === limits) return;
    this.#limits = limits;
    this.forget();
  }

  /** Makes the next expression parse anew, after one that may have changed what it read. @internal */
  forget(): void {
    this.#parsed = undefined;
  }

  #parse(): unknown {
    if (this.#payload.length === 0) return undefined;
    if (this.#payload.length > this.#limits.valueBytesMax) {
      throw refused(`is larger than ${this.#limits.valueBytesMax} bytes`);
    }
    let value: unknown;
    try {
      value = JSON.parse(textOf(this.#payload));
    } catch {
      throw new Stop('PAYLOAD_NOT_JSON', 'the payload is not JSON');
    }
    inspect(value, this.#limits.depthMax);
    return value;
  }
}

/** Texts by name: one for each, or a list where a name is repeated. */
export function groupsOf(
  pairs: Iterable<readonly [name: string, value: string]>,
): Readonly<Record<string, string | readonly string[]>> {
  const groups = new Map<string, string | string[]>();
  for (const [name, value] of pairs) {
    const earlier = groups.get(name);
    if (earlier === undefined) groups.set(name, value);
    else if (typeof earlier === 'string') groups.set(name, [earlier, value]);
    else earlier.push(value);
  }
  for (const name of RESERVED_NAMES) groups.delete(name);
  return Object.fromEntries(groups);
}

/** The same bytes, which are not copied. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function textOf(bytes: Uint8Array): string {
  if (!isUtf8(bytes)) throw new Stop('PAYLOAD_NOT_TEXT', 'the payload is not UTF-8');
  return bufferOf(bytes).toString();
}

const refused = (why: string): Stop => new Stop('PAYLOAD_REFUSED', `the payload ${why}`);

/** Refuses what the evaluator must never see. Each level goes one call deeper, so the depth is looked at first. */
function inspect(value: unknown, depthLeft: number): void {
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw refused('holds a number out of range');
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  if (depthLeft === 0) throw refused('nests too deeply');
  if (Array.isArray(value)) {
    for (const item of value) inspect(item, depthLeft - 1);
    return;
  }
  const members = value as Readonly<Record<string, unknown>>;
  for (const name of Object.keys(members)) {
    if (RESERVED_NAMES.has(name)) throw refused(`holds the reserved name ${name}`);
    inspect(members[name], depthLeft - 1);
  }
}
