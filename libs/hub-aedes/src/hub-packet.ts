import type { Message } from '#libs/broker-ports';
import type { PublishProperties, QoS } from '#libs/mqtt-codec';

/** A message in the shape that aedes' hooks and emitters know. */
export class HubPacket {
  readonly cmd = 'publish';
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly dup = false;
  readonly clientId: string;
  readonly brokerId: string;
  readonly brokerCounter: number;
  readonly properties?: PublishProperties;
  readonly message: Message;

  constructor(message: Message) {
    const { payload } = message;
    this.topic = message.topic;
    this.payload = Buffer.isBuffer(payload)
      ? payload
      : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    this.qos = message.qos;
    this.retain = message.retain;
    this.clientId = message.publisher;
    this.brokerId = message.source.nodeId;
    this.brokerCounter = message.sequence;
    if (message.properties !== undefined) this.properties = message.properties;
    this.message = message;
  }
}
