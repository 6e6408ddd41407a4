import { until } from '#libs/testkit';
import { Child, run } from './child.ts';
import type { Scope } from './scope.ts';

const SUBSCRIBED_DEADLINE_MS = 20_000;
const RECEIVED_DEADLINE_MS = 20_000;
const MARK = '> ';

/** Publishes with mosquitto_pub; resolves when it has ended, so with QoS 1 and 2 when it was acknowledged. */
export async function mosquittoPub(
  scope: Scope,
  port: number,
  args: readonly string[],
): Promise<void> {
  const address = ['-h', '127.0.0.1', '-p', String(port)];
  await run(scope, { command: 'mosquitto_pub', args: [...address, ...args] });
}

/** A mosquitto_sub that runs until the scope ends. */
export class MosquittoSub {
  readonly child: Child;

  private constructor(child: Child) {
    this.child = child;
  }

  /** Starts it and waits for its SUBACK. */
  static async open(scope: Scope, port: number, args: readonly string[]): Promise<MosquittoSub> {
    // Unbuffered, and with debug lines, since they tell of the SUBACK.
    const command = ['-oL', 'mosquitto_sub', '-d', '-F', `${MARK}%t q%q r%r %p`];
    const address = ['-h', '127.0.0.1', '-p', String(port)];
    const child = new Child(scope, { command: 'stdbuf', args: [...command, ...address, ...args] });
    await child.says('Subscribed (mid', SUBSCRIBED_DEADLINE_MS);
    return new MosquittoSub(child);
  }

  /** What it has received: topic, QoS, retain flag and payload, as in `a/b q1 r0 hello`. */
  get received(): readonly string[] {
    return this.child.stdout
      .split('\n')
      .filter((line) => line.startsWith(MARK))
      .map((line) => line.slice(MARK.length));
  }

  /** Waits until it has received a number of messages. */
  async receives(count: number): Promise<readonly string[]> {
    try {
      await until(() => this.received.length >= count, RECEIVED_DEADLINE_MS);
    } catch (cause) {
      throw new Error(`${this.child.name} has received only:\n${this.child.output}`, { cause });
    }
    return this.received;
  }
}
