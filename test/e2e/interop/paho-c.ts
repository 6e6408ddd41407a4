import { fileURLToPath } from 'node:url';
import { Child, run } from '../harness/child.ts';
import type { Scope } from '../harness/scope.ts';
import type { Connecting, InteropClient, Outgoing } from './interop-client.ts';

const SUBSCRIBED_DEADLINE_MS = 20_000;
const TRACE = /<- PUBLISH msgid: \d+ qos: (\d) retained: (\d)/;
/** Length of the payload, topic and payload. */
const MESSAGE = /^\d+ (\S+)\t(.*)$/;
const USER = /^Property name USER_PROPERTY key (\S+) value (\S+)$/;

/** Debian's libpaho-mqtt, by its sample programs. */
export const PAHO_C: InteropClient = {
  name: 'paho C',

  async publish(scope, port, { messages, ...connecting }) {
    for (const [index, { topic, text, qos, retain = false, user = [] }] of messages.entries()) {
      const clientId = `paho-c-pub-${String(process.pid)}-${String(index)}`;
      await run(scope, {
        command: 'paho_c_pub',
        args: [
          ...argumentsOf(port, connecting),
          ...['-i', clientId, '-t', topic, '-m', text, '-q', String(qos)],
          ...(retain ? ['-r'] : []),
          ...user.flatMap(([name, value]) => ['--user-property', name, value]),
        ],
      });
    }
  },

  async subscribe(scope, port, { filter, qos, ...connecting }) {
    subscribers += 1;
    const own = ['-i', `paho-c-sub-${String(process.pid)}-${String(subscribers)}`];
    const trace = ['-t', filter, '-q', String(qos), '--trace', 'protocol', '--verbose'];
    // The trace on standard error tells of the SUBACK, and QoS and RETAIN of each message that follows.
    const script = 'exec stdbuf -oL paho_c_sub "$0" "$@" 2>&1';
    const args = ['-c', script, ...argumentsOf(port, connecting), ...own, ...trace];
    const child = new Child(scope, { command: 'sh', args });
    await child.says('<- SUBACK', SUBSCRIBED_DEADLINE_MS);
    return {
      get lines() {
        return linesOf(child.stdout);
      },
      kill: () => child.kill(),
    };
  },
};

/** Publishes texts of QoS 2 on one connection with one topic alias, through the library: its programs have no option. */
export async function pahoCPublishAliased(
  scope: Scope,
  port: number,
  { topic, texts }: { readonly topic: string; readonly texts: readonly string[] },
): Promise<void> {
  await run(scope, { command: PYTHON, args: [ALIAS_SCRIPT, String(port), topic, ...texts] });
}

const PYTHON = '/usr/bin/python3';
const ALIAS_SCRIPT = fileURLToPath(new URL('paho_c_alias.py', import.meta.url));

let subscribers = 0;

const VERSIONS = { 3: '31', 4: '311', 5: '5' } as const;

function argumentsOf(port: number, { level, will }: Connecting): readonly string[] {
  const address = ['-h', '127.0.0.1', '-p', String(port), '-V', VERSIONS[level]];
  return [...address, ...(will === undefined ? [] : willArguments(will))];
}

function willArguments({ topic, text, qos, retain = false }: Outgoing): readonly string[] {
  const flags = retain ? ['--will-retain'] : [];
  return ['--will-topic', topic, '--will-payload', text, '--will-qos', String(qos), ...flags];
}

function linesOf(output: string): readonly string[] {
  const lines: string[] = [];
  let marks = '';
  let user: string[] = [];
  const endUser = (): void => {
    if (user.length > 0) lines.push(`user ${user.join(' ')}`);
    user = [];
  };
  for (const line of output.split('\n')) {
    const [, qos, retained] = TRACE.exec(line) ?? [];
    const [, topic, text] = MESSAGE.exec(line) ?? [];
    const [, name, value] = USER.exec(line) ?? [];
    if (qos !== undefined) marks = `q${qos} r${String(retained)}`;
    if (name !== undefined) user.push(`${name}=${String(value)}`);
    else endUser();
    if (topic !== undefined) lines.push(`${topic} ${marks} ${String(text)}`);
  }
  endUser();
  return lines;
}
