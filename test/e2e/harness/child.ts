import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { until } from '#libs/testkit';
import type { Scope } from './scope.ts';

const END_DEADLINE_MS = 30_000;

/** How a child process is started. */
export interface ChildOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** Its whole environment. @defaultValue that of the test run */
  readonly env?: Readonly<Record<string, string>>;
  /** The directory it runs in. @defaultValue that of the test run */
  readonly cwd?: string;
  /** Written to its standard input, which is closed then. */
  readonly input?: string;
}

/** A process that a test has started. It is killed at the end of the scope if it still runs. */
export class Child {
  readonly name: string;
  /** What it has written to standard output so far. */
  stdout = '';
  /** What it has written to standard error so far. */
  stderr = '';
  readonly #process: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(scope: Scope, options: ChildOptions) {
    const { command, args, env, cwd, input } = options;
    this.name = [command, ...args].join(' ');
    const child = spawn(command, args, {
      stdio: 'pipe',
      ...(env !== undefined && { env }),
      ...(cwd !== undefined && { cwd }),
    });
    this.#process = child;
    collect(child.stdout, (text) => (this.stdout += text));
    collect(child.stderr, (text) => (this.stderr += text));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input ?? '');
    this.#ended = once(child, 'close');
    // A program that is not installed is told by the promise that the test awaits.
    this.#ended.catch(() => undefined);
    scope.add(() => this.kill());
  }

  get pid(): number {
    const { pid } = this.#process;
    if (pid === undefined) throw new Error(`${this.name} was not started`);
    return pid;
  }

  /** Everything it has written, for the message of a failure. */
  get output(): string {
    return `${this.stdout}${this.stderr}`;
  }

  get isRunning(): boolean {
    const { pid, exitCode, signalCode } = this.#process;
    return pid !== undefined && exitCode === null && signalCode === null;
  }

  /** Resolves with the exit code when the process has ended and all its output is here. */
  async exit(deadlineMs = END_DEADLINE_MS): Promise<number | null> {
    const late = AbortSignal.timeout(deadlineMs);
    const tooLate = once(late, 'abort').then(() => {
      throw new Error(
        `${this.name} has not ended within ${String(deadlineMs)} ms:\n${this.output}`,
      );
    });
    await Promise.race([this.#ended, tooLate]);
    return this.#process.exitCode;
  }

  /** Asks it to end (SIGTERM); resolves with its exit code. */
  stop(deadlineMs = END_DEADLINE_MS): Promise<number | null> {
    this.#process.kill('SIGTERM');
    return this.exit(deadlineMs);
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    if (!this.isRunning) return;
    this.#process.kill('SIGKILL');
    await this.exit();
  }

  /** Waits for a text in its standard output. */
  async says(text: string | RegExp, deadlineMs: number): Promise<void> {
    const found = (): boolean =>
      typeof text === 'string' ? this.stdout.includes(text) : text.test(this.stdout);
    await until(() => found() || !this.isRunning, deadlineMs).catch(() => undefined);
    if (!found()) throw new Error(`${this.name} did not say ${String(text)}:\n${this.output}`);
  }
}

/** Runs a program to its end. @throws Error with its output unless the exit code is 0. */
export async function run(scope: Scope, options: ChildOptions): Promise<string> {
  const child = new Child(scope, options);
  const code = await child.exit();
  if (code !== 0) throw new Error(`${child.name} ended with ${String(code)}:\n${child.output}`);
  return child.stdout;
}

function collect(stream: Readable, take: (text: string) => void): void {
  stream.setEncoding('utf8');
  stream.on('data', take);
}
