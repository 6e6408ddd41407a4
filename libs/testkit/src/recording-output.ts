import {
  PacketDecoder,
  type Packet,
  type ProtocolVersion,
  type PublishPacket,
  type PublishTemplate,
  type ReasonCode,
  type SubscribePacket,
  type UnsubscribePacket,
} from '#libs/mqtt-codec';
import type {
  EngineDropReason,
  Load,
  Position,
  PublishAck,
  SessionOutput,
} from '#libs/mqtt-engine';

/** A PUBLISH as it went out, decoded again. */
export interface SentPublish {
  readonly packetId: number;
  readonly dup: boolean;
  readonly packet: PublishPacket;
}

/** A SessionOutput that carries out nothing and keeps everything, for specs of the engine. */
export class RecordingOutput implements SessionOutput {
  congested = false;
  /** The protocol version that templates are decoded with. */
  version: ProtocolVersion;
  /** What was asked for, in order, a line each: `pubrel 3 0x00`, `settle 1`, `close 0x82`. */
  readonly lines: string[] = [];
  readonly packets: Packet[] = [];
  readonly published: PublishPacket[] = [];
  /** The acknowledgements handed out with `published`; undefined for QoS 0. */
  readonly acks: (PublishAck | undefined)[] = [];
  readonly sentPublishes: SentPublish[] = [];
  readonly loads: Load[] = [];
  readonly drops: EngineDropReason[] = [];
  readonly settled: Position[] = [];
  readonly subscribes: (SubscribePacket | UnsubscribePacket)[] = [];

  constructor(version: ProtocolVersion = 5) {
    this.version = version;
  }

  /** The lines since the last call. */
  take(): string[] {
    return this.lines.splice(0);
  }

  /** The packet ids of the publishes sent since the last call. */
  takeSent(): SentPublish[] {
    return this.sentPublishes.splice(0);
  }

  withheld(): void {
    this.dropped('not_authorized');
  }

  send(packet: Packet): void {
    this.packets.push(packet);
    this.lines.push(packet.kind);
  }

  /** Notes the acknowledgement as a line: `puback 3 0x00`. */
  sendAck(
    kind: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp',
    packetId: number,
    reasonCode: ReasonCode,
  ): void {
    this.lines.push(`${kind} ${String(packetId)} ${hex(reasonCode)}`);
  }

  /** Decodes and keeps the PUBLISH, and notes it as a line: `publish 3 qos1 dup`. */
  sendPublish(template: PublishTemplate, packetId: number, dup: boolean): void {
    const packet = decodeTemplate(template, this.version);
    this.sentPublishes.push({ packetId, dup, packet });
    this.lines.push(`publish ${String(packetId)} qos${String(packet.qos)}${dup ? ' dup' : ''}`);
  }

  publish(packet: PublishPacket, ack: PublishAck | undefined): void {
    this.published.push(packet);
    this.acks.push(ack);
    this.lines.push(`taken ${packet.topic}`);
  }

  subscribe(packet: SubscribePacket): void {
    this.subscribes.push(packet);
  }

  unsubscribe(packet: UnsubscribePacket): void {
    this.subscribes.push(packet);
  }

  holdReading(hold: boolean): void {
    this.lines.push(hold ? 'hold' : 'go on');
  }

  settle(position: Position): void {
    this.settled.push(position);
    this.lines.push(`settle ${String(position.sequence)}`);
  }

  release(position: Position, packetId: number): void {
    this.lines.push(`release ${String(position.sequence)} as ${String(packetId)}`);
  }

  complete(packetId: number): void {
    this.lines.push(`complete ${String(packetId)}`);
  }

  forget(packetId: number): void {
    this.lines.push(`forget ${String(packetId)}`);
  }

  load(load: Load): void {
    this.loads.push(load);
    this.lines.push(`load after ${String(load.after?.sequence ?? 0)}`);
  }

  close(reasonCode: ReasonCode): void {
    this.lines.push(`close ${hex(reasonCode)}`);
  }

  disconnected(withWill: boolean, sessionExpirySeconds: number | undefined): void {
    const expiry = sessionExpirySeconds === undefined ? '' : ` ${String(sessionExpirySeconds)}s`;
    this.lines.push(`disconnected${withWill ? ' with will' : ''}${expiry}`);
  }

  /** Keeps the reason, and notes it as a line. */
  dropped(reason: EngineDropReason): void {
    this.drops.push(reason);
    this.lines.push(`dropped ${reason}`);
  }

  retried(): void {}

  duplicate(): void {
    this.lines.push('duplicate');
  }

  sent(): void {}
}

function hex(reasonCode: ReasonCode): string {
  return `0x${reasonCode.toString(16).padStart(2, '0')}`;
}

/** Templates carry packet id 0, which no packet on the wire may: it is patched before it is decoded. */
function decodeTemplate(template: PublishTemplate, version: ProtocolVersion): PublishPacket {
  const bytes = Uint8Array.from(template.bytes);
  if (template.packetIdOffset > 0) bytes[template.packetIdOffset + 1] = 1;
  const decoder = new PacketDecoder({ packetBytesMax: bytes.length });
  decoder.version = version;
  decoder.push(bytes);
  const packet = decoder.read();
  if (packet?.kind !== 'publish') throw new Error('the template is no PUBLISH');
  return packet;
}
