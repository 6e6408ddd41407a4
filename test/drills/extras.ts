import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import mqttPacket, { type Packet } from 'mqtt-packet';
import mqtt, { type IClientOptions } from 'mqtt';
import { EventReader } from '../api/event-reader.ts';
import type { Scope } from '../e2e/harness/scope.ts';
import { API_KEY, type Stage } from './stage.ts';
import { DRILL_USER } from './traffic.ts';

const SECRET = `whsec_${Buffer.from('a secret of a drill, of 32 bytes').toString('base64')}`;
const EVERY_MS = 1_000;
/** How long a visitor stays at most. */
const VISIT_MS = 5_000;
const BANNED = 'banned';

/** What else clients do, well or badly, so that there is something of everything: once a second. */
export async function openExtras(scope: Scope, stage: Stage): Promise<void> {
  const { api, hooked } = stage;
  const url = `http://127.0.0.1:${String(hooked.port)}/events`;
  await api.call('createWebhook', { body: { url, secret: SECRET } });
  await api.call('createBan', { body: { kind: 'client_id', value: BANNED } });
  const headers = { authorization: `Bearer ${API_KEY}` };
  const reader = await EventReader.open(`${api.origin}/api/v1/events`, headers);
  scope.add(async () => reader.close());
  const extras = new Extras(scope, stage);
  const timer = setInterval(() => extras.tick(), EVERY_MS);
  scope.add(() => clearInterval(timer));
}

class Extras {
  readonly #stage: Stage;
  readonly #scope: Scope;
  #ticks = 0;
  #ticket: Buffer | undefined;

  constructor(scope: Scope, stage: Stage) {
    this.#scope = scope;
    this.#stage = stage;
  }

  tick(): void {
    this.#ticks += 1;
    const { api } = this.#stage;
    this.#overTls();
    this.#junk();
    this.#publish();
    this.#visit(this.#ticks, { clientId: BANNED });
    this.#visit(this.#ticks, { clientId: 'wrong', password: 'wrong' });
    // Taken over: by another connection to the same node, and by one to another.
    this.#visit(this.#ticks, { clientId: 'twin' });
    this.#visit(this.#ticks, { clientId: 'twin' });
    this.#visit(this.#ticks + 1, { clientId: 'twin' });
    this.#visit(this.#ticks, { clientId: 'guest' });
    for (const id of ['getStatus', 'listAlarms', 'listBridges'] as const)
      api.call(id).catch(() => undefined);
    const guest = { path: { client_id: 'guest' } };
    api.call('disconnectClient', guest).catch(() => undefined);
  }

  /** Comes, subscribes, says something, and goes. */
  #visit(node: number, options: IClientOptions): void {
    const { port = 0 } = this.#stage.nodes[node % this.#stage.nodes.length] ?? {};
    const client = mqtt.connect({
      ...{ host: '127.0.0.1', port, reconnectPeriod: 0, protocolVersion: 5, clean: false },
      ...{ username: DRILL_USER.name, password: DRILL_USER.password, ...options },
      properties: { sessionExpiryInterval: 30 },
    });
    client.on('error', () => undefined);
    client.once('connect', () => {
      client.subscribe('drill/shared/+', { qos: 2 });
      client.publish('drill/shared/x', 'x', { qos: 2 });
    });
    const leaving = setTimeout(() => client.end(true), VISIT_MS);
    this.#scope.add(() => {
      clearTimeout(leaving);
      client.end(true);
    });
  }

  #publish(): void {
    const { traffic } = this.#stage;
    const number = String(this.#ticks % 10);
    traffic.say('$delayed/2/drill/later', 'later');
    traffic.say(`drill/kept/${number}`, this.#ticks % 2 === 0 ? 'kept' : '', { retain: true });
    const properties = { messageExpiryInterval: 1 };
    traffic.say('drill/away', 'stale', { properties });
    traffic.say('nobody/asks', 'for this');
    traffic.say('forbidden/x', 'refused');
    traffic.say('telemetry/odd', 'no JSON');
    traffic.say('drill/large', 'x'.repeat(20_000));
  }

  /** What is no TLS. */
  #junk(): void {
    const [{ tlsPort }] = this.#stage.nodes;
    const socket = connect(tlsPort, '127.0.0.1', () => socket.end('GET / HTTP/1.0\r\n\r\n'));
    socket.on('error', () => undefined);
    this.#scope.add(() => socket.destroy());
  }

  /** Connects over TLS with the ticket of the last time, and says goodbye. */
  #overTls(): void {
    const [{ tlsPort }] = this.#stage.nodes;
    const socket = connectTls({
      ...{ host: '127.0.0.1', port: tlsPort, rejectUnauthorized: false },
      ...(this.#ticket !== undefined && { session: this.#ticket }),
    });
    this.#scope.add(() => socket.destroy());
    socket.on('session', (ticket) => (this.#ticket = ticket));
    socket.on('error', () => undefined);
    const parser = mqttPacket.parser({ protocolVersion: 5 });
    parser.on('packet', () => {
      socket.end(mqttPacket.generate({ cmd: 'disconnect' }, { protocolVersion: 5 }));
    });
    socket.on('data', (bytes) => parser.parse(bytes));
    const hello: Packet = {
      ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 'over-tls' },
      ...{ clean: true, keepalive: 60, username: DRILL_USER.name },
      password: Buffer.from(DRILL_USER.password),
    };
    socket.write(mqttPacket.generate(hello, { protocolVersion: 5 }));
  }
}
