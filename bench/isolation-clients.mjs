// Clients that misbehave, and the one that feeds them.
import { connect } from 'node:net';
import { once } from 'node:events';
import { PacketDecoder, encodePacket } from '#libs/mqtt-codec';

const HOST = '127.0.0.1';
const PACKET_BYTES_MAX = 1_048_576;
/** How often the slow one reads. */
const SIP_MS = 100;

/** A socket that speaks MQTT 3.1.1: packets in, packets out. */
class Client {
  #socket;
  #decoder = new PacketDecoder({ packetBytesMax: PACKET_BYTES_MAX });
  #sip;

  constructor(socket) {
    this.#socket = socket;
    this.#decoder.version = 4;
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => this.#read(chunk));
  }

  /** Connects and resolves after the CONNACK. */
  static async open(Kind, port, { clientId, durable = false }) {
    const socket = connect(port, HOST);
    await once(socket, 'connect');
    const client = new Kind(socket);
    const connack = client.answer('connack');
    client.send({ kind: 'connect', version: 4, clientId, cleanStart: !durable, keepAlive: 0 });
    await connack;
    return client;
  }

  /** Resolves with the next packet of a kind. */
  answer(kind) {
    return new Promise((resolve) => {
      this.awaited = { kind, resolve };
    });
  }

  send(...packets) {
    const bytes = packets.map((packet) => encodePacket(packet, 4));
    return this.#socket.write(bytes.length === 1 ? bytes[0] : Buffer.concat(bytes));
  }

  /** Whether the broker takes what is sent. */
  get isBlocked() {
    return this.#socket.writableNeedDrain;
  }

  /** Reads as fast as bytes come. */
  readFreely() {
    clearInterval(this.#sip);
    this.#socket.resume();
  }

  /** Reads nothing. */
  freeze() {
    clearInterval(this.#sip);
    this.#socket.pause();
  }

  /** Reads so many bytes a second. */
  sip(bytesPerSecond) {
    this.freeze();
    const bytes = (bytesPerSecond * SIP_MS) / 1_000;
    this.#sip = setInterval(() => {
      // While the stream is paused, read() hands its bytes to the listener of 'data'.
      this.#socket.read(Math.min(bytes, this.#socket.readableLength));
    }, SIP_MS);
  }

  close() {
    clearInterval(this.#sip);
    this.#socket.destroy();
  }

  #read(chunk) {
    this.#decoder.push(chunk);
    for (let packet = this.#decoder.read(); packet !== undefined; packet = this.#decoder.read()) {
      if (packet.kind === 'failure') throw new Error(packet.message);
      if (packet.kind === this.awaited?.kind) this.awaited.resolve(packet);
      this.received?.(packet);
    }
  }
}

const numberIn = (payload) => Buffer.from(payload.buffer, payload.byteOffset).readUInt32BE(0);

/** Counts what one topic has brought. */
class Account {
  received = 0;
  disordered = 0;
  last = -1;

  add(number) {
    this.received += 1;
    if (number <= this.last) this.disordered += 1;
    this.last = Math.max(this.last, number);
  }
}

/** Subscribes to the feed with QoS 0 and 1, and behaves as it is told. */
export class Receiver extends Client {
  /** By topic. */
  accounts = new Map([
    ['feed/0', new Account()],
    ['feed/1', new Account()],
  ]);
  #withheld = [];
  #acknowledges = true;

  static async open(port) {
    const receiver = await Client.open(Receiver, port, { clientId: 'receiver', durable: true });
    const suback = receiver.answer('suback');
    const request = (filter, qos) => ({
      filter,
      qos,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0,
    });
    const subscriptions = [request('feed/0', 0), request('feed/1', 1)];
    receiver.send({ kind: 'subscribe', packetId: 1, subscriptions });
    await suback;
    return receiver;
  }

  /** `normal`, `frozen`, `slow` (1 KB/s), or `silent`: it reads and acknowledges nothing. */
  behave(how) {
    if (how === 'frozen') this.freeze();
    else if (how === 'slow') this.sip(1_000);
    else this.readFreely();
    this.#acknowledges = how !== 'silent';
    if (!this.#acknowledges || this.#withheld.length === 0) return;
    this.send(...this.#withheld.splice(0));
  }

  received(packet) {
    if (packet.kind !== 'publish') return;
    this.accounts.get(packet.topic).add(numberIn(packet.payload));
    if (packet.qos === 0) return;
    const ack = { kind: 'puback', packetId: packet.packetId, reasonCode: 0 };
    if (this.#acknowledges) this.send(ack);
    else this.#withheld.push(ack);
  }
}

const FEED_MS = 10;

/** Publishes numbered messages at a steady rate, half of them with QoS 1. */
export class Feed extends Client {
  /** By QoS. */
  sent = [0, 0];
  acknowledged = 0;
  #timer;
  #payload;

  static open(port) {
    return Client.open(Feed, port, { clientId: 'feed' });
  }

  /** @param perSecond - messages a second of each QoS. */
  start({ perSecond, payloadBytes }) {
    this.#payload = Buffer.alloc(payloadBytes, 'x');
    const startedAt = performance.now();
    const base = this.sent[0];
    this.#timer = setInterval(() => {
      const due = base + ((performance.now() - startedAt) * perSecond) / 1_000;
      while (this.sent[0] < due && !this.isBlocked) this.#publish();
    }, FEED_MS);
  }

  stop() {
    clearInterval(this.#timer);
  }

  received(packet) {
    if (packet.kind === 'puback') this.acknowledged += 1;
  }

  close() {
    this.stop();
    super.close();
  }

  #publish() {
    const packets = [0, 1].map((qos) => {
      this.#payload.writeUInt32BE(this.sent[qos], 0);
      this.sent[qos] += 1;
      const packetId = qos === 0 ? 0 : 1 + (this.sent[qos] % 65_535);
      const head = { kind: 'publish', dup: false, qos, retain: false };
      return { ...head, topic: `feed/${qos}`, packetId, payload: this.#payload };
    });
    this.send(...packets);
  }
}
