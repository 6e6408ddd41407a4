import { createHmac, randomBytes } from 'node:crypto';
import type { AuthSource, Login, SourceVerdict } from '#libs/access';
import { BoundedCache } from '../bounded-cache.ts';
import type { ParseRules } from '../jwt/jwt-claims.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { verdictOfAnswer } from './webhook-answer.ts';
import type { WebhookClient } from './webhook-client.ts';

/** What a webhook is asked with. */
export interface WebhookSourceParts {
  readonly client: Pick<WebhookClient, 'post'>;
  readonly parseRules: ParseRules;
  /** How long an answer is remembered; 0 asks each time. */
  readonly cacheMs: number;
  /** Questions under way at a time. */
  readonly concurrency: number;
  /** Failures in a row that begin a rest, and how long that is. */
  readonly failuresMax: number;
  readonly restMs: number;
  /** Milliseconds since 1970. */
  readonly nowMs: () => number;
}

interface Remembered {
  readonly verdict: SourceVerdict;
  readonly untilMs: number;
}

/** Answers that are remembered: those that let in, and the others, so that who guesses passwords displaces nobody. */
const REMEMBERED_MAX = 20_000;

/**
 * Asks an HTTP endpoint who a client is.
 *
 * @remarks The same question is asked once at a time, and its answer is remembered under a digest, with a key of the process. When there is none the
 * source rejects: the client is refused, and told to try again. After several failures in a row the endpoint gets a rest, in which nobody waits for it.
 */
export class WebhookSource implements AuthSource {
  readonly backend = 'webhook';
  readonly #parts: WebhookSourceParts;
  readonly #breaker: CircuitBreaker;
  readonly #key = randomBytes(32);
  readonly #allowed = new BoundedCache<Remembered>(REMEMBERED_MAX);
  readonly #others = new BoundedCache<Remembered>(REMEMBERED_MAX);
  readonly #asking = new Map<string, Promise<SourceVerdict>>();

  constructor(parts: WebhookSourceParts) {
    this.#parts = parts;
    this.#breaker = new CircuitBreaker(parts);
  }

  async login(login: Login): Promise<SourceVerdict> {
    const body = JSON.stringify(questionOf(login));
    const digest = createHmac('sha256', this.#key).update(body).digest('base64');
    const remembered = this.#allowed.get(digest) ?? this.#others.get(digest);
    if (remembered !== undefined && this.#parts.nowMs() < remembered.untilMs) {
      return remembered.verdict;
    }
    const asked = this.#asking.get(digest);
    if (asked !== undefined) return await asked;
    if (this.#asking.size >= this.#parts.concurrency) return { kind: 'busy' };
    if (!this.#breaker.mayCall()) throw new Error('the webhook has failed, and is given a rest');
    const asking = this.#ask(body, login);
    this.#asking.set(digest, asking);
    try {
      const verdict = await asking;
      this.#remember(digest, verdict);
      return verdict;
    } finally {
      this.#asking.delete(digest);
    }
  }

  async #ask(body: string, login: Login): Promise<SourceVerdict> {
    const { client, parseRules, nowMs } = this.#parts;
    const reply = await client.post(body).catch((error: unknown) => {
      this.#breaker.failed();
      throw new Error(`the webhook does not answer: ${textOf(error)}`, { cause: error });
    });
    // What it says of one client tells nothing of the next.
    if (reply.status >= 500 || reply.status === 429) this.#breaker.failed();
    else this.#breaker.succeeded();
    if (reply.status !== 200) {
      const moved = reply.status >= 300 && reply.status < 400 ? '; redirects are not followed' : '';
      throw new Error(`the webhook answered ${String(reply.status)}${moved}`);
    }
    const verdict = verdictOfAnswer(reply.text, login, parseRules);
    const expiresAtMs = verdict.kind === 'allowed' ? verdict.identity.expiresAtMs : undefined;
    if (expiresAtMs === undefined || expiresAtMs > nowMs()) return verdict;
    return { kind: 'denied', detail: 'what the webhook allows has expired' };
  }

  #remember(digest: string, verdict: SourceVerdict): void {
    const { cacheMs, nowMs } = this.#parts;
    if (cacheMs === 0) return;
    const isAllowed = verdict.kind === 'allowed';
    const endsAtMs = (isAllowed ? verdict.identity.expiresAtMs : undefined) ?? Infinity;
    const untilMs = Math.min(nowMs() + cacheMs, endsAtMs);
    const [to, from] = isAllowed ? [this.#allowed, this.#others] : [this.#others, this.#allowed];
    from.delete(digest);
    to.set(digest, { verdict, untilMs });
  }
}

/** What an endpoint is asked. A password that is no UTF-8 is told in base64. */
function questionOf({
  clientId,
  username,
  password,
  address,
  listener,
  certificate,
}: Login): object {
  return {
    clientId,
    username,
    ...(password && passwordOf(password)),
    address,
    listener,
    certificate: certificate && {
      commonName: certificate.commonName,
      subjectAltNames: certificate.sans,
    },
  };
}

function passwordOf(bytes: Uint8Array): object {
  try {
    return { password: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { passwordBase64: Buffer.from(bytes).toString('base64') };
  }
}

/** A connection that was refused at several addresses has no message of its own. */
function textOf(error: unknown): string {
  const { message, code } = error as { readonly message?: unknown; readonly code?: unknown };
  return String(message || code);
}
