import mqtt, {
  type IClientOptions,
  type IClientPublishOptions,
  type IPublishPacket,
  type MqttClient,
} from 'mqtt';
import { until } from '#libs/testkit';
import type { Scope } from './scope.ts';

const DEADLINE_MS = 15_000;

/** A message as a test compares it. */
export interface Received {
  readonly topic: string;
  readonly payload: string;
  readonly qos: number;
  readonly retain: boolean;
}

/** MQTT.js, watched. It does not reconnect by itself unless told to. */
export class Client {
  readonly mqtt: MqttClient;
  readonly received: Received[] = [];
  /** The packets, where a test wants properties. */
  readonly packets: IPublishPacket[] = [];
  /** Reason codes of the DISCONNECT packets that the server has sent. */
  readonly disconnects: number[] = [];
  /** How often the connection has ended. */
  closes = 0;
  /** Of the latest CONNACK. */
  sessionPresent = false;
  #isConnected = false;
  #error: Error | undefined;

  constructor(scope: Scope, url: string, options: IClientOptions = {}) {
    const defaults = {
      reconnectPeriod: 0,
      connectTimeout: DEADLINE_MS,
      protocolVersion: 5,
    } as const;
    this.mqtt = mqtt.connect(url, { ...defaults, ...options });
    this.mqtt.on('connect', ({ sessionPresent }) => {
      this.sessionPresent = sessionPresent;
      this.#isConnected = true;
    });
    this.mqtt.on('message', (topic, bytes, packet) => {
      const { qos, retain } = packet;
      this.received.push({ topic, payload: bytes.toString(), qos, retain });
      this.packets.push(packet);
    });
    this.mqtt.on('disconnect', ({ reasonCode }) => this.disconnects.push(reasonCode ?? 0));
    this.mqtt.on('close', () => {
      this.#isConnected = false;
      this.closes += 1;
    });
    this.mqtt.on('error', (error) => (this.#error = error));
    scope.add(() => this.mqtt.endAsync(true));
  }

  /** Connects; resolves after the CONNACK. */
  static async connect(scope: Scope, url: string, options: IClientOptions = {}): Promise<Client> {
    const client = new Client(scope, url, options);
    await client.connected();
    return client;
  }

  get payloads(): readonly string[] {
    return this.received.map(({ payload }) => payload);
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /** Waits for the CONNACK. */
  async connected(): Promise<void> {
    try {
      await until(() => this.#isConnected, DEADLINE_MS);
    } catch (cause) {
      throw new Error(`not connected: ${String(this.#error)}`, { cause });
    }
  }

  /** Resolves with the granted QoS values after the SUBACK. */
  async subscribe(filter: string, qos: 0 | 1 | 2 = 1): Promise<readonly number[]> {
    const granted = await this.mqtt.subscribeAsync(filter, { qos });
    return granted.map((grant) => grant.qos);
  }

  /** Resolves when the broker has acknowledged, for QoS 0 when it was written. */
  async publish(
    topic: string,
    payload: string,
    options: IClientPublishOptions = { qos: 1 },
  ): Promise<void> {
    await this.mqtt.publishAsync(topic, payload, options);
  }

  /** Waits until so many messages have come. */
  async receives(count: number, deadlineMs = DEADLINE_MS): Promise<readonly Received[]> {
    try {
      await until(() => this.received.length >= count, deadlineMs);
    } catch (cause) {
      const seen = JSON.stringify(this.received.slice(-20));
      const text = `${String(this.received.length)} of ${String(count)} messages: ${seen}`;
      throw new Error(text, { cause });
    }
    return this.received;
  }

  /** Waits until it has each of these payloads at least once, in any order. */
  async receivesAll(payloads: readonly string[], deadlineMs = DEADLINE_MS): Promise<void> {
    let missing: readonly string[] = payloads;
    const complete = until(() => {
      const seen = new Set(this.payloads);
      missing = payloads.filter((payload) => !seen.has(payload));
      return missing.length === 0;
    }, deadlineMs);
    await complete.catch((cause: unknown) => {
      const name = this.mqtt.options.clientId;
      const some = `${String(missing.length)} of ${String(payloads.length)}: ${missing.slice(0, 20).join(' ')}`;
      throw new Error(`${String(name)} misses ${some}`, { cause });
    });
  }

  /** Waits until the connection has ended. */
  async closed(): Promise<void> {
    await until(() => this.closes > 0 && !this.#isConnected, DEADLINE_MS);
  }

  /** Leaves with a DISCONNECT: the will is dropped, the session stays if it is to. */
  async leave(): Promise<void> {
    await this.mqtt.endAsync(false);
  }
}
