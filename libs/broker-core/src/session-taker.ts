import {
  StoreUnavailableError,
  type FormerWill,
  type NodeRef,
  type SessionRecord,
  type StoredWill,
  type TakeRequest,
  type TakeResult,
} from '#libs/broker-ports';
import { ClusterError } from '#libs/cluster';
import type { ConnectionTerms } from '#libs/mqtt-engine';
import type { DoubtfulSessions } from './doubtful-sessions.ts';
import { encodeFrame } from './frame.ts';
import type { NodeParts } from './parts.ts';
import { isRoutesLate, type Expectation, type Router } from './router.ts';
import { willAtTake } from './wills.ts';

/** What a connecting client brings. */
export interface Connecting {
  readonly terms: ConnectionTerms;
  readonly will: StoredWill | undefined;
  /** Who the client has proven to be, empty for an anonymous one; undefined when nobody was asked. */
  readonly user: string | undefined;
  /** Whether it is still there: a session is not taken for one that has gone while others were served. */
  readonly isOpen: () => boolean;
}

/** A session as the store has given it to this node. */
export interface Taken {
  readonly record: SessionRecord;
  readonly sessionPresent: boolean;
  /** To be ended when the session can be delivered to; undefined when it was this node's already, or new. */
  readonly expected: Expectation | undefined;
  /** What there was of a will. */
  readonly formerWill?: FormerWill;
  /** Whether no other node publishes it, and the new connection does not cancel it. */
  readonly isWillDue: boolean;
  /** The former owner, if it has not let the session go by itself. */
  readonly orphanOf: NodeRef | undefined;
}

/** The session that a client asks for is another user's. */
export class ForeignSessionError extends Error {
  override readonly name = 'ForeignSessionError';
  readonly code = 'SESSION_FOREIGN';

  constructor() {
    super('the session of the client id belongs to another user');
  }
}

const TAKE_TRIES = 5;

/** Takes sessions for connecting clients, from whoever has them. */
export class SessionTaker {
  readonly #parts: NodeParts;
  readonly #router: Router;
  readonly #doubts: DoubtfulSessions;

  constructor(
    parts: NodeParts,
    own: { readonly router: Router; readonly doubts: DoubtfulSessions },
  ) {
    this.#parts = parts;
    this.#router = own.router;
    this.#doubts = own.doubts;
  }

  /**
   * Takes a session. Should that fail, it is not known who has it.
   *
   * @throws StoreUnavailableError when the store does not answer, or ownership could not be settled.
   * @throws ForeignSessionError when it is another user's, and nothing has changed.
   */
  async take({ terms, will, user }: Connecting): Promise<Taken> {
    const { bus, sessions } = this.#parts;
    const asked: NodeRef[] = [];
    const own: TakeRequest = {
      clientId: terms.clientId,
      node: bus.self,
      nowMs: this.#parts.nowMs(),
      cleanStart: terms.cleanStart,
      durable: terms.durable,
      expiryIntervalSeconds: terms.sessionExpirySeconds,
      connected: true,
      ...(will && { will }),
      ...(user !== undefined && { user }),
    };
    let request = own;
    let expected: (Expectation & { readonly isRouted: boolean }) | undefined;
    let orphanOf: NodeRef | undefined;
    let leftWill: FormerWill | undefined;
    try {
      for (let tries = 0; tries < TAKE_TRIES; tries += 1) {
        const result: TakeResult = await sessions.take(request);
        if (result.kind === 'taken') {
          for (const node of asked) this.#tellTaken(node, result.record);
          const willIs = willAtTake(result, orphanOf !== undefined, this.#parts.nowMs());
          if (willIs === 'cancelled') this.#parts.meter.will('cancelled');
          return { ...result, expected, isWillDue: willIs === 'due', orphanOf };
        }
        if (result.kind === 'foreign') throw new ForeignSessionError();
        if (result.kind === 'absent') break;
        if (!bus.isAlive(bus.self)) throw new StoreUnavailableError('the lease is in doubt');
        leftWill = undefined;
        expected ??= await this.#expect(terms);
        expected.begin();
        const isReleased = await this.#askForRelease(terms.clientId, result, expected.isRouted);
        const isAlive = bus.isAlive(result.owner);
        asked.push(result.owner);
        orphanOf = isReleased && isAlive ? undefined : result.owner;
        const nowMs = this.#parts.nowMs();
        request = { ...own, nowMs, replacesEpoch: result.epoch };
        if (orphanOf === undefined || !result.hasWill) continue;
        // The take for the client drops the will, and its answer may be lost. So the will is in this node's hands before.
        const left = await sessions.take({ ...request, cleanStart: false, connected: false });
        if (left.kind === 'owned') continue;
        if (left.kind === 'taken') leftWill = left.formerWill;
        request = { ...own, nowMs };
      }
      throw new StoreUnavailableError('the session changes hands too often');
    } catch (error) {
      if (error instanceof ForeignSessionError && expected === undefined) throw error;
      // Its owner may have let it go, and this node is the one that is routed to.
      this.#doubts.failed(terms.clientId, expected && { kept: expected, will: leftWill });
      throw error;
    }
  }

  /**
   * Waits until the others route to a session that comes here. A client is not refused for a node that is late: the
   * routes are written down, and it applies them when it goes on.
   *
   * @returns whether all of them do.
   * @throws StoreUnavailableError when they could not be written down.
   */
  async announced(): Promise<boolean> {
    try {
      await this.#router.announced();
      return true;
    } catch (error) {
      if (!isRoutesLate(error)) throw error;
      return false;
    }
  }

  /** Has the others route to this node, too, before the former owner stops to be routed to. */
  async #expect({
    clientId,
    cleanStart,
  }: ConnectionTerms): Promise<Expectation & { readonly isRouted: boolean }> {
    const record = cleanStart ? undefined : await this.#parts.sessions.load(clientId);
    const filters = record?.subscriptions.map(({ filter }) => filter) ?? [];
    const expected = this.#router.expect(clientId, filters);
    try {
      const isRouted = filters.length === 0 || (await this.announced());
      return { ...expected, isRouted };
    } catch (error) {
      expected.end(undefined);
      throw error;
    }
  }

  /** An owner that does not answer is fenced: its later writes carry an old epoch. Resolves with whether it has answered. */
  async #askForRelease(
    clientId: string,
    { owner, epoch }: { readonly owner: NodeRef; readonly epoch: number },
    isRouted: boolean,
  ): Promise<boolean> {
    const { bus, log, meter, moves } = this.#parts;
    if (!bus.isAlive(owner)) return true;
    const startedAtMs = this.#parts.nowMs();
    let isReleased = true;
    try {
      const request = { kind: 'release-session', clientId, epoch, isRouted } as const;
      const { backlogs } = await bus.request(owner.nodeId, request);
      if (backlogs.length > 0) moves?.arrived(clientId, backlogs);
    } catch (error) {
      isReleased = false;
      if (!isAway(error)) moves?.arrived(clientId, [{ node: owner, queues: undefined }]);
      log.warn('session-release-unanswered', { owner: owner.nodeId, reason: String(error) });
    }
    meter.sessionEvent('taken_over');
    meter.takeoverDuration('remote', (this.#parts.nowMs() - startedAtMs) / 1000);
    return isReleased;
  }

  /**
   * A former owner that did not answer lets its connection go then; one that did is not routed to any more. One that is not
   * alive may only have been away for longer than its lease, and goes on unless another node has claimed it meanwhile.
   */
  #tellTaken(owner: NodeRef, { clientId, epoch }: SessionRecord): void {
    const { bus, log } = this.#parts;
    const frame = encodeFrame({ kind: 'taken', clientId, epoch });
    bus.sendDurable(owner, frame).catch((error: unknown) => {
      if (!bus.isAlive(owner)) return;
      log.warn('session-taken-untold', { owner: owner.nodeId, reason: String(error) });
    });
  }
}

/** Whether a node is as good as gone: nothing comes from there that could be waited for. */
function isAway(error: unknown): boolean {
  return error instanceof ClusterError && error.code === 'NODE_AWAY';
}
