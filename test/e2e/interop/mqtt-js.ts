import type { IClientOptions } from 'mqtt';
import { Client } from '../harness/client.ts';
import type { Connecting, InteropClient, Outgoing } from './interop-client.ts';

/** npm's mqtt. */
export const MQTT_JS: InteropClient = {
  name: 'MQTT.js',

  async publish(scope, port, { messages, ...connecting }) {
    const client = await Client.connect(scope, url(port), optionsOf(connecting));
    for (const { topic, text, qos, retain = false, user } of messages) {
      const properties =
        user === undefined ? {} : { properties: { userProperties: objectOf(user) } };
      await client.publish(topic, text, { qos, retain, ...properties });
    }
    await client.leave();
  },

  async subscribe(scope, port, { filter, qos, ...connecting }) {
    const client = await Client.connect(scope, url(port), optionsOf(connecting));
    const lines: string[] = [];
    client.mqtt.on('message', (topic, payload, { qos: came, retain, properties }) => {
      lines.push(`${topic} q${String(came)} r${retain ? '1' : '0'} ${payload.toString()}`);
      const user = Object.entries(properties?.userProperties ?? {}).flatMap(([name, values]) =>
        [values].flat().map((value) => `${name}=${value}`),
      );
      if (user.length > 0) lines.push(`user ${user.join(' ')}`);
    });
    await client.subscribe(filter, qos);
    return {
      lines,
      kill: async () => {
        client.mqtt.stream.destroy();
        await client.closed();
      },
    };
  },
};

function url(port: number): string {
  return `mqtt://127.0.0.1:${String(port)}`;
}

function optionsOf({ level, will }: Connecting): IClientOptions {
  return {
    protocolVersion: level,
    protocolId: level === 3 ? 'MQIsdp' : 'MQTT',
    ...(will !== undefined && { will: willOf(will) }),
  };
}

function willOf({ topic, text, qos, retain = false, user }: Outgoing) {
  const message = { topic, payload: Buffer.from(text), qos, retain };
  return user === undefined
    ? message
    : { ...message, properties: { userProperties: objectOf(user) } };
}

function objectOf(user: NonNullable<Outgoing['user']>): Record<string, string[]> {
  const all: Record<string, string[]> = {};
  for (const [name, value] of user) (all[name] ??= []).push(value);
  return all;
}
