// What a Node.js process can reach at best: parsed by hand, routed by an exact topic (or '#'), written in batches. It has
// no sessions, no retained messages, no other wildcards, no retries and no authentication, so it is not a broker.
// usage: node node-limit.mjs PORT
import { createServer } from 'node:net';

const PINGRESP = Buffer.from([0xd0, 0]);
const CONNACK = Buffer.from([0x20, 2, 0, 0]);
/** A client that holds back more stops all publishers. */
const WAITING_BYTES_MAX = 1 << 20;
const NOBODY = [];

/** Subscribers by topic, and those of '#'. */
const byTopic = new Map();
const ofAll = [];
const publishers = new Set();
const blocked = new Set();

let dirty = [];
/** The latest list of frames and its bytes: in a fan-out many clients are sent the same list. */
let joinedFrames = NOBODY;
let joined;

function flush() {
  const clients = dirty;
  dirty = [];
  for (const client of clients) client.flush();
  joinedFrames = NOBODY;
  joined = undefined;
}

/** Puts the frames of a turn into one buffer, or hands out the one made for the client before. */
function join(frames) {
  if (frames.length === 1) return frames[0];
  const isSame =
    joinedFrames.length === frames.length &&
    joinedFrames[0] === frames[0] &&
    joinedFrames.at(-1) === frames.at(-1);
  if (!isSame) {
    joined = Buffer.concat(frames);
    joinedFrames = frames;
  }
  return joined;
}

class Client {
  qos = 0;
  #socket;
  #frames = [];
  #packetId = 0;
  #rest;
  /** The PUBACKs of one chunk. */
  #acks = Buffer.alloc(0);
  #acksEnd = 0;

  constructor(socket) {
    this.#socket = socket;
    socket.on('error', () => undefined);
    socket.on('close', () => this.#close());
    socket.on('data', (chunk) => this.#read(chunk));
  }

  /** Keeps a frame for the end of the turn. */
  send(frame) {
    if (this.#frames.push(frame) > 1) return;
    if (dirty.push(this) === 1) setImmediate(flush);
  }

  flush() {
    const bytes = join(this.#frames);
    this.#frames = [];
    const isFull = !this.#socket.write(bytes) && this.#socket.writableLength > WAITING_BYTES_MAX;
    if (isFull && !blocked.has(this)) this.#block();
  }

  pause() {
    this.#socket.pause();
  }

  resume() {
    this.#socket.resume();
  }

  /** A frame with a packet identifier of this client's own. */
  stamp(frame, offset) {
    const own = Buffer.allocUnsafe(frame.length);
    frame.copy(own);
    this.#packetId = (this.#packetId % 65_535) + 1;
    own.writeUInt16BE(this.#packetId, offset);
    return own;
  }

  #block() {
    blocked.add(this);
    if (blocked.size === 1) for (const publisher of publishers) publisher.pause();
    this.#socket.once('drain', () => this.#unblock());
  }

  #unblock() {
    if (!blocked.delete(this) || blocked.size > 0) return;
    for (const publisher of publishers) publisher.resume();
  }

  #close() {
    publishers.delete(this);
    this.#unblock();
  }

  #read(chunk) {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#acks = undefined;
    this.#acksEnd = 0;
    let start = 0;
    while (bytes.length - start >= 2) {
      let length = bytes[start + 1];
      let headerBytes = 2;
      if (length > 127) {
        // Two bytes of length are enough here: packets of up to 16 KB.
        if (bytes.length - start < 3) break;
        length = (length & 127) | (bytes[start + 2] << 7);
        headerBytes = 3;
      }
      const end = start + headerBytes + length;
      if (end > bytes.length) break;
      this.#handle(bytes, { start, body: start + headerBytes, end });
      start = end;
    }
    if (this.#acksEnd > 0) this.send(this.#acks.subarray(0, this.#acksEnd));
    this.#rest = start < bytes.length ? bytes.subarray(start) : undefined;
  }

  #handle(bytes, at) {
    switch (bytes[at.start] >> 4) {
      case 1:
        return this.send(CONNACK);
      case 3:
        return this.#publish(bytes, at);
      case 8:
        return this.#subscribe(bytes, at);
      case 12:
        return this.send(PINGRESP);
    }
  }

  #publish(bytes, { start, body, end }) {
    const qos = (bytes[start] >> 1) & 3;
    const topicEnd = body + 2 + bytes.readUInt16BE(body);
    const topic = bytes.latin1Slice(body + 2, topicEnd);
    if (qos > 0) this.#acknowledge(bytes, { topicEnd, room: bytes.length - start });
    const receivers = byTopic.get(topic) ?? NOBODY;
    if (receivers.length === 0 && ofAll.length === 0) return;
    publishers.add(this);
    const frame = bytes.subarray(start, end);
    const packetIdOffset = topicEnd - start;
    for (const list of [receivers, ofAll]) {
      for (const receiver of list) {
        const isStamped = qos > 0 && receiver.qos > 0;
        receiver.send(isStamped ? receiver.stamp(frame, packetIdOffset) : frame);
      }
    }
  }

  /** A chunk has room for no more acknowledgements than bytes. */
  #acknowledge(bytes, { topicEnd, room }) {
    this.#acks ??= Buffer.allocUnsafe(room);
    const acks = this.#acks;
    const offset = this.#acksEnd;
    acks[offset] = 0x40;
    acks[offset + 1] = 2;
    acks[offset + 2] = bytes[topicEnd];
    acks[offset + 3] = bytes[topicEnd + 1];
    this.#acksEnd = offset + 4;
  }

  #subscribe(bytes, { body }) {
    const filterEnd = body + 4 + bytes.readUInt16BE(body + 2);
    const filter = bytes.latin1Slice(body + 4, filterEnd);
    this.qos = bytes[filterEnd];
    if (filter === '#') ofAll.push(this);
    else if (byTopic.has(filter)) byTopic.get(filter).push(this);
    else byTopic.set(filter, [this]);
    this.send(Buffer.from([0x90, 3, bytes[body], bytes[body + 1], this.qos]));
  }
}

createServer({ noDelay: true }, (socket) => new Client(socket)).listen({
  port: Number(process.argv[2]),
  host: '127.0.0.1',
  backlog: 4096,
});
process.on('SIGTERM', () => process.exit(0));
