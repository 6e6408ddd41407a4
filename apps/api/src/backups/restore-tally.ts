import type { RestoreResult } from '#libs/api-contracts';
import type { SectionName } from './archive-format.ts';

/** Refusals that are named one by one. */
const REFUSALS_MAX = 100;

type Section = RestoreResult['sections'][number];
type Refusal = RestoreResult['refusals'][number];

/** Why an item was not restored. */
export type RefusalReason = Refusal['reason'];

/** What became of items so far; plain JSON, for it is kept while the restore goes on. */
export interface TallyState {
  readonly sections: readonly Section[];
  readonly refusals: readonly Refusal[];
}

/** Counts what becomes of items. */
export class RestoreTally {
  readonly #sections = new Map<SectionName, Section>();
  readonly #refusals: Refusal[];

  /** @param state - of the worker before. */
  constructor(state: TallyState | undefined) {
    for (const section of state?.sections ?? []) {
      this.#sections.set(section.name, { ...section, refused: { ...section.refused } });
    }
    this.#refusals = [...(state?.refusals ?? [])];
  }

  get state(): TallyState {
    return { sections: [...this.#sections.values()], refusals: this.#refusals };
  }

  /** A section is there, though it may have no items. */
  open(name: SectionName): Section {
    const known = this.#sections.get(name);
    if (known !== undefined) return known;
    const made: Section = { name, items: 0, restored: 0, unchanged: 0, refused: {} };
    this.#sections.set(name, made);
    return made;
  }

  /** Counts one item. */
  add(
    name: SectionName,
    id: string,
    outcome:
      'restored' | 'unchanged' | { readonly reason: RefusalReason; readonly detail?: string },
  ): void {
    const section = this.open(name);
    section.items += 1;
    if (outcome === 'restored' || outcome === 'unchanged') {
      section[outcome] += 1;
      return;
    }
    const { reason, detail = null } = outcome;
    section.refused[reason] = (section.refused[reason] ?? 0) + 1;
    if (this.#refusals.length < REFUSALS_MAX) {
      this.#refusals.push({ section: name, id, reason, detail });
    }
  }
}
