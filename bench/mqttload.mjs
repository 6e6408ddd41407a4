// The load generator: built from source, run on a core of its own.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SOURCE = fileURLToPath(new URL('mqttload/mqttload.c', import.meta.url));
/** Beyond what a run says it takes. */
const SLACK_S = 60;
/** "Connections dropped" is a result, not a failure of the program. */
const EXIT_DROPPED = 3;

/** Compiles mqttload into a directory; returns the path of the program. */
export function buildMqttload(directory) {
  const program = join(directory, 'mqttload');
  const flags = ['-O2', '-Wall', '-Wextra', '-o', program, SOURCE];
  const { status, error } = spawnSync('gcc', flags, { stdio: 'inherit' });
  if (error !== undefined || status !== 0) throw new Error('gcc could not build mqttload');
  return program;
}

/**
 * Runs mqttload against a server to its end: subscribers connect to `ports.subscribers`, if it has one, the others to
 * `ports.mqtt`; what it spends is what `pids` spend, or `pid`.
 *
 * @returns its figures, as `mqttload --help` names them.
 */
export async function runMqttload(
  { group, program },
  { core, server, args, seconds = 0, nice = 0 },
) {
  const { mqtt, subscribers = mqtt } = server.ports;
  const target = [
    ...['--pub-target', `127.0.0.1:${mqtt}`, '--sub-target', `127.0.0.1:${subscribers}`],
    ...['--pid', (server.pids ?? [server.pid]).join()],
  ];
  const lines = [];
  const pinned = ['taskset', '-c', String(core), program, ...args, ...target, '--json'];
  const command = ['-n', String(nice), ...pinned];
  const { child, ended } = group.start('nice', command, { output: (line) => lines.push(line) });
  const timer = setTimeout(() => child.kill('SIGKILL'), (seconds + SLACK_S) * 1_000);
  const code = await ended;
  clearTimeout(timer);
  if (code !== 0 && code !== EXIT_DROPPED) {
    throw new Error(`mqttload ${args.join(' ')}: ${code}\n${lines.join('\n')}\n${server.output}`);
  }
  return JSON.parse(lines.at(-1) ?? '{}');
}
