import type { ConfigVersionView, WireConfig } from '#libs/api-contracts';
import type { ApiJournal, ApiState } from '#libs/broker-ports';
import { leavesOf } from '#libs/config';

const DAY_MS = 86_400_000;
/** What of the history is kept. */
const BOUNDS = { entriesMax: 1_000, ageMsMax: 3_650 * DAY_MS };
const READ_AT_ONCE = 200;
/** Where a version stands that is not in the journal: all others came before. */
const ABOVE_ALL = `${String(Number.MAX_SAFE_INTEGER)}-0`;

/** A version as the journal has it. */
export interface KeptVersion {
  readonly version: number;
  readonly by: string;
  readonly atMs: number;
  readonly kind: ConfigVersionView['kind'];
  readonly overrides: WireConfig['overrides'];
  readonly changes: ConfigVersionView['changes'];
}

/** A version, and where it stands in the journal. */
export interface ListedVersion {
  readonly position: string;
  readonly kept: KeptVersion;
}

/**
 * The versions of what is set over REST.
 *
 * @remarks A change is stored first and then noted. When the API dies between the two, the version that is in force is missing
 * here: it is made up for from what is stored.
 */
export class ConfigVersions {
  readonly #journal: ApiJournal<KeptVersion>;

  constructor(state: ApiState) {
    this.#journal = state.journal('config-history', BOUNDS);
  }

  /** Notes a version. */
  async note(kept: KeptVersion): Promise<void> {
    await this.#journal.append(kept);
  }

  /** A part of them, the latest first. */
  async page(
    stored: WireConfig,
    { before, limit }: { readonly before: string | undefined; readonly limit: number },
  ): Promise<readonly ListedVersion[]> {
    const records = await this.#journal.page({ before, limit });
    const listed = records.map(({ id, entry }) => ({ position: id, kept: entry }));
    if (before !== undefined) return listed;
    const missing = missingOf(stored, listed[0]?.kept);
    return missing === undefined ? listed : [{ position: ABOVE_ALL, kept: missing }, ...listed];
  }

  /** The latest one of a number; undefined when it is not kept. */
  async find(version: number, stored: WireConfig): Promise<KeptVersion | undefined> {
    let before: string | undefined;
    for (;;) {
      const page = await this.page(stored, { before, limit: READ_AT_ONCE });
      const found = page.find(({ kept }) => kept.version === version);
      if (found !== undefined) return found.kept;
      before = page.at(-1)?.position;
      if (before === undefined || page.length < READ_AT_ONCE) return undefined;
    }
  }

  /** The number of the next version: above all that there were, also where nodes have lost what was stored. */
  async next(stored: WireConfig): Promise<number> {
    const [latest] = await this.#journal.page({ limit: 1 });
    return Math.max(stored.version, latest?.entry.version ?? 0) + 1;
  }
}

/** What has changed between two states, key by key. */
export function changesBetween(
  before: WireConfig['overrides'],
  after: WireConfig['overrides'],
): ConfigVersionView['changes'] {
  const [old, next] = [leavesOf(before), leavesOf(after)];
  return [...new Set([...old.keys(), ...next.keys()])]
    .filter((key) => JSON.stringify(old.get(key)) !== JSON.stringify(next.get(key)))
    .map((key) => ({ key, before: old.get(key) ?? null, after: next.get(key) ?? null }));
}

function missingOf(stored: WireConfig, latest: KeptVersion | undefined): KeptVersion | undefined {
  const { version, overrides, by = '', atMs = 0 } = stored;
  if (version <= (latest?.version ?? 0)) return undefined;
  const changes = changesBetween(latest?.overrides ?? {}, overrides);
  return { version, by, atMs, kind: 'change', overrides, changes };
}
