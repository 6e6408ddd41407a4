import { run } from '../harness/child.ts';
import type { Scope } from '../harness/scope.ts';
import { MosquittoSub, mosquittoPub } from '../harness/mosquitto.ts';
import type { Connecting, InteropClient, Outgoing } from './interop-client.ts';

/** Debian's mosquitto-clients. */
export const MOSQUITTO: InteropClient = {
  name: 'mosquitto',

  async publish(scope, port, { messages, ...connecting }) {
    for (const { topic, text, qos, retain = false, user = [] } of messages) {
      await mosquittoPub(scope, port, [
        ...argumentsOf(connecting),
        ...['-t', topic, '-m', text, '-q', String(qos), ...(retain ? ['-r'] : [])],
        ...user.flatMap(([name, value]) => ['-D', 'publish', 'user-property', name, value]),
      ]);
    }
  },

  async subscribe(scope, port, { filter, qos, ...connecting }) {
    const own = ['-t', filter, '-q', String(qos), '-F', `> %t q%q r%r %p\\n${USER}%P`];
    const { child } = await MosquittoSub.open(scope, port, [...argumentsOf(connecting), ...own]);
    return {
      get lines() {
        return linesOf(child.stdout);
      },
      kill: () => child.kill(),
    };
  },
};

/** Publishes texts on one connection with one topic alias, and gives what mosquitto_pub tells of it. */
export async function mosquittoPublishAliased(
  scope: Scope,
  port: number,
  { topic, texts }: { readonly topic: string; readonly texts: readonly string[] },
): Promise<string> {
  const address = ['-h', '127.0.0.1', '-p', String(port), '-V', '5', '-d'];
  const what = ['-t', topic, '-q', '2', '-l', '-D', 'publish', 'topic-alias', '1'];
  const input = texts.map((text) => `${text}\n`).join('');
  return await run(scope, { command: 'mosquitto_pub', args: [...address, ...what], input });
}

const VERSIONS = { 3: '31', 4: '311', 5: '5' } as const;
const USER = 'user ';

function argumentsOf({ level, will }: Connecting): readonly string[] {
  return ['-V', VERSIONS[level], ...(will === undefined ? [] : willArguments(will))];
}

function willArguments({ topic, text, qos, retain, user = [] }: Outgoing): readonly string[] {
  const flags = retain === true ? ['--will-retain'] : [];
  const pairs = user.flatMap(([name, value]) => ['-D', 'will', 'user-property', name, value]);
  const own = ['--will-topic', topic, '--will-payload', text, '--will-qos', String(qos)];
  return [...own, ...flags, ...pairs];
}

/** It prints the line of user properties even where there are none. */
function linesOf(output: string): readonly string[] {
  return output.split('\n').flatMap((line) => {
    if (line.startsWith('> ')) return line.slice(2);
    return line.startsWith(USER) && line !== USER ? line.trimEnd().replaceAll(':', '=') : [];
  });
}
