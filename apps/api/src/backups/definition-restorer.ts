import { ProblemError } from '../http/problem-error.ts';
import type { ArchiveItem } from './archive-format.ts';
import { isEqual, type BackupDefinitions } from './backup-definitions.ts';
import type { SectionName } from './archive-format.ts';
import type { RestoreTally } from './restore-tally.ts';

/** All that are defined are read for each batch. */
const BATCH = 10_000;
const AT_ONCE = 20;

/** How definitions are restored. */
export interface DefinitionRestorerOptions {
  readonly definitions: ReadonlyMap<SectionName, BackupDefinitions>;
  readonly tally: RestoreTally;
  readonly replaces: boolean;
  readonly dryRun: boolean;
}

/** Restores what is defined over REST. */
export class DefinitionRestorer {
  readonly #options: DefinitionRestorerOptions;
  #section: BackupDefinitions | undefined;
  #waiting: unknown[] = [];

  constructor(options: DefinitionRestorerOptions) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0;
  }

  /** Takes an item of the archive. */
  async add({ section, item }: ArchiveItem): Promise<void> {
    if (this.#section?.name !== section) await this.flush();
    this.#section = this.#options.definitions.get(section);
    this.#waiting.push(item);
    if (this.#waiting.length >= BATCH) await this.flush();
  }

  /** Does what waits. */
  async flush(): Promise<void> {
    const [section, items] = [this.#section, this.#waiting];
    this.#waiting = [];
    if (section === undefined || items.length === 0) return;
    const present = new Map((await section.present()).map((each) => [each.id, each]));
    for (let from = 0; from < items.length; from += AT_ONCE) {
      const some = items.slice(from, from + AT_ONCE);
      await Promise.all(some.map((item) => this.#restore(section, item, present)));
    }
  }

  async #restore(
    section: BackupDefinitions,
    given: unknown,
    present: ReadonlyMap<string, { readonly item: unknown; readonly revision: number }>,
  ): Promise<void> {
    const { tally, replaces, dryRun } = this.#options;
    const parsed = section.parse(given);
    if (parsed === undefined) return tally.add(section.name, '', { reason: 'unreadable' });
    const { id, item } = parsed;
    const before = present.get(id);
    if (before !== undefined && isEqual(before.item, item)) {
      return tally.add(section.name, id, 'unchanged');
    }
    const isKept = before !== undefined && section.isEmpty?.(before.item) !== true;
    if (isKept && !replaces) return tally.add(section.name, id, { reason: 'present' });
    try {
      section.check?.(item);
      if (!dryRun) await section.put(item, before?.revision);
      tally.add(section.name, id, 'restored');
    } catch (error) {
      if (!(error instanceof ProblemError) || error.status >= 500) throw error;
      tally.add(section.name, id, { reason: 'failed', detail: error.message });
    }
  }
}
