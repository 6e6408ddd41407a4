import { OPERATIONS, type Operation, type OperationId } from '#libs/api-contracts';
import { ContractCheck, type Exchanged } from './contract-check.ts';
import { RawCaller } from './raw-call.ts';

/** What an operation is called with. */
export interface WalkCall {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  /** Sent as it is, in place of a body. */
  readonly text?: string;
  /** Where to, if not where the walk goes. */
  readonly origin?: string;
  /** The value of `Authorization`, if not that of the walk; none with ''. */
  readonly authorization?: string;
}

const KEEP_ALIVE_LOST = /ECONNRESET|EPIPE|socket hang up/;

/** Calls operations, holds every answer to the document, and remembers which statuses each has given. */
export class Walk {
  /** What was answered otherwise than documented. */
  readonly faults: string[] = [];
  readonly #check = new ContractCheck();
  readonly #callers = new Map<string, RawCaller>();
  readonly #seen = new Map<string, Set<number>>();
  readonly #origin: string;
  readonly #authorization: string;

  constructor(origin: string, key: string) {
    this.#origin = origin;
    this.#authorization = `Bearer ${key}`;
  }

  /** All operations. */
  get operations(): readonly (readonly [OperationId, Operation])[] {
    return Object.entries(OPERATIONS) as [OperationId, Operation][];
  }

  /** The statuses that the document has for an operation. */
  documented(id: OperationId): readonly number[] {
    const found = this.#check.operations.find(({ operationId }) => operationId === id);
    return Object.keys(found?.responses ?? {}).map(Number);
  }

  /** Calls an operation; what a call leaves out is empty, not that of the example. */
  async call(id: OperationId, call: WalkCall = {}): Promise<Exchanged> {
    const operation: Operation = OPERATIONS[id];
    const { headers = {}, origin = this.#origin, authorization = this.#authorization } = call;
    const body = call.text ?? (call.body === undefined ? undefined : JSON.stringify(call.body));
    const answer = await this.#caller(origin).send({
      method: operation.method.toUpperCase(),
      target: targetOf(operation, call),
      headers: {
        ...(authorization !== '' && { authorization }),
        ...(body !== undefined && { 'content-type': operation.bodyType ?? 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body }),
    });
    const seen = this.#seen.get(id) ?? new Set();
    this.#seen.set(id, seen.add(answer.status));
    for (const fault of this.#check.faultsOf(answer)) {
      this.faults.push(`${id} ${answer.status}: ${fault} ${answer.text.slice(0, 300)}`);
    }
    return answer;
  }

  /** As {@link Walk.call}; once more when the connection was found closed. */
  async callAgain(id: OperationId, call: WalkCall): Promise<Exchanged> {
    try {
      return await this.call(id, call);
    } catch (error) {
      if (!KEEP_ALIVE_LOST.test(String(error))) throw error;
      return this.call(id, call);
    }
  }

  /** Sends a request of any method to where an operation is, with an `Origin`; it counts as no call of it. */
  async at(method: string, id: OperationId, path: Readonly<Record<string, string>>) {
    const target = targetOf(OPERATIONS[id], { path });
    const headers = { authorization: this.#authorization, origin: 'https://elsewhere.example' };
    return this.#caller(this.#origin).send({ method, target, headers });
  }

  /** Whether an operation has given a status. */
  hasSeen(id: OperationId, status: number): boolean {
    return this.#seen.get(id)?.has(status) === true;
  }

  /** The documented statuses that were not given, as `operationId status`. */
  unseen(): readonly string[] {
    return this.operations.flatMap(([id]) =>
      this.documented(id)
        .filter((status) => !this.hasSeen(id, status))
        .map((status) => `${id} ${status}`),
    );
  }

  /** Closes idle connections. */
  close(): void {
    for (const caller of this.#callers.values()) caller.close();
  }

  #caller(origin: string): RawCaller {
    const caller = this.#callers.get(origin) ?? new RawCaller(origin);
    this.#callers.set(origin, caller);
    return caller;
  }
}

function targetOf({ path: template }: Operation, { path = {}, query = {} }: WalkCall): string {
  const target = template.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(path[name] ?? ''),
  );
  const search = new URLSearchParams(query).toString();
  return search === '' ? target : `${target}?${search}`;
}
