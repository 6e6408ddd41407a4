import type { ConnectPacket } from '#libs/mqtt-codec';
import type { Role } from '../faults/device.ts';
import type { Publication } from '../faults/history.ts';
import { encodeNumbers, topicOf } from '../faults/payload.ts';

/** Whether the broker has taken a will that it was sent, or publishes it, is not known. */
const UNKNOWN = 0x80;

/** What a testator is to be. */
export interface TestatorOptions {
  readonly qos: 1 | 2;
  /** Whether each will must be published: no fault may lose it. */
  readonly isOwed: boolean;
}

/**
 * A client that never takes its leave. To a history it is a publisher whose n-th message is the will of its n-th connection:
 * acknowledged when that had its CONNACK and has ended, if it must be published then.
 */
export class Testator implements Role {
  readonly publications: Publication[] = [];
  readonly #index: number;
  readonly #qos: 1 | 2;
  readonly #nowMs: () => number;
  readonly #isOwed: boolean;
  #isConnected = false;

  constructor(index: number, { qos, isOwed }: TestatorOptions, nowMs: () => number) {
    this.#index = index;
    this.#qos = qos;
    this.#isOwed = isOwed;
    this.#nowMs = nowMs;
  }

  /** The will of the next connection; the one before has ended. */
  readonly will = (): NonNullable<ConnectPacket['will']> => {
    const last = this.publications.at(-1);
    if (last !== undefined && this.#isConnected && this.#isOwed) {
      last.refusal = undefined;
      last.acknowledgedAtMs = this.#nowMs();
    }
    this.#isConnected = false;
    const [publisher, qos, number] = [this.#index, this.#qos, this.publications.length];
    this.publications.push({
      ...{ publisher, number, qos, dueAtMs: this.#nowMs(), sends: 1 },
      ...{ acknowledgedAtMs: undefined, refusal: UNKNOWN },
    });
    const payload = encodeNumbers(publisher, number);
    return { topic: topicOf(publisher), payload, qos, retain: false };
  };

  connected(): void {
    this.#isConnected = true;
  }

  received(): void {
    // It gets nothing but answers to its pings.
  }
}
