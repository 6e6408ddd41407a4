import { Gate, type AuthSource, type Login, type SourceVerdict } from '#libs/access';
import type {
  CommandOf,
  WireAuth,
  WireAuthBackend,
  WireAuthChange,
  WireLogin,
  WireLoginTrial,
} from '#libs/api-contracts';
import type { AuthSources, NamedSourceView } from './auth-sources.ts';

/** Trials under way at a time, and those that wait: clients are not to wait for them. */
const RUNNING_MAX = 2;
const WAITING_MAX = 8;

const SILENT = Symbol('silent');

/** Those who are asked who a client is, as the API sees them: shown without secrets, and asked without a client. */
export class AuthBackends {
  readonly #sources: AuthSources;
  readonly #anonymous: boolean;
  readonly #gate = new Gate(RUNNING_MAX, WAITING_MAX);

  /** @param anonymous - whether clients that show nothing may connect. */
  constructor(sources: AuthSources, anonymous: boolean) {
    this.#sources = sources;
    this.#anonymous = anonymous || sources.isOpen;
  }

  /** Who is asked, and where. */
  async shown(): Promise<WireAuth> {
    const { order, chains, document, revision } = await this.#sources.stored();
    const backends = order.map((view) => backendOf(view));
    return { backends, chains, document, revision, anonymous: this.#anonymous };
  }

  /** Sets who is asked, over REST. */
  async put({ document, revision, dryRun }: CommandOf<'put-auth'>): Promise<WireAuthChange> {
    return dryRun === true
      ? await this.#sources.check(document)
      : await this.#sources.replace(document, revision);
  }

  /** Asks one of them what it says to a login; never rejects. */
  async try(id: string, wire: WireLogin, withinMs: number): Promise<WireLoginTrial> {
    const source = this.#sources.source(id);
    if (source === undefined) return { kind: 'absent' };
    const begun = performance.now();
    const verdict = await this.#gate.run(() => within(withinMs, ask(source, loginOf(wire))));
    const latencyMs = Math.round((performance.now() - begun) * 10) / 10;
    if (verdict === undefined) return { kind: 'busy', latencyMs };
    if (verdict === SILENT) return { kind: 'silent', latencyMs };
    switch (verdict.kind) {
      case 'allowed': {
        const { user, groups = [], rules = [], expiresAtMs } = verdict.identity;
        return { kind: 'allowed', user, groups, ruleCount: rules.length, expiresAtMs, latencyMs };
      }
      case 'denied':
      case 'failed':
        return { kind: verdict.kind, detail: verdict.detail, latencyMs };
      case 'not-mine':
      case 'busy':
        return { kind: verdict.kind, latencyMs };
    }
  }
}

type Said = SourceVerdict | { readonly kind: 'failed'; readonly detail: string };

async function ask(source: AuthSource, login: Login): Promise<Said> {
  try {
    return await source.login(login);
  } catch (error) {
    return { kind: 'failed', detail: error instanceof Error ? error.message : String(error) };
  }
}

async function within(ms: number, said: Promise<Said>): Promise<Said | typeof SILENT> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<typeof SILENT>((resolve) => {
    timer = setTimeout(resolve, ms, SILENT);
  });
  try {
    return await Promise.race([said, silence]);
  } finally {
    clearTimeout(timer);
  }
}

function loginOf({ certificateName, password, username, ...wire }: WireLogin): Login {
  return {
    ...wire,
    username,
    password: password === undefined ? undefined : Buffer.from(password, 'base64'),
    ...(certificateName !== undefined && {
      certificate: { commonName: certificateName, sans: [] },
    }),
  };
}

function backendOf({
  id,
  source,
  settings: { kind, ...settings },
}: NamedSourceView): WireAuthBackend {
  const shown = Object.entries(settings).flatMap(([key, value]): [string, unknown][] => {
    if (value === undefined) return [];
    // Some of those of the configuration may be secrets that stand there as they are.
    if (key === 'headers' && source === 'config')
      return [['header_names', Object.keys(value as object)]];
    const isUrl = key === 'url' || key === 'jwksUrl';
    return [[snakeOf(key), isUrl ? withoutQuery(String(value)) : value]];
  });
  return { id, kind, source, settings: Object.fromEntries(shown) };
}

function snakeOf(key: string): string {
  return key.replaceAll(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`);
}

/** What stands in a query may be a token. */
function withoutQuery(text: string): string {
  const [place = '', query] = text.split('?', 2);
  return query === undefined ? place : `${place}?***`;
}
