import { EPOCH_MS, type Cancel, type World } from './world.ts';

/** How a process is to run. */
export interface ProcessOptions {
  readonly name: string;
  /** By how much its wall clock is ahead. */
  readonly skewMs: number;
  /** What one event takes it. */
  readonly costMs: number;
}

/**
 * A process: what happens to it waits while it is paused or busy, and is lost when it is dead.
 *
 * @remarks A pause is that of SIGSTOP: the clocks go on, and whatever was due comes in its order when the process wakes up.
 */
export class SimProcess {
  readonly world: World;
  readonly name: string;
  readonly #skewMs: number;
  #costMs: number;
  readonly #ready: (() => void)[] = [];
  #freeAtMs = 0;
  #isScheduled = false;
  #isPaused = false;
  #isDead = false;

  constructor(world: World, { name, skewMs, costMs }: ProcessOptions) {
    this.world = world;
    this.name = name;
    this.#skewMs = skewMs;
    this.#costMs = costMs;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** The wall clock. */
  readonly nowMs = (): number => Math.floor(EPOCH_MS + this.world.nowMs + this.#skewMs);

  /** A clock that only moves forward. */
  readonly monotonicMs = (): number => this.world.nowMs;

  /** Runs something in this process, later. */
  after(ms: number, run: () => void): Cancel {
    let isCancelled = false;
    const cancel = this.world.after(ms, () => {
      if (this.#isDead) return;
      this.#ready.push(() => {
        if (!isCancelled) run();
      });
      this.#next();
    });
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  /** Runs something in this process again and again. */
  every(ms: number, run: () => void): Cancel {
    let cancel = this.after(ms, again.bind(this));
    function again(this: SimProcess): void {
      cancel = this.after(ms, again.bind(this));
      run();
    }
    return () => cancel();
  }

  /** Changes how busy the process is. */
  setCost(costMs: number): void {
    this.#costMs = costMs;
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    this.#next();
  }

  kill(): void {
    this.#isDead = true;
    this.#ready.length = 0;
  }

  #next(): void {
    const { world } = this;
    if (this.#isDead || this.#isPaused || this.#isScheduled || this.#ready.length === 0) return;
    if (this.#freeAtMs <= world.nowMs && this.#ready.length === 1) return this.#run();
    this.#isScheduled = true;
    world.at(this.#freeAtMs, () => {
      this.#isScheduled = false;
      if (!this.#isDead && !this.#isPaused) this.#run();
    });
  }

  #run(): void {
    this.#freeAtMs = this.world.nowMs + this.#costMs;
    this.#ready.shift()?.();
    this.#next();
  }
}
