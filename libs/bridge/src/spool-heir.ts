import {
  SpoolDamageError,
  SpoolError,
  type InheritedSpool,
  type Log,
  type SpoolEntry,
  type SpoolEstate,
  type SpoolLog,
} from '#libs/broker-ports';
import { isMarked } from './done-marks.ts';
import type { RuleBridge } from './rule-bridge.ts';

/** What an heir works with. */
export interface SpoolHeirOptions {
  readonly estate: SpoolEstate;
  /** Takes records of a rule into the spool of this node. */
  readonly bridge: Pick<RuleBridge, 'inherit' | 'inherits'>;
  readonly log: Log;
}

const LOOK_MS = 1_000;
/** How often it is looked whether records of rules that do not run here need not be kept any more. */
const LOOKS_AT_REST = 60;
const PIECE_BYTES = 256 * 1024;

/**
 * Brings what ended nodes have left in their spools into the spool of this one, whose rules send it.
 *
 * @remarks A piece is forgotten there when it is durable here, so a crash between the two repeats one piece. Records of a rule
 * come in their order, behind what this node has of the rule by then. Those of a rule that does not run here wait, also for a
 * node that knows the rule; they go as what a node has itself does: see SpoolLeftovers.
 */
export class SpoolHeir {
  readonly #options: SpoolHeirOptions;
  readonly #spools = new Set<InheritedSpool>();
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | undefined;
  #fault: string | undefined;
  #isClosed = false;
  #looks = 0;
  /** Logs of which it was told that they wait. */
  readonly #told = new WeakSet<SpoolLog>();

  constructor(options: SpoolHeirOptions) {
    this.#options = options;
  }

  /** Begins to look for what is left. */
  start(): void {
    this.#timer = setInterval(() => {
      this.#round ??= this.#go().finally(() => (this.#round = undefined));
    }, LOOK_MS).unref();
  }

  /** Ends. What was not brought over is for whoever inherits from this node. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#round;
    for (const inherited of this.#spools) await this.#leave(inherited);
  }

  async #go(): Promise<void> {
    const { estate, log } = this.#options;
    this.#looks += 1;
    try {
      for (const inherited of await estate.inherit()) {
        const { nodeId: node, spool } = inherited;
        this.#spools.add(inherited);
        log.info('bridge-spool-inherited', {
          node,
          bytes: spool.bytes,
          rules: spool.rules().length,
        });
      }
      for (const inherited of this.#spools) await this.#empty(inherited);
      this.#fault = undefined;
    } catch (error) {
      if (!(error instanceof SpoolError)) throw error;
      if (this.#fault !== error.message) {
        log.warn('bridge-spool-inherit-failed', { error: error.message });
      }
      this.#fault = error.message;
    }
  }

  /** Brings over what this node takes now. */
  async #empty(inherited: InheritedSpool): Promise<void> {
    const { nodeId: node, spool } = inherited;
    let isMoving = true;
    while (isMoving && !this.#isClosed) {
      if (!(await inherited.isHeld())) {
        this.#options.log.info('bridge-spool-returned', { node });
        return this.#leave(inherited);
      }
      isMoving = false;
      for (const rule of spool.rules()) {
        if (await this.#move(inherited, rule)) isMoving = true;
      }
    }
    if (spool.rules().length > 0) return;
    this.#options.log.info('bridge-spool-emptied', { node });
    await this.#leave(inherited);
  }

  /** Brings a piece of a log over; whether it may be worth while to go on. */
  async #move({ nodeId: node, spool }: InheritedSpool, rule: string): Promise<boolean> {
    const { bridge, log } = this.#options;
    const left = spool.open(rule);
    const isAtWork = bridge.inherits(rule);
    if (!isAtWork) this.#tell(left, { rule, node });
    if (!isAtWork && left.records > 0 && this.#looks % LOOKS_AT_REST !== 0) return false;
    const entries = await this.#read(left, { rule, node });
    if (entries.length === 0) {
      await spool.remove(rule);
      return false;
    }
    const { marks } = left;
    const wanted = entries.filter(({ sequence }) => !isMarked(marks, sequence));
    const taken = wanted.length > 0 ? await bridge.inherit(rule, wanted) : 0;
    const last = taken === wanted.length ? entries.at(-1) : wanted[taken - 1];
    if (last === undefined) return false;
    left.release(last.sequence);
    if (!isAtWork) log.warn('bridge-spool-removed', { rule, node, records: taken });
    return true;
  }

  #tell(left: SpoolLog, whose: { readonly rule: string; readonly node: string }): void {
    const { records, bytes } = left;
    if (records === 0 || this.#told.has(left)) return;
    this.#told.add(left);
    this.#options.log.warn('bridge-spool-unclaimed', { ...whose, records, bytes });
  }

  /** Reads a piece of a log; what is damaged is passed over. */
  async #read(
    left: SpoolLog,
    whose: { readonly rule: string; readonly node: string },
  ): Promise<readonly SpoolEntry[]> {
    for (;;) {
      const { first: from } = left;
      try {
        return await left.read(from, PIECE_BYTES);
      } catch (error) {
        if (!(error instanceof SpoolDamageError)) throw error;
        const { upTo, message } = error;
        const lost = { records: upTo - from + 1, from, upTo, error: message };
        this.#options.log.error('bridge-spool-damaged', { ...whose, ...lost });
        left.release(upTo);
      }
    }
  }

  async #leave(inherited: InheritedSpool): Promise<void> {
    this.#spools.delete(inherited);
    try {
      await inherited.close();
    } catch (error) {
      if (!(error instanceof SpoolError)) throw error;
      this.#options.log.warn('bridge-spool-inherit-failed', { error: error.message });
    }
  }
}
