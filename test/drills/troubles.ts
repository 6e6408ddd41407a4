import { connect as connectSocket, type Socket } from 'node:net';
import mqtt, { type IClientOptions } from 'mqtt';
import mqttPacket from 'mqtt-packet';
import type { Settings } from '../e2e/harness/app.ts';
import type { Scope } from '../e2e/harness/scope.ts';
import type { Stage } from './stage.ts';
import { DRILL_USER } from './traffic.ts';

const LOGIN = { username: DRILL_USER.name, password: DRILL_USER.password };
const WRONG_LOGIN_EVERY_MS = 500;
const FORBIDDEN_EVERY_MS = 2_000;
const BULK_EVERY_MS = 200;
const BULK_BYTES = 32_768;
const TLS_VISIT_EVERY_MS = 3_000;

/** Bounds that the troubles run into. */
export const TROUBLED_SETTINGS: Settings = {
  LIMITS_QUEUE_MESSAGES_MAX: 500,
  ACL_RULES: JSON.stringify([{ effect: 'deny', topics: ['drill/forbidden/#'] }]),
};

/** A rule whose expression fails at what it is given. */
export const TROUBLED_BRIDGE_RULES: readonly object[] = [
  {
    ...{ id: 'sums', direction: 'mqtt-to-kafka', filter: 'drill/shared', topic: 'telemetry' },
    ...{ value: '$number(payloadText)', ack: 'kafka' },
  },
];

/**
 * What goes wrong in a cluster of some size on any day: a fleet with a wrong password, a device that publishes where it may not, a
 * receiver that does not read, a session that stays away, and a scanner at the TLS port.
 */
export async function beginTroubles(stage: Stage, scope: Scope): Promise<void> {
  const [first, second] = stage.nodes;
  every(scope, WRONG_LOGIN_EVERY_MS, (count) => {
    visit(scope, first.port, {
      ...LOGIN,
      clientId: `wrong-${String(count % 10)}`,
      password: 'wrong',
    });
  });
  const stranger = client(first.port, { ...LOGIN, clientId: 'stranger', protocolVersion: 5 });
  scope.add(() => stranger.end(true));
  every(scope, FORBIDDEN_EVERY_MS, () => {
    stranger.publish('drill/forbidden/door', 'open', { qos: 1 }, () => undefined);
  });
  stall(scope, second.port);
  every(scope, BULK_EVERY_MS, () => {
    if (stranger.connected) stranger.publish('drill/bulk', Buffer.alloc(BULK_BYTES), { qos: 0 });
  });
  const away = client(second.port, {
    ...{ ...LOGIN, clientId: 'away', clean: false, protocolVersion: 5 },
    properties: { sessionExpiryInterval: 3_600 },
  });
  away.once('connect', () => {
    away.subscribe('drill/devices/#', { qos: 1 }, () => away.end());
  });
  scope.add(() => away.end(true));
  const ports = await tlsPorts(stage);
  every(scope, TLS_VISIT_EVERY_MS, (count) => {
    for (const port of ports) {
      visit(scope, port, { ...LOGIN, protocol: 'mqtts', rejectUnauthorized: false });
      if (count % 3 === 0) knock(scope, port);
    }
  });
}

/** Where the nodes listen for TLS. */
async function tlsPorts({ api, nodes }: Stage): Promise<readonly number[]> {
  const replies = await Promise.all(
    nodes.map(({ id }) => api.call('listNodeListeners', { path: { node_id: id } })),
  );
  const addresses = JSON.stringify(replies.map(({ body }) => body));
  return [...addresses.matchAll(/mqtts:[^"]*:(\d+)/g)].map(([, port]) => Number(port));
}

function every(scope: Scope, milliseconds: number, act: (count: number) => void): void {
  let count = 0;
  const timer = setInterval(() => act((count += 1)), milliseconds);
  scope.add(() => clearInterval(timer));
}

function client(port: number, options: IClientOptions): mqtt.MqttClient {
  const made = mqtt.connect({ host: '127.0.0.1', port, ...options });
  made.on('error', () => undefined);
  return made;
}

/** Comes, and goes again, whatever it is told. */
function visit(scope: Scope, port: number, options: IClientOptions): void {
  const visitor = client(port, { reconnectPeriod: 0, ...options });
  const leave = (): void => void visitor.end(true);
  scope.add(leave);
  visitor.on('error', leave);
  visitor.once('connect', leave);
}

/** Subscribes and never reads again. */
function stall(scope: Scope, port: number): void {
  const socket = open(scope, port);
  const { username, password } = LOGIN;
  const login = { username, password: Buffer.from(password) };
  const protocol = { protocolId: 'MQTT', protocolVersion: 4 } as const;
  socket.write(mqttPacket.generate({ cmd: 'connect', clientId: 'stalled', ...protocol, ...login }));
  const subscriptions = [{ topic: 'drill/bulk', qos: 0 as const }];
  socket.write(mqttPacket.generate({ cmd: 'subscribe', messageId: 1, subscriptions }));
  socket.pause();
}

/** Speaks no TLS where TLS is spoken. */
function knock(scope: Scope, port: number): void {
  const socket = open(scope, port);
  socket.end('GET / HTTP/1.1\r\n\r\n');
  socket.resume();
}

function open(scope: Scope, port: number): Socket {
  const socket = connectSocket(port, '127.0.0.1');
  socket.on('error', () => undefined);
  scope.add(() => socket.destroy());
  return socket;
}
