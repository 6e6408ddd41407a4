import { FLAPPING_DOCUMENT_ID, type FlappingDocument } from '#libs/access';
import type { FlappingSettings } from '#libs/broker-core';
import type { PartStore } from './settings/settings-store.ts';

/** Settings, and whose they are. */
export interface StoredFlapping {
  readonly settings: FlappingSettings;
  readonly source: 'config' | 'api';
  /** 0 for those of the configuration. */
  readonly revision: number;
}

type Store = Pick<PartStore<FlappingDocument>, 'get' | 'put' | 'watch'>;

/** When a node bans by itself: as the configuration says, until it is told otherwise at run time. */
export class FlappingRules {
  readonly #configured: FlappingSettings;
  readonly #store: Store;

  constructor(configured: FlappingSettings, store: Store) {
    this.#configured = configured;
    this.#store = store;
  }

  /** Keeps a node at work with them. */
  drive(node: { setFlapping(settings: FlappingSettings): void }): void {
    this.#store.watch((stored) => {
      const found = stored.find(({ item }) => item.id === FLAPPING_DOCUMENT_ID);
      node.setFlapping(found?.item.settings ?? this.#configured);
    });
  }

  /** Those in force, as they are stored at this moment. */
  async current(): Promise<StoredFlapping> {
    const found = await this.#store.get(FLAPPING_DOCUMENT_ID);
    if (found === undefined) return { settings: this.#configured, source: 'config', revision: 0 };
    return { settings: found.item.settings, source: 'api', revision: found.revision };
  }

  /** Replaces them, if they have this revision. */
  async replace(
    settings: FlappingSettings,
    revision: number,
  ): Promise<
    { readonly kind: 'stored'; readonly stored: StoredFlapping } | { readonly kind: 'conflict' }
  > {
    const item = { id: FLAPPING_DOCUMENT_ID, settings } as const;
    const result = await this.#store.put(item, revision === 0 ? undefined : revision);
    if (result.kind !== 'stored') return { kind: 'conflict' };
    const stored = { settings, source: 'api', revision: result.stored.revision } as const;
    return { kind: 'stored', stored };
  }
}
