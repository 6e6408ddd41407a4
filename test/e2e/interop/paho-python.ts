import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { until } from '#libs/testkit';
import { run } from '../harness/child.ts';
import type { Scope } from '../harness/scope.ts';
import type { Connecting, InteropClient, Outgoing, Subscriber } from './interop-client.ts';

const DEADLINE_MS = 20_000;
const SCRIPT = fileURLToPath(new URL('paho_client.py', import.meta.url));
/** Debian's own: another Python on PATH does not see Debian's packages. */
const PYTHON = '/usr/bin/python3';

/** A PUBLISH that the other clients cannot be told to send. */
export interface AliasedMessage extends Outgoing {
  readonly alias?: number;
}

/** Debian's python3-paho-mqtt. */
export const PAHO_PYTHON: InteropClient = {
  name: 'paho Python',
  publish: pahoPublish,
  subscribe: pahoSubscribe,
};

/** Publishes messages on one connection, with topic aliases if they have them. */
export async function pahoPublish(
  scope: Scope,
  port: number,
  { messages, level, will }: Connecting & { readonly messages: readonly AliasedMessage[] },
): Promise<void> {
  const publish = messages.map((message) => ({ retain: false, ...message }));
  await run(scope, {
    command: PYTHON,
    args: [SCRIPT, JSON.stringify({ port, level, will, publish })],
  });
}

async function pahoSubscribe(
  scope: Scope,
  port: number,
  { level, will, filter, qos }: Parameters<InteropClient['subscribe']>[2],
): Promise<Subscriber> {
  const told = {
    ...{ port, level, subscribe: [[filter, qos]] },
    ...(will !== undefined && { will: { retain: false, ...will } }),
  };
  const child = spawn(PYTHON, [SCRIPT, JSON.stringify(told)], { stdio: 'pipe' });
  const ended = once(child, 'close').catch(() => undefined);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => (output += text));
  }
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  scope.add(kill);
  await until(() => output.includes('subscribed\n'), DEADLINE_MS).catch((cause: unknown) => {
    throw new Error(`paho has not subscribed:\n${output}`, { cause });
  });
  return {
    get lines() {
      return output
        .split('\n')
        .filter((line) => line.startsWith('> ') || line.startsWith('user '))
        .map((line) => line.replace(/^> /, ''));
    },
    kill,
  };
}
