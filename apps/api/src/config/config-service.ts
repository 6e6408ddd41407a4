import type {
  ConfigChangeView,
  ConfigValidationView,
  ConfigView,
  ConfigVersionView,
  FieldError,
  WireConfig,
  WireSetting,
  WireSettingFault,
} from '#libs/api-contracts';
import { HOT_KEYS, draftFaults, leavesOf, settingsInForce, type Config } from '#libs/config';
import type { Cluster } from '../cluster/cluster.ts';
import type { Inquiry } from '../cluster/inquiry.ts';
import { requireMatch } from '../http/etag.ts';
import { metaOf } from '../http/pages.ts';
import { ProblemError } from '../http/problem-error.ts';
import { changesBetween, type ConfigVersions, type KeptVersion } from './config-versions.ts';
import { mergeSettings } from './config-presenter.ts';

/** Who makes a change, and of which version. */
export interface ConfigAuthor {
  readonly by: string;
  /** The ETag last read; undefined changes whatever there is. */
  readonly ifMatch: string | undefined;
  /** Stores nothing: nodes say what they would make of it. */
  readonly dryRun?: boolean;
  /** Where in the body the settings stand, as a JSON pointer; at its top if absent. */
  readonly at?: string;
}

/** What a change makes of what is set. */
type Change = (overrides: WireConfig['overrides']) => WireConfig['overrides'];

/** Settings that are set over REST, above those of the configuration of every node. */
export class ConfigService {
  readonly #cluster: Cluster;
  readonly #config: Config;
  /** What was set before. */
  readonly versions: ConfigVersions;

  constructor(parts: {
    readonly cluster: Cluster;
    readonly config: Config;
    readonly versions: ConfigVersions;
  }) {
    this.#cluster = parts.cluster;
    this.#config = parts.config;
    this.versions = parts.versions;
  }

  /** What is set. */
  stored(): Promise<WireConfig> {
    return this.#cluster.inquire().read({ kind: 'config' });
  }

  /** All keys, or those of a section. @throws ProblemError 404 when there is no such section. */
  async show(section: string | undefined): Promise<ConfigView> {
    const inquiry = this.#cluster.inquire();
    const { version, overrides } = await inquiry.read({ kind: 'config' });
    const command = { kind: 'node-config' } as const;
    const { answered, unavailable } = await inquiry.askSome(await inquiry.nodes(), command);
    const isShown = ({ path }: WireSetting): boolean =>
      section === undefined || path === section || path.startsWith(`${section}.`);
    const ofNodes = answered.map(({ node, answer }) => ({
      node: node.nodeId,
      settings: answer.settings.filter((each) => isShown(each) && !each.path.startsWith('api.')),
    }));
    const own = settingsInForce(this.#config).filter(
      (each) => isShown(each) && each.path.startsWith('api.'),
    );
    const settings = [...mergeSettings(ofNodes), ...mergeSettings([{ node: '', settings: own }])];
    if (settings.length === 0) throw absent();
    const part =
      section === undefined
        ? overrides
        : Object.fromEntries(Object.entries(overrides).filter(([key]) => key === section));
    return { version, overrides: { ...part }, settings, meta: metaOf(unavailable) };
  }

  /** What is wrong with settings, were they in the configuration. */
  validate(settings: Readonly<Record<string, unknown>>): ConfigValidationView {
    const faults = draftFaults(this.#config, settings);
    const restart = [...leavesOf(settings).keys()].filter((path) => !HOT_KEYS.has(path));
    const unknown = new Set(
      faults.filter(({ kind }) => kind === 'unknown').map(({ field }) => field),
    );
    return {
      valid: faults.length === 0,
      errors: faults.map(({ kind, field, problem, fix }) => ({
        ...{ key: field, code: kind, detail: `${field} ${problem}`, fix },
      })),
      restart: restart.filter((path) => !unknown.has(path)),
    };
  }

  /** Changes what is set. @throws ProblemError saying why it cannot be. */
  change(make: Change, author: ConfigAuthor): Promise<ConfigChangeView> {
    return this.#put(make, author, 'change');
  }

  /** Sets what was set in a version, and nothing else. @throws ProblemError 422 when it is not kept. */
  async rollBack(version: number, author: ConfigAuthor): Promise<ConfigChangeView> {
    const found =
      version === 0 ? undefined : await this.versions.find(version, await this.stored());
    if (version !== 0 && found === undefined) {
      const detail =
        'There is no such version, or it is not kept any more: see /api/v1/config/history';
      const errors = [{ pointer: '/version', code: 'unknown', detail }];
      throw new ProblemError('unprocessable', detail, { errors });
    }
    return this.#put(() => found?.overrides ?? {}, author, 'rollback');
  }

  async #put(
    make: Change,
    { by, ifMatch, dryRun = false, at = '' }: ConfigAuthor,
    kind: KeptVersion['kind'],
  ): Promise<ConfigChangeView> {
    const inquiry = this.#cluster.inquire();
    const stored = await inquiry.read({ kind: 'config' });
    if (ifMatch !== undefined) requireMatch(ifMatch, stored.version);
    const overrides = pruned(make(stored.overrides));
    if (dryRun) return this.#tried(inquiry, { version: stored.version, overrides, at });
    const changes = changesBetween(stored.overrides, overrides);
    if (changes.length === 0) return this.#applied(inquiry, stored);
    const version = await this.versions.next(stored);
    const { revision } = stored;
    const change = await inquiry.change({ kind: 'put-config', version, overrides, by, revision });
    if (change.kind === 'invalid') throw refused(change.faults, at);
    if (change.kind === 'conflict') {
      throw new ProblemError('precondition-failed', 'Somebody else has changed the configuration');
    }
    const result = this.#applied(inquiry, { version, overrides });
    const kept = { version, by, atMs: Date.now(), kind, overrides, changes };
    // What is not noted is made up for by those who read the history.
    await this.versions.note(kept).catch(() => undefined);
    return result;
  }

  /** What every node would make of settings. @throws ProblemError when none could go by them. */
  async #tried(
    inquiry: Inquiry,
    { version, overrides, at }: Pick<WireConfig, 'version' | 'overrides'> & { readonly at: string },
  ): Promise<ConfigChangeView> {
    const command = { kind: 'check-config', overrides } as const;
    const { answered, unavailable } = await inquiry.askSome(await inquiry.nodes(), command);
    const refusing = answered.filter(({ answer }) => answer.faults.length > 0);
    const [first] = refusing;
    if (first !== undefined && refusing.length === answered.length) {
      throw refused(first.answer.faults, at);
    }
    return {
      ...{ version, overrides: { ...overrides }, applied: [] },
      refused: refusing.map(({ node, answer }) => ({
        node: node.nodeId,
        detail: answer.faults.map(sentence).join('. '),
      })),
      meta: metaOf(unavailable),
    };
  }

  /** Has every node go by what is stored, at once. */
  async #applied(
    inquiry: Inquiry,
    { version, overrides }: Pick<WireConfig, 'version' | 'overrides'>,
  ): Promise<ConfigChangeView> {
    const nodes = await inquiry.nodes();
    const { answered, unavailable } = await inquiry.askAll(nodes, { kind: 'refresh-config' });
    const refusing = answered.flatMap(({ node, answer }) => {
      // Another change may have come since.
      const isBehind = answer.version < version;
      const behind = `It goes by version ${answer.version} still`;
      const detail = answer.refusal ?? (isBehind ? behind : undefined);
      return detail === undefined ? [] : [{ node: node.nodeId, detail }];
    });
    const refusals = new Set(refusing.map(({ node }) => node));
    const applied = answered
      .map(({ node }) => node.nodeId)
      .filter((nodeId) => !refusals.has(nodeId));
    return {
      ...{ version, overrides: { ...overrides }, applied, refused: refusing },
      meta: metaOf(unavailable),
    };
  }
}

/** A version as it is shown. */
export function presentVersion({
  version,
  atMs,
  by,
  kind,
  changes,
}: KeptVersion): ConfigVersionView {
  return { version, at: new Date(atMs).toISOString(), by, kind, changes };
}

/** The problem of a path that names no section. */
export function absent(): ProblemError {
  return new ProblemError('not-found', 'The configuration has no such section');
}

function sentence({ field, problem, fix }: WireSettingFault): string {
  return `${field} ${problem}; ${fix}`;
}

function refused(faults: readonly WireSettingFault[], at: string): ProblemError {
  const errors: FieldError[] = faults.map((fault) => ({
    ...{ pointer: `${at}/${fault.field.replaceAll('.', '/')}`, code: fault.kind },
    detail: sentence(fault),
  }));
  const detail = errors.map((error) => error.detail).join('. ');
  return new ProblemError('unprocessable', detail.slice(0, 2_000), { errors });
}

/** Sections in which nothing is set are left out. */
function pruned(overrides: WireConfig['overrides']): WireConfig['overrides'] {
  return Object.fromEntries(
    Object.entries(overrides).flatMap(([key, value]): [string, unknown][] => {
      if (typeof value !== 'object' || value === null || Array.isArray(value))
        return [[key, value]];
      const inner = pruned(value as WireConfig['overrides']);
      return Object.keys(inner).length === 0 ? [] : [[key, inner]];
    }),
  );
}
