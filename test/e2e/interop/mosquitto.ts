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
    const own = ['-t', filter, '-q', String(qos)];
    const sub = await MosquittoSub.open(scope, port, [...argumentsOf(connecting), ...own]);
    return {
      get lines() {
        return sub.received;
      },
      kill: () => sub.child.kill(),
    };
  },
};

function argumentsOf({ level, will }: Connecting): readonly string[] {
  return ['-V', level === 5 ? '5' : '311', ...(will === undefined ? [] : willArguments(will))];
}

function willArguments({ topic, text, qos, retain = false }: Outgoing): readonly string[] {
  const flags = retain ? ['--will-retain'] : [];
  return ['--will-topic', topic, '--will-payload', text, '--will-qos', String(qos), ...flags];
}
