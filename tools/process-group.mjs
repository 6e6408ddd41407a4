import { spawn } from 'node:child_process';

const STOP_DEADLINE_MS = 30_000;

/**
 * The processes that a tool has started, stopped together and in one place.
 *
 * Each leads a process group of its own, so that Ctrl-C reaches the tool alone, which then tells each child once.
 */
export class ProcessGroup {
  #running = new Set();
  #stopping;

  /**
   * Starts a process; `ended` is its exit code or signal. `output` is `inherit`, or a function that is given each line.
   * One that ends with the code of `again`, until the group is stopped, is told there and started anew.
   */
  start(command, args, { again, ...options } = {}) {
    const { child, ended } = this.#spawn(command, args, options);
    if (again === undefined) return { child, ended };
    const last = ended.then((code) => {
      if (code !== again.code || this.#stopping !== undefined) return code;
      again.told();
      return this.start(command, args, { again, ...options }).ended;
    });
    return { child, ended: last };
  }

  #spawn(command, args, { env = process.env, cwd, output = 'inherit' }) {
    const piped = output === 'inherit' ? 'inherit' : 'pipe';
    const child = spawn(command, args, {
      env,
      cwd,
      detached: true,
      stdio: ['ignore', piped, piped],
    });
    if (piped === 'pipe')
      for (const stream of [child.stdout, child.stderr]) eachLine(stream, output);
    this.#running.add(child);
    const ended = new Promise((resolve) => {
      const end = (code) => {
        this.#running.delete(child);
        resolve(code);
      };
      child.once('error', (error) => {
        console.error(
          `${command}: ${error.code === 'ENOENT' ? 'is not installed' : error.message}`,
        );
        end(127);
      });
      child.once('exit', (code, signal) => end(code ?? `killed by ${signal}`));
    });
    return { child, ended };
  }

  /** Asks every process to end and waits; those that do not in time are killed. */
  stop() {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  /** Ends every process at once. */
  kill() {
    for (const child of this.#running) child.kill('SIGKILL');
  }

  async #stopAll() {
    const timer = setTimeout(() => this.kill(), STOP_DEADLINE_MS);
    await Promise.all(
      [...this.#running].map(
        (child) =>
          new Promise((resolve) => {
            child.once('exit', resolve);
            child.once('error', resolve);
            child.kill('SIGTERM');
          }),
      ),
    );
    clearTimeout(timer);
  }
}

function eachLine(stream, take) {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) take(line);
  });
  stream.on('end', () => rest !== '' && take(rest));
}

/** Calls `stop` at the first Ctrl-C or SIGTERM and `kill` at the second. */
export function onStopSignal(stop, kill) {
  let asked = false;
  const handle = (signal) => {
    if (asked) kill();
    else stop(signal);
    asked = true;
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
}
