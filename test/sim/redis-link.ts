import { StoreUnavailableError } from '#libs/broker-ports';
import type { SimProcess } from './sim-process.ts';
import type { SimRedis } from './sim-redis.ts';

/** What is under way. */
interface Call {
  readonly fail: (reason: string) => void;
  readonly answer: (settle: () => void) => void;
  isOver: boolean;
  hasArrived: boolean;
  isLost: boolean;
}

/** How a link behaves. */
export interface LinkOptions {
  readonly name: string;
  readonly commandTimeoutMs: number;
}

/**
 * A process's connection to Redis: commands arrive in their order and so do their answers, each after a while.
 *
 * @remarks When it breaks, what was on its way may still arrive or not, and its answer does not. While it is down calls fail
 * at once. A call that has had no answer in time fails, and is carried out all the same.
 */
export class RedisLink {
  readonly #process: SimProcess;
  readonly #redis: SimRedis;
  readonly #options: LinkOptions;
  readonly #open = new Set<Call>();
  #arrivesAtMs = 0;
  #answersAtMs = 0;
  #isUp = true;

  constructor(process: SimProcess, redis: SimRedis, options: LinkOptions) {
    this.#process = process;
    this.#redis = redis;
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Has Redis do something; nothing is told of it after a crash. */
  call<Result>(run: () => Result | Promise<Result>): Promise<Result> {
    const { world } = this.#process;
    return new Promise<Result>((resolve, reject) => {
      const fail = (reason: string): void =>
        reject(new StoreUnavailableError(`Redis, ${this.#options.name}: ${reason}`));
      if (!this.#isUp) {
        this.#process.after(0, () => fail('not connected'));
        return;
      }
      const { commandTimeoutMs } = this.#options;
      const cancel =
        commandTimeoutMs > 0
          ? this.#process.after(commandTimeoutMs, () => {
              if (this.#end(call)) fail('no answer in time');
            })
          : undefined;
      const call: Call = {
        fail,
        answer: (settle) => {
          if (!this.#end(call)) return;
          cancel?.();
          settle();
        },
        ...{ isOver: false, hasArrived: false, isLost: false },
      };
      this.#open.add(call);
      this.#arrivesAtMs = Math.max(this.#arrivesAtMs, world.nowMs + this.#redis.travelMs());
      world.at(this.#arrivesAtMs, () => {
        this.#redis.arrived(() => this.#carryOut(call, run, resolve));
      });
    });
  }

  /** The connection is gone. Each call under way fails; of those on their way, some arrive. */
  break(): void {
    if (!this.#isUp) return;
    this.#isUp = false;
    const { world } = this.#process;
    // In the order of sending: what comes after a lost one is lost, too.
    let isLost = false;
    for (const call of this.#open) {
      if (!call.hasArrived) {
        isLost ||= world.chance(0.5);
        call.isLost = isLost;
      }
      this.#process.after(world.delay(0, 2), () => {
        if (this.#end(call)) call.fail('connection lost');
      });
    }
  }

  restore(): void {
    this.#isUp = true;
  }

  #carryOut<Result>(
    call: Call,
    run: () => Result | Promise<Result>,
    resolve: (result: Result) => void,
  ): void {
    if (call.isLost) return;
    call.hasArrived = true;
    const connection = this.#isUp;
    void Promise.resolve(run()).then((result) => {
      if (!connection || !this.#isUp) return;
      const { world } = this.#process;
      this.#answersAtMs = Math.max(this.#answersAtMs, world.nowMs + this.#redis.travelMs());
      world.at(this.#answersAtMs, () => {
        if (!this.#isUp || !this.#open.has(call)) return;
        this.#process.after(0, () => call.answer(() => resolve(result)));
      });
    });
  }

  #end(call: Call): boolean {
    this.#open.delete(call);
    if (call.isOver) return false;
    call.isOver = true;
    return true;
  }
}
