import { encodeQueued, type QueuePosition, type SessionOperation } from '#libs/broker-ports';
import { asBuffer } from './bytes.ts';
import { EXPIRY_SLACK_MS } from './keys.ts';
import {
  encodeBegun,
  encodeIdentity,
  encodePosition,
  encodeSubscription,
  willText,
} from './session-view.ts';

/** How much one call may hold, about: Redis serves nobody else while it runs. */
const CALL_ITEMS_MAX = 500;
const CALL_BYTES_MAX = 1024 * 1024;

/** So many appends of a call are cheaper as plain commands than as a call of the script. */
const PLAIN_APPENDS_MAX = 2;

/** Which key a write changes; writes to one key keep their order. */
const KEY_OF = {
  append: 'queue',
  subscribe: 'filters',
  unsubscribe: 'filters',
  begin: 'received',
  receive: 'received',
  forget: 'received',
  release: 'released',
  complete: 'released',
} as const;

type RunKind = keyof typeof KEY_OF;

/** Writes of one kind that follow each other: one command of Redis. */
interface Run {
  readonly kind: RunKind;
  readonly items: (string | Buffer)[];
  count: number;
}

/** Writes that need no script. */
export interface PlainWrites {
  /** Entry id and value. */
  readonly appends: readonly (readonly [id: string, value: Buffer])[];
  /** Entry ids. */
  readonly settled: readonly string[];
}

/**
 * The writes of one session that travel as one call of commands/write-session.lua.
 *
 * @remarks Writes to different keys may change places, so that packet ids of one kind become one SADD and all settled
 * positions one XDEL. What is settled comes after all that is appended, since it may have come in the same call, and the
 * end of the connection comes last, with what becomes of its will. The caller adds operations until the call is full, then begins another.
 */
export class SessionCall {
  readonly clientId: string;
  readonly epoch: number;
  /** Where the operations stand in the caller's list, for their outcomes. */
  readonly indexes: number[] = [];
  /** The same of its appends, in the order in which the script counts them. */
  readonly appends: number[] = [];
  readonly #runs: Run[] = [];
  readonly #lastRun: Partial<Record<(typeof KEY_OF)[RunKind], Run>> = {};
  readonly #settled: string[] = [];
  #departure: readonly string[] = [];
  #discards = false;
  #items = 0;
  #bytes = 0;

  constructor(clientId: string, epoch: number) {
    this.clientId = clientId;
    this.epoch = epoch;
  }

  /** Whether the call takes no further operation: it is large enough, or it ends the session. */
  get isFull(): boolean {
    return this.#discards || this.#items >= CALL_ITEMS_MAX || this.#bytes >= CALL_BYTES_MAX;
  }

  /** Whether the call ends the session. */
  get discards(): boolean {
    return this.#discards;
  }

  /** Adds an operation that stands at `index` in the caller's list; its own list is at most {@link CALL_ITEMS_MAX} long. */
  add(operation: SessionOperation, index: number): void {
    this.indexes.push(index);
    switch (operation.kind) {
      case 'append': {
        const { queued, once } = operation;
        const bytes = asBuffer(encodeQueued(queued));
        this.#bytes += bytes.length;
        this.appends.push(index);
        const identity = once ? encodeIdentity(queued.message) : '';
        return this.#put('append', encodePosition(queued.position), bytes, identity);
      }
      case 'settle':
        return operation.positions.forEach((position) => this.#settle(position));
      case 'release':
        this.#settle(operation.position);
        return this.#put('release', String(operation.packetId));
      case 'begin': {
        const { packetId, message } = operation;
        return this.#put('begin', String(packetId), encodeBegun(message));
      }
      case 'complete':
      case 'receive':
      case 'forget':
        return this.#put(operation.kind, String(operation.packetId));
      case 'subscribe':
        return operation.subscriptions.forEach((subscription) =>
          this.#put('subscribe', subscription.filter, encodeSubscription(subscription)),
        );
      case 'unsubscribe':
        return operation.filters.forEach((filter) => this.#put('unsubscribe', filter));
      case 'disconnect': {
        const { nowMs, expiryIntervalSeconds, willDueAtMs = '', will } = operation;
        const values = [nowMs, expiryIntervalSeconds, willDueAtMs].map(String);
        this.#departure = ['disconnect', '4', ...values, will === undefined ? '' : willText(will)];
        // One that is over stays for its will.
        this.#discards ||= expiryIntervalSeconds === 0 && willDueAtMs === '';
        return;
      }
      case 'expiry': {
        const values = [operation.nowMs, operation.expiryIntervalSeconds].map(String);
        this.#departure = [...this.#departure, 'expiry', '2', ...values];
        return;
      }
      case 'claim-will':
        this.#departure = [...this.#departure, 'claim-will', '1', String(operation.dueAtMs)];
        return;
      case 'forget-will':
        this.#departure = [...this.#departure, 'forget-will', '0'];
        return;
      case 'discard':
        this.#discards = true;
        return;
    }
  }

  /**
   * The same as plain commands, if these are cheaper: what is settled the receiver has acknowledged, whoever owns the
   * session by now, and Redis itself refuses an append under an old epoch, for each take makes its id too small.
   */
  get plain(): PlainWrites | undefined {
    const [run, ...others] = this.#runs;
    if (this.#discards || this.#departure.length > 0 || others.length > 0) return undefined;
    const settled = this.#settled;
    if (run === undefined) return { appends: [], settled };
    if (run.kind !== 'append' || run.count > PLAIN_APPENDS_MAX) return undefined;
    const appends: [string, Buffer][] = [];
    for (let at = 0; at < run.items.length; at += 3) {
      const [id, value, identity] = run.items.slice(at, at + 3);
      if (identity !== '' || typeof id !== 'string' || typeof value !== 'object') return undefined;
      appends.push([id, value]);
    }
    return { appends, settled };
  }

  /** The arguments of the script. */
  encode(): (string | Buffer)[] {
    const out: (string | Buffer)[] = [String(this.epoch), String(EXPIRY_SLACK_MS)];
    if (this.#discards) return [...out, 'discard', '0'];
    for (const { kind, count, items } of this.#runs) out.push(kind, String(count), ...items);
    if (this.#settled.length > 0) {
      out.push('settle', String(this.#settled.length), ...this.#settled);
    }
    return [...out, ...this.#departure];
  }

  #settle(position: QueuePosition): void {
    this.#items += 1;
    this.#settled.push(encodePosition(position));
  }

  #put(kind: RunKind, ...items: (string | Buffer)[]): void {
    this.#items += 1;
    const last = this.#lastRun[KEY_OF[kind]];
    if (last?.kind === kind) {
      last.items.push(...items);
      last.count += 1;
      return;
    }
    const run = { kind, items, count: 1 };
    this.#runs.push(run);
    this.#lastRun[KEY_OF[kind]] = run;
  }
}

/**
 * Arranges a turn's writes as calls: in order per session and epoch, each call of bounded size.
 */
export function sessionCalls(operations: readonly SessionOperation[]): SessionCall[] {
  const calls: SessionCall[] = [];
  const open = new Map<string, SessionCall>();
  operations.forEach((operation, index) => {
    for (const piece of pieces(operation)) {
      let call = open.get(piece.clientId);
      if (call === undefined || call.isFull || call.epoch !== piece.epoch) {
        call = new SessionCall(piece.clientId, piece.epoch);
        calls.push(call);
        open.set(piece.clientId, call);
      }
      call.add(piece, index);
    }
  });
  return calls;
}

/** The operation in parts whose lists fit a call. */
function pieces(operation: SessionOperation): readonly SessionOperation[] {
  if (operation.kind === 'settle') {
    return slices(operation.positions).map((positions) => ({ ...operation, positions }));
  }
  if (operation.kind === 'subscribe') {
    return slices(operation.subscriptions).map((subscriptions) => ({
      ...operation,
      subscriptions,
    }));
  }
  if (operation.kind === 'unsubscribe') {
    return slices(operation.filters).map((filters) => ({ ...operation, filters }));
  }
  return [operation];
}

/** The list in slices of at most {@link CALL_ITEMS_MAX}; an empty list is one slice, for its outcome. */
function slices<Item>(items: readonly Item[]): (readonly Item[])[] {
  if (items.length <= CALL_ITEMS_MAX) return [items];
  const found: (readonly Item[])[] = [];
  for (let from = 0; from < items.length; from += CALL_ITEMS_MAX) {
    found.push(items.slice(from, from + CALL_ITEMS_MAX));
  }
  return found;
}
