// The clients of the bench of the API: those that stay, those that have left a session, and those that come and go.
import { until } from '../../tools/ports.mjs';

/** Open connections of one process: the limit of open files is 20,000 on many machines. */
const CONNECTIONS_PER_PROCESS = 15_000;
const CONNECT_DEADLINE_MS = 600_000;
const KEEP_ALIVE_S = '600';
/** Clients that come and go together. */
const BATCH = 250;
const BATCHES_MIN = 6;
const HOLD_S = 1;
/** Long enough for any run; the processes are ended before. */
const STAY_S = 86_400;
const EXIT_KILLED = 'killed by SIGTERM';
/** Some connections were closed by the node: of sessions that move, the old ones. */
const EXIT_DROPPED = 3;

/** The ids that mqttload gives the clients of a run. */
const idsOf = (prefix, count) => Array.from({ length: count }, (_, index) => `${prefix}-s${index}`);

/** Splits a number of clients into runs of mqttload, each with its prefix. */
function runsOf(prefix, count) {
  const runs = [];
  for (let from = 0; from < count; from += CONNECTIONS_PER_PROCESS) {
    const clients = Math.min(CONNECTIONS_PER_PROCESS, count - from);
    runs.push({ prefix: `${prefix}${runs.length}`, count: clients });
  }
  return runs;
}

/** Clients of a cluster, spread over its nodes; all of them mqttload processes of one group. */
export class Population {
  #group;
  #program;
  #core;
  #targets;
  #isOver = false;
  #batches = 0;
  #fault;

  constructor({ group, program, core, targets }) {
    this.#group = group;
    this.#program = program;
    this.#core = core;
    this.#targets = targets;
  }

  /** Leaves persistent sessions whose clients are away, with a subscription if there is a filter; their ids. */
  async leaveSessions(count, filter) {
    const runs = runsOf('away', count);
    for (const run of runs) {
      const subscribing = filter === undefined ? [] : ['--filter', filter, '--sub-qos', '1'];
      const code = await this.#start(run, ['--persistent', ...subscribing]).ended;
      if (code !== 0) throw new Error(`mqttload could not leave sessions: ${code}`);
    }
    return runs.flatMap((run) => idsOf(run.prefix, run.count));
  }

  /** Connects clients that stay until the end; resolves with their ids when `connected` counts them. */
  async connect(count, connected) {
    const runs = runsOf('here', count);
    for (const run of runs) this.#staying(this.#start(run, ['--hold', String(STAY_S)]));
    const deadline = { deadlineMs: CONNECT_DEADLINE_MS, pauseMs: 500 };
    await until(
      `${count} clients`,
      async () => {
        this.assert();
        return ((await connected()) ?? 0) >= count;
      },
      deadline,
    );
    return runs.flatMap((run) => idsOf(run.prefix, run.count));
  }

  /**
   * Has so many clients come and go until the end, with clean sessions, so that lists change beneath those who read
   * them. Their ids are spread among those of the others.
   */
  churn(count) {
    const batches = Math.max(BATCHES_MIN, Math.round(count / BATCH));
    const clients = Math.max(1, Math.floor(count / batches));
    for (let batch = 0; batch < batches; batch += 1) {
      const among = ['here0', 'here1', 'here2', 'away0', 'away1', 'away2'][batch % 6];
      const prefix = `${among}-s${batch * 97}.`;
      void this.#comeAndGo({ prefix, count: clients });
    }
    return batches * clients;
  }

  /** How many batches have come and gone. */
  get batches() {
    return this.#batches;
  }

  /** @throws Error when clients that were to stay have gone. */
  assert() {
    if (this.#fault !== undefined) throw new Error(this.#fault);
  }

  /** No more come; those that are there go when the group is stopped. */
  end() {
    this.#isOver = true;
  }

  async #comeAndGo(run) {
    while (!this.#isOver && this.#fault === undefined) {
      const code = await this.#start(run, ['--hold', String(HOLD_S)]).ended;
      if (code !== 0 && code !== EXIT_DROPPED && code !== EXIT_KILLED && !this.#isOver) {
        this.#fault = `clients that come and go: mqttload ended with ${code}`;
      }
      this.#batches += 1;
    }
  }

  #staying({ ended }) {
    void ended.then((code) => {
      if (!this.#isOver) this.#fault = `clients that were to stay have gone: ${code}`;
    });
  }

  #start({ prefix, count }, args) {
    const pinned = ['-c', String(this.#core), this.#program, 'conn'];
    const load = ['-n', String(count), '--id', prefix, '-t', this.#targets.join()];
    const rest = ['-k', KEEP_ALIVE_S, '--conn-window', '50', '--timeout', '60', '--json', ...args];
    return this.#group.start('taskset', [...pinned, ...load, ...rest], { output: () => undefined });
  }
}
