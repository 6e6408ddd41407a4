import { createHmac, hkdfSync } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Operation } from '#libs/api-contracts';
import type { ApiState, KeptReply, Log, ReplyClaim } from '#libs/broker-ports';
import { callerOf } from '../guard/caller.ts';
import { decipher, encipher } from './cipher.ts';
import { ProblemError } from './problem-error.ts';
import { problemAnswered } from './problem-filter.ts';

/** What it is made with. */
export interface IdempotencyOptions {
  readonly state: Pick<ApiState, 'replies'>;
  /** The same at all replicas; loaded for whoever was let pass. */
  readonly secret: () => string;
  readonly log: Log;
}

/** One request and its reply. */
interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

interface Claim extends ReplyClaim {
  readonly cipherKey: Buffer;
  readonly renewal: NodeJS.Timeout;
}

const KEY = /^[\x21-\x7e]{1,128}$/;
const TTL_MS = 86_400_000;
/** An owner that dies frees its key within this time. */
const LEASE_MS = 15_000;
const RENEWAL_MS = 5_000;
/** A larger reply is not kept: the request would be carried out again. */
const BODY_CHARACTERS_MAX = 1024 * 1024;
const KEPT_HEADERS = ['content-type', 'etag', 'location'] as const;

/**
 * Answers a POST that is repeated under the same `Idempotency-Key` with what it was answered the first time.
 *
 * @remarks Replies are kept enciphered under a key made of the caller's `Idempotency-Key` too: some hold a secret that is kept
 * nowhere else.
 */
export class Idempotency {
  readonly #options: IdempotencyOptions;
  readonly #claims = new WeakMap<FastifyRequest, Claim>();

  constructor(options: IdempotencyOptions) {
    this.#options = options;
  }

  /**
   * Claims a request before it is carried out.
   *
   * @returns whether it was answered here.
   * @throws ProblemError 400, 409, 422 or 503.
   */
  async begin({ request, reply }: Exchange, operation: Operation | undefined): Promise<boolean> {
    const given = request.headers['idempotency-key'];
    const caller = callerOf(request);
    if (given === undefined || operation?.method !== 'post' || caller === undefined) return false;
    if (typeof given !== 'string' || !KEY.test(given)) throw malformed();
    // The path, not its template: the same key for another user is another request.
    const key = `idempotency\n${caller.id}\nPOST ${request.url}\n${given}`;
    const cipherKey = Buffer.from(
      hkdfSync('sha256', this.#options.secret(), given, `skein-reply\0${caller.id}`, 32),
    );
    const body = JSON.stringify(request.body ?? null);
    const bodyHash = createHmac('sha256', cipherKey).update(body).digest('base64url');
    const begun = await this.#options.state.replies.begin({ key, bodyHash, leaseMs: LEASE_MS });
    switch (begun.kind) {
      case 'fresh':
        this.#claims.set(request, this.#claim({ key, claim: begun.claim }, cipherKey));
        return false;
      case 'replay':
        this.#replay(reply, begun.reply, cipherKey);
        return true;
      case 'mismatch':
        throw new ProblemError(
          'idempotency-mismatch',
          'Another body was sent under this Idempotency-Key; take a new one',
        );
      case 'in-progress':
        throw new ProblemError(
          'idempotency-in-progress',
          'The request with this Idempotency-Key is being carried out; ask again',
          { headers: { 'retry-after': '1' } },
        );
    }
  }

  /** Keeps what a claimed request is answered; never rejects, since the answer has to go out. */
  async end({ request, reply }: Exchange, payload: unknown): Promise<void> {
    const claim = this.#claims.get(request);
    if (claim === undefined) return;
    this.#claims.delete(request);
    clearInterval(claim.renewal);
    const { replies } = this.#options.state;
    const body = payload ?? '';
    const isKept = typeof body === 'string' && body.length <= BODY_CHARACTERS_MAX;
    const isNothing = problemAnswered(request)?.changedNothing === true;
    try {
      if (!isKept || isNothing) await replies.abandon(claim);
      else await replies.finish(claim, kept(reply, encipher(body, claim.cipherKey)), TTL_MS);
    } catch (error) {
      this.#options.log.warn('reply-not-kept', { requestId: request.id, message: String(error) });
    }
  }

  #claim(claim: ReplyClaim, cipherKey: Buffer): Claim {
    const { state, log } = this.#options;
    const renewal = setInterval(() => {
      state.replies.extend(claim, LEASE_MS).catch((error: unknown) => {
        log.debug('reply-claim-not-renewed', { message: String(error) });
      });
    }, RENEWAL_MS).unref();
    return { ...claim, cipherKey, renewal };
  }

  #replay(reply: FastifyReply, { status, headers, body }: KeptReply, cipherKey: Buffer): void {
    void reply
      .code(status)
      .headers({ ...headers, 'idempotency-replayed': 'true' })
      .send(decipher(body, cipherKey));
  }
}

function malformed(): ProblemError {
  const detail = '1 to 128 visible ASCII characters';
  return new ProblemError('validation-failed', `Idempotency-Key: ${detail}`, {
    errors: [{ pointer: '/header/idempotency-key', code: 'invalid-format', detail }],
  });
}

function kept(reply: FastifyReply, body: string): KeptReply {
  const headers: Record<string, string> = {};
  for (const name of KEPT_HEADERS) {
    const value = reply.getHeader(name);
    if (typeof value === 'string') headers[name] = value;
  }
  return { status: reply.statusCode, headers, body };
}
