import { createHmac, randomBytes } from 'node:crypto';
import type { WebhookReply } from '#libs/webhook-client';
import { Gate, networkOf, type AuthSource, type Login, type SourceVerdict } from '#libs/access';
import { BoundedCache } from '../bounded-cache.ts';
import type { ParseRules } from '../jwt/jwt-claims.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { verdictOfAnswer } from './webhook-answer.ts';

/** What a webhook is asked with. */
export interface WebhookSourceParts {
  /** Posts a question. */
  readonly post: (body: string) => Promise<WebhookReply>;
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

interface Answered {
  readonly verdict: SourceVerdict;
  /** What it takes to remember it, about: what is made of a text takes some times as much. */
  readonly bytes: number;
}

interface Remembered extends Answered {
  readonly untilMs: number;
}

/** Of answers that are remembered: those that let in, and the others, so that who guesses passwords displaces nobody. */
const REMEMBERED_BYTES_MAX = 32 * 1024 * 1024;
const OVERHEAD_BYTES = 1_024;
/** What says that nobody can answer now. Any other failure may come of the question, and whoever asked it locks out nobody else. */
const UNAVAILABLE: readonly number[] = [429, 502, 503, 504];

/**
 * Asks an HTTP endpoint who a client is.
 *
 * @remarks The same question is asked once at a time, and its answer is remembered under a digest, with a key of the process. When there is none the
 * source rejects: the client is refused, and told to try again. After several failures in a row the endpoint gets a rest, in which nobody waits for it.
 * One address has not all the places of those who wait for an answer.
 */
export class WebhookSource implements AuthSource {
  readonly backend = 'webhook';
  readonly #parts: WebhookSourceParts;
  readonly #breaker: CircuitBreaker;
  readonly #key = randomBytes(32);
  readonly #allowed = new BoundedCache<Remembered>(REMEMBERED_BYTES_MAX, ({ bytes }) => bytes);
  readonly #others = new BoundedCache<Remembered>(REMEMBERED_BYTES_MAX, ({ bytes }) => bytes);
  readonly #asking = new Map<string, Promise<Answered | undefined>>();
  readonly #places: Gate;

  constructor(parts: WebhookSourceParts) {
    this.#parts = parts;
    this.#places = new Gate(parts.concurrency, 0);
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
    if (asked !== undefined) return (await asked)?.verdict ?? { kind: 'busy' };
    const asking = this.#places.run(() => this.#ask(body, login), networkOf(login.address));
    this.#asking.set(digest, asking);
    try {
      const answered = await asking;
      if (answered === undefined) return { kind: 'busy' };
      this.#remember(digest, answered);
      return answered.verdict;
    } finally {
      this.#asking.delete(digest);
    }
  }

  async #ask(body: string, login: Login): Promise<Answered> {
    const { post, parseRules, nowMs } = this.#parts;
    if (!this.#breaker.mayCall()) throw new Error('the webhook has failed, and is given a rest');
    const reply = await post(body).catch((error: unknown) => {
      this.#breaker.failed();
      throw new Error(`the webhook does not answer: ${textOf(error)}`, { cause: error });
    });
    // What it says of one client tells nothing of the next.
    if (UNAVAILABLE.includes(reply.status)) this.#breaker.failed();
    else this.#breaker.succeeded();
    if (reply.status !== 200) {
      const moved = reply.status >= 300 && reply.status < 400 ? '; redirects are not followed' : '';
      throw new Error(`the webhook answered ${String(reply.status)}${moved}`);
    }
    const verdict = verdictOfAnswer(reply.text, login, parseRules);
    const expiresAtMs = verdict.kind === 'allowed' ? verdict.identity.expiresAtMs : undefined;
    if (expiresAtMs === undefined || expiresAtMs > nowMs()) {
      const rest = verdict.kind === 'allowed' ? 4 * reply.text.length : 0;
      return { verdict, bytes: OVERHEAD_BYTES + rest };
    }
    const expired = { kind: 'denied', detail: 'what the webhook allows has expired' } as const;
    return { verdict: expired, bytes: OVERHEAD_BYTES };
  }

  #remember(digest: string, { verdict, bytes }: Answered): void {
    const { cacheMs, nowMs } = this.#parts;
    if (cacheMs === 0) return;
    const isAllowed = verdict.kind === 'allowed';
    const endsAtMs = (isAllowed ? verdict.identity.expiresAtMs : undefined) ?? Infinity;
    const untilMs = Math.min(nowMs() + cacheMs, endsAtMs);
    const [to, from] = isAllowed ? [this.#allowed, this.#others] : [this.#others, this.#allowed];
    from.delete(digest);
    to.set(digest, { verdict, bytes, untilMs });
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
