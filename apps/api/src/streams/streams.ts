import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiMeter, StreamKind } from '#libs/metrics-prom';
import { EVENT_STREAM_TYPE } from '#libs/api-contracts';
import { ProblemError } from '../http/problem-error.ts';
import { SseWriter } from './sse-writer.ts';

/** How many streams a replica of the API serves at once. */
const STREAMS_MAX = 256;

/** How often it is looked whether those who read may still; with what is read then, less than the two seconds that are promised. */
const LOOK_MS = 1_000;

/** Whether whoever sent a request may still have what it asked for. */
export type StillAllowed = (request: FastifyRequest) => Promise<boolean>;

/** The streams that are open, so that they are counted, bounded, and end with the process. */
export class Streams {
  readonly #meter: ApiMeter;
  readonly #open = new Map<SseWriter, FastifyRequest>();
  readonly #running = new Set<Promise<void>>();
  #isClosed = false;
  #stillAllowed: StillAllowed = async () => true;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;

  constructor(meter: ApiMeter) {
    this.#meter = meter;
  }

  /** Ends, from now on, the streams of those who may have them no longer: a stream outlives the request that was judged. */
  holdTo(stillAllowed: StillAllowed): void {
    this.#stillAllowed = stillAllowed;
  }

  /** @throws ProblemError when no more streams can be served. */
  admit(): void {
    if (this.#isClosed || this.#open.size >= STREAMS_MAX) {
      throw new ProblemError('overloaded', `${this.#open.size} streams are open already`);
    }
  }

  /** Answers with a stream, and feeds it until it ends. */
  serve(reply: FastifyReply, kind: StreamKind, feed: (writer: SseWriter) => Promise<void>): void {
    reply.hijack();
    for (const [name, value] of Object.entries(reply.getHeaders())) {
      if (value !== undefined) reply.raw.setHeader(name, value);
    }
    // The connection ends with the stream: an idle one would hold up the end of the process.
    reply.raw.writeHead(200, {
      ...{ 'content-type': EVENT_STREAM_TYPE, 'x-accel-buffering': 'no' },
      connection: 'close',
    });
    if (reply.request.method === 'HEAD') {
      // Nobody reads a stream that has no body: what nodes have begun for it ends as that of a reader who is gone.
      reply.raw.end();
      return;
    }
    const writer = new SseWriter(reply.raw);
    this.#open.set(writer, reply.request);
    this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref();
    this.#meter.streamed(kind, 1);
    const running = feed(writer)
      .catch(() => undefined)
      .then(() => writer.end())
      .then(() => writer.ended)
      .finally(() => {
        this.#open.delete(writer);
        this.#running.delete(running);
        this.#meter.streamed(kind, -1);
        if (this.#open.size > 0) return;
        clearInterval(this.#timer);
        this.#timer = undefined;
      });
    this.#running.add(running);
  }

  /** Tells that so much could not be sent. */
  dropped(kind: StreamKind, count: number): void {
    this.#meter.streamDropped(kind, count);
  }

  /** Ends all streams, and resolves when they have. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const writer of this.#open.keys()) writer.end();
    await Promise.all(this.#running);
    await this.#looking;
  }

  #look(): void {
    this.#looking ??= this.#endForbidden().finally(() => (this.#looking = undefined));
  }

  async #endForbidden(): Promise<void> {
    const looks = [...this.#open].map(async ([writer, request]) => {
      // Who cannot be judged at the moment is judged with the next look.
      if (!(await this.#stillAllowed(request).catch(() => true))) writer.end();
    });
    await Promise.all(looks);
  }
}
