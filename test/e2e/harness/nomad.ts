import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import type { Broker } from './broker.ts';
import type { Scope } from './scope.ts';

/** Its number, which decides on version and QoS; where it connects, in that order; and what else MQTT.js is told. */
type NomadOptions = [number, readonly Broker[], IClientOptions?];

/** A client that goes to the second node when the first one sends it away. */
export class Nomad {
  readonly id: string;
  readonly qos: 1 | 2;
  readonly mqtt: MqttClient;
  readonly received: string[] = [];
  readonly reasons: number[] = [];
  /** When it lost its first connection. */
  leftAtMs = 0;
  connects = 0;
  closes = 0;

  constructor(scope: Scope, ...[index, nodes, more = {}]: NomadOptions) {
    const version = index % 2 === 0 ? 5 : 4;
    this.id = `nomad${String(index)}`;
    this.qos = index % 4 < 2 ? 1 : 2;
    const servers = nodes.map(({ port }) => {
      return { host: '127.0.0.1', port, protocol: 'mqtt' as const };
    });
    this.mqtt = mqtt.connect({
      ...{
        servers,
        clientId: this.id,
        protocolVersion: version,
        reconnectPeriod: 50,
        clean: false,
      },
      ...(version === 5 && { properties: { sessionExpiryInterval: 300 } }),
      will: { topic: `wills/${this.id}`, payload: Buffer.from('gone'), qos: 1, retain: false },
      ...more,
    });
    this.mqtt.on('error', () => undefined);
    this.mqtt.on('connect', () => (this.connects += 1));
    this.mqtt.on('disconnect', ({ reasonCode = 0 }) => this.reasons.push(reasonCode));
    this.mqtt.on('close', () => {
      this.closes += 1;
      if (this.leftAtMs === 0) this.leftAtMs = performance.now();
    });
    this.mqtt.on('message', (_topic, payload) => this.received.push(payload.toString()));
    scope.add(() => this.mqtt.endAsync(true));
  }
}
