import type { IClientPublishOptions, MqttClient } from 'mqtt';
import mqtt from 'mqtt';
import { until } from '#libs/testkit';
import type { Scope } from '../e2e/harness/scope.ts';

/** Who may do everything in a drill. */
export const DRILL_USER = { name: 'drill', password: 'drill-password-of-a-test' };

const CLIENTS = 150;
const PUBLISHERS = 30;
/** Each publisher sends one message in each of these. */
const PUBLISH_EVERY_MS = 300;
const CHURN_EVERY_MS = 1_000;
const CONNECT_DEADLINE_MS = 60_000;
/** Of one address among nodes of a test; none may be refused for coming back after a node was killed. */
const RECONNECT_MS = 1_000;

/** Clients of all protocol versions that come back wherever they are let in, and publish with every QoS. */
export class Traffic {
  readonly #clients: MqttClient[] = [];
  readonly #ports: readonly number[];
  readonly #timers: NodeJS.Timeout[] = [];

  private constructor(ports: readonly number[]) {
    this.#ports = ports;
  }

  /** Connects all of it and lets it run until the scope ends. */
  static async open(scope: Scope, ports: readonly number[]): Promise<Traffic> {
    const traffic = new Traffic(ports);
    scope.add(() => traffic.#stop());
    for (let index = 0; index < CLIENTS; index += 1) traffic.#clients.push(traffic.#client(index));
    await until(() => traffic.connected === CLIENTS, CONNECT_DEADLINE_MS);
    await Promise.all(traffic.#clients.map((client, index) => subscribe(client, index)));
    for (const [index, client] of traffic.#clients.slice(0, PUBLISHERS).entries()) {
      let count = 0;
      const publish = (): void => {
        count += 1;
        if (client.connected) send(client, index, count);
      };
      traffic.#timers.push(setInterval(publish, PUBLISH_EVERY_MS));
    }
    let visitors = 0;
    traffic.#timers.push(setInterval(() => traffic.#visit(scope, (visitors += 1)), CHURN_EVERY_MS));
    return traffic;
  }

  /** How many are connected now. */
  get connected(): number {
    return this.#clients.filter((client) => client.connected).length;
  }

  /** Publishes once, with QoS 1, by the first client that is connected. */
  say(topic: string, payload: string, options: IClientPublishOptions = {}): void {
    const client = this.#clients.find((each) => each.connected);
    client?.publish(topic, payload, { qos: 1, ...options }, () => undefined);
  }

  #client(index: number): MqttClient {
    const first = index % this.#ports.length;
    const ports = [...this.#ports.slice(first), ...this.#ports.slice(0, first)];
    const protocolVersion = index % 3 === 0 ? 4 : 5;
    const isDurable = index % 2 === 0;
    const client = mqtt.connect({
      servers: ports.map((port) => ({ host: '127.0.0.1', port, protocol: 'mqtt' as const })),
      clientId: `drill-${String(index)}`,
      username: DRILL_USER.name,
      password: DRILL_USER.password,
      protocolVersion,
      clean: !isDurable,
      reconnectPeriod: RECONNECT_MS,
      queueQoSZero: false,
      ...(protocolVersion === 5 && { properties: { sessionExpiryInterval: isDurable ? 300 : 0 } }),
      will: {
        topic: `drill/wills/${String(index)}`,
        payload: Buffer.from('gone'),
        qos: 1,
        retain: false,
      },
    });
    client.on('error', () => undefined);
    return client;
  }

  /** One more that comes, says something, and goes: sometimes as if its network was gone, so that its will is published. */
  #visit(scope: Scope, number: number): void {
    const client = this.#client(CLIENTS + (number % 20));
    const leave = (): void => {
      if (number % 2 === 0) client.stream.destroy();
      client.end(true);
    };
    scope.add(leave);
    client.once('connect', () => {
      client.subscribe('drill/visits/#', () => {
        client.unsubscribe('drill/visits/#', leave);
      });
    });
  }

  async #stop(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await Promise.all(this.#clients.map((client) => client.endAsync(true)));
  }
}

async function subscribe(client: MqttClient, index: number): Promise<void> {
  const own = `drill/devices/${String(index % PUBLISHERS)}/+`;
  await client.subscribeAsync(own, { qos: (index % 3) as 0 | 1 | 2 });
  if (index % 10 === 0) await client.subscribeAsync('$share/drill/drill/shared', { qos: 1 });
}

function send(client: MqttClient, index: number, count: number): void {
  const qos = (count % 3) as 0 | 1 | 2;
  const failed = (): void => undefined;
  const topic = `drill/devices/${String(index)}/state`;
  client.publish(topic, `{"n":${String(count)}}`, { qos, retain: count % 20 === 0 }, failed);
  if (count % 10 === 0) client.publish('drill/shared', 'work', { qos: 1 }, failed);
  if (count % 5 === 0)
    client.publish(`telemetry/${String(index)}`, `{"t":${String(count % 4)}}`, { qos: 1 }, failed);
}
