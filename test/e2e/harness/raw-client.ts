import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import mqttPacket, { type Packet } from 'mqtt-packet';
import type { Scope } from './scope.ts';

/** A socket that speaks MQTT packet by packet and does nothing by itself: no ping, no acknowledgement. */
export class RawClient {
  readonly packets: Packet[] = [];
  readonly #socket: Socket;
  readonly #version: 4 | 5;
  #isClosed = false;

  private constructor(scope: Scope, socket: Socket, version: 4 | 5) {
    this.#socket = socket;
    this.#version = version;
    const parser = mqttPacket.parser({ protocolVersion: version });
    parser.on('packet', (packet: Packet) => this.packets.push(packet));
    socket.on('data', (chunk) => parser.parse(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => (this.#isClosed = true));
    scope.add(() => socket.destroy());
  }

  static async open(scope: Scope, port: number, version: 4 | 5 = 5): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    const client = new RawClient(scope, socket, version);
    // Whoever is refused may hear of it before it hears that it is connected.
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => undefined);
    return client;
  }

  /** Opens a connection that begins with the header of a proxy. */
  static async behind(scope: Scope, port: number, header: Uint8Array | string): Promise<RawClient> {
    const client = await RawClient.open(scope, port);
    client.#socket.write(header);
    return client;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Is gone without a word. */
  leave(): void {
    this.#socket.destroy();
  }

  /** Sends packets in one write. */
  send(...packets: readonly Packet[]): void {
    const options = { protocolVersion: this.#version };
    const connect = { protocolId: 'MQTT', protocolVersion: this.#version } as const;
    const whole = packets.map((packet) =>
      packet.cmd === 'connect' ? { ...packet, ...connect } : packet,
    );
    this.#socket.write(Buffer.concat(whole.map((packet) => mqttPacket.generate(packet, options))));
  }
}
