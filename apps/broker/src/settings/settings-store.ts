import type { DefinitionStore, StoredDefinition } from '#libs/broker-ports';
import type { SettingsDocument } from '#libs/store-local';

/** The part of the settings that documents of one type are. */
export type PartStore<Document extends SettingsDocument> = Pick<
  DefinitionStore<Document>,
  'get' | 'list' | 'put' | 'remove' | 'watch'
>;

/** Shows of the settings that were made at run time the documents of one type alone. */
export function partOf<Document extends SettingsDocument>(
  store: DefinitionStore<SettingsDocument>,
  isPart: (document: SettingsDocument) => document is Document,
): PartStore<Document> {
  const own = (stored: StoredDefinition<SettingsDocument>): StoredDefinition<Document>[] => {
    const { item } = stored;
    return isPart(item) ? [{ ...stored, item }] : [];
  };
  return {
    get: async (id) => {
      const found = await store.get(id);
      return found && own(found)[0];
    },
    list: async () => (await store.list()).flatMap(own),
    put: async (item, revision) => {
      const result = await store.put(item, revision);
      if (result.kind !== 'stored') return result;
      return { kind: 'stored', stored: { ...result.stored, item } };
    },
    remove: async (id, revision) => {
      const result = await store.remove(id, revision);
      if (result.kind !== 'stored') return result;
      const [stored] = own(result.stored);
      return stored === undefined ? { kind: 'absent' } : { kind: 'stored', stored };
    },
    watch: (changed) => {
      store.watch((stored, removed) => changed(stored.flatMap(own), removed));
    },
  };
}
