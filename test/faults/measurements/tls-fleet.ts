// Many clients over TLS, in a thread of their own: what they take of the processor is not mistaken for what a node takes.
import { connect, type TLSSocket } from 'node:tls';
import { parentPort, workerData } from 'node:worker_threads';
import { encodePacket } from '#libs/mqtt-codec';

/** How a fleet is started. */
export interface TlsFleetPlan {
  readonly count: number;
  /** The TLS ports of the nodes; client n begins at the one of its turn, and goes to the next when its connection ends. */
  readonly ports: readonly number[];
  readonly ca: string;
  /** Pauses before it connects again: between these, by chance. */
  readonly pauseMs: { readonly least: number; readonly most: number };
}

/** What a fleet tells of itself, ten times a second. */
export interface TlsFleetState {
  /** Clients that have their CONNACK. */
  readonly connected: number;
  /** Clients that have their SUBACK as well. */
  readonly subscribed: number;
  /** Connections that have ended, or could not be made. */
  readonly ends: number;
  /** Handshakes that a ticket made short. */
  readonly resumed: number;
}

const VERSION = 4;
const CONNACK = 2;
const SUBACK = 9;
const TELL_MS = 100;
/** Handshakes that the fleet begins with at once. */
const BEGIN_AT_ONCE = 30;
const CONNECT_TIMEOUT_MS = 15_000;
const OPTIONS = { qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0 } as const;

const plan = workerData as TlsFleetPlan;
const state = { connected: 0, subscribed: 0, ends: 0, resumed: 0 };
/** The client that waits until fewer are on their way, for the begin. */
let next = 0;

/** A client that comes back for ever. */
class TlsClient {
  readonly #index: number;
  #attempt: number;
  #session: Buffer | undefined;
  #phase: 'away' | 'connected' | 'subscribed' = 'away';
  #isNew = true;

  constructor(index: number) {
    this.#index = index;
    this.#attempt = index;
  }

  connect(): void {
    const { ports, ca } = plan;
    const where = {
      port: ports[this.#attempt % ports.length] ?? 0,
      host: '127.0.0.1',
      // Each from an address of its own, as at home.
      localAddress: `127.1.${String(this.#index >> 8)}.${String(this.#index & 255)}`,
      servername: 'localhost',
      ca,
      ...(this.#session && { session: this.#session }),
    };
    const socket = connect(where);
    socket.setNoDelay(true);
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy());
    socket.on('session', (session: Buffer) => (this.#session = session));
    socket.on('error', () => undefined);
    socket.on('secureConnect', () => this.#begin(socket));
    socket.on('data', (data: Buffer) => this.#read(socket, data));
    socket.on('close', () => this.#closed());
  }

  #begin(socket: TLSSocket): void {
    if (socket.isSessionReused()) state.resumed += 1;
    const clientId = `storm-${String(this.#index)}`;
    const packet = { kind: 'connect', version: VERSION, clientId, cleanStart: true } as const;
    socket.write(encodePacket({ ...packet, keepAlive: 0 }, VERSION));
  }

  #read(socket: TLSSocket, data: Buffer): void {
    const kind = (data[0] ?? 0) >> 4;
    if (kind === CONNACK) {
      this.#move('connected');
      socket.setTimeout(0);
      const subscriptions = [{ filter: `storm/${String(this.#index)}`, ...OPTIONS }];
      socket.write(encodePacket({ kind: 'subscribe', packetId: 1, subscriptions }, VERSION));
    } else if (kind === SUBACK) this.#move('subscribed');
    if (kind !== SUBACK || !this.#isNew) return;
    this.#isNew = false;
    beginNext();
  }

  #closed(): void {
    this.#move('away');
    state.ends += 1;
    this.#attempt += 1;
    const { least, most } = plan.pauseMs;
    setTimeout(() => this.connect(), least + Math.random() * (most - least));
  }

  #move(phase: 'away' | 'connected' | 'subscribed'): void {
    if (this.#phase !== 'away') state.connected -= 1;
    if (this.#phase === 'subscribed') state.subscribed -= 1;
    this.#phase = phase;
    if (phase !== 'away') state.connected += 1;
    if (phase === 'subscribed') state.subscribed += 1;
  }
}

function beginNext(): void {
  if (next >= plan.count) return;
  new TlsClient(next).connect();
  next += 1;
}

for (let count = 0; count < BEGIN_AT_ONCE; count += 1) beginNext();
setInterval(() => parentPort?.postMessage({ ...state } satisfies TlsFleetState), TELL_MS);
