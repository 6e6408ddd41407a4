import { Gate, type AuthSource, type Login, type SourceVerdict } from '#libs/access';
import type { WireAuth, WireAuthBackend, WireLogin, WireLoginTrial } from '#libs/api-contracts';
import { authChain, type Config } from '#libs/config';

type Settings = NonNullable<Config['auth']['chain']>[number];

/** Trials under way at a time, and those that wait: clients are not to wait for them. */
const RUNNING_MAX = 2;
const WAITING_MAX = 8;

const SILENT = Symbol('silent');

/** Those who are asked who a client is, as the API sees them: shown without secrets, and asked without a client. */
export class AuthBackends {
  readonly #auth: WireAuth;
  readonly #sources = new Map<string, AuthSource>();
  readonly #gate = new Gate(RUNNING_MAX, WAITING_MAX);

  /** @param sources - of the chain of the configuration, in its order. */
  constructor(config: Config, sources: readonly AuthSource[], listeners: readonly string[]) {
    const chain = authChain(config);
    const backends = chain.map((settings, index) => backendOf(settings, idOf(chain, index)));
    for (const [index, { id }] of backends.entries()) {
      const source = sources[index];
      if (source !== undefined) this.#sources.set(id, source);
    }
    this.#auth = { backends, listeners, anonymous: config.auth.anonymous || chain.length === 0 };
  }

  /** Who is asked, and where. */
  shown(): WireAuth {
    return this.#auth;
  }

  /** Asks one of them what it says to a login; never rejects. */
  async try(id: string, wire: WireLogin, withinMs: number): Promise<WireLoginTrial> {
    const source = this.#sources.get(id);
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

function idOf(chain: readonly Settings[], index: number): string {
  const kind = chain[index]?.kind ?? '';
  const before = chain.slice(0, index).filter((each) => each.kind === kind).length;
  return before === 0 ? kind : `${kind}-${String(before + 1)}`;
}

function backendOf({ kind, ...settings }: Settings, id: string): WireAuthBackend {
  const shown = Object.entries(settings).flatMap(([key, value]): [string, unknown][] => {
    if (value === undefined) return [];
    // Some of them may be secrets that stand there as they are.
    if (key === 'headers') return [['header_names', Object.keys(value as object)]];
    const isUrl = key === 'url' || key === 'jwksUrl';
    return [[snakeOf(key), isUrl ? withoutQuery(String(value)) : value]];
  });
  return { id, kind, settings: Object.fromEntries(shown) };
}

function snakeOf(key: string): string {
  return key.replaceAll(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`);
}

/** What stands in a query may be a token. */
function withoutQuery(text: string): string {
  const [place = '', query] = text.split('?', 2);
  return query === undefined ? place : `${place}?***`;
}
