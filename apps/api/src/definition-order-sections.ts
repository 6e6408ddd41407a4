import type { AuthBackendCreate, AuthDefinition } from '#libs/api-contracts';
import { editAuth, givenSettingsOf, madeBackendOf, settledOf } from './auth-draft.ts';
import type { Cluster } from './cluster/cluster.ts';
import type { NodeSection } from './definition-sections.ts';
import { requireMatch, etagOf } from './http/etag.ts';
import { ProblemError } from './http/problem-error.ts';

/** The id of what there is one of. */
const GENERAL = 'general';

/** Who is asked who a client is, as it was set over REST: one item, or none when nothing was. */
export function authSection(cluster: Cluster): NodeSection<AuthDefinition> {
  const edit = async (item: AuthDefinition, revision: number | undefined, dryRun: boolean) => {
    const made = item.backends.map((backend) => madeBackendOf(backend.id, backend));
    await editAuth(cluster, () => ({ backends: made, order: item.order, chains: item.chains }), {
      dryRun,
      requireSeen: (auth) => requireMatch(etagOf(revision ?? 0), auth.revision),
    });
  };
  return {
    name: 'auth',
    idOf: () => GENERAL,
    present: async () => {
      const auth = await cluster.inquire().read({ kind: 'auth' });
      if (auth.revision === 0) return [];
      const { backends, order, chains } = settledOf(auth);
      const item = {
        // What nodes have stored is what they would take.
        backends: backends.map((made) => ({
          id: made.id,
          ...givenSettingsOf(made),
        })) as AuthBackendCreate[],
        order: [...order],
        chains: Object.fromEntries(Object.entries(chains).map(([name, ids]) => [name, [...ids]])),
      };
      return [{ id: GENERAL, item, revision: auth.revision }];
    },
    check: (item, revision) => edit(item, revision, true),
    put: (item, revision) => edit(item, revision, false),
    remove: async () => {
      throw new ProblemError('conflict', 'Who is asked can be changed, and not be removed');
    },
  };
}

/** With what is set and the item does not name. */
export async function mergedAuth(
  section: NodeSection<AuthDefinition>,
  wanted: AuthDefinition,
): Promise<AuthDefinition> {
  const [present] = await section.present();
  if (present === undefined) return wanted;
  const { backends, order, chains } = present.item;
  const others = backends.filter(({ id }) => wanted.backends.every((each) => each.id !== id));
  return {
    backends: [...others, ...wanted.backends],
    order: [...wanted.order, ...order.filter((id) => !wanted.order.includes(id))],
    chains: { ...chains, ...wanted.chains },
  };
}

/** The order in which bridge rules are asked, if one was set: one item. Rules that are not there have no place in it. */
export function ruleOrderSection(cluster: Cluster): NodeSection<readonly string[]> {
  const known = async () => {
    const { rules, orderRevision } = await cluster.inquire().read({ kind: 'rules' });
    return { ids: rules.map(({ rule }) => rule.id), revision: orderRevision };
  };
  return {
    name: 'bridge_rule_order',
    idOf: () => GENERAL,
    present: async () => {
      const { ids, revision } = await known();
      return revision === 0 ? [] : [{ id: GENERAL, item: ids, revision }];
    },
    put: async (wanted, revision = 0) => {
      const { ids: all } = await known();
      const first = wanted.filter((id) => all.includes(id));
      const ids = [...first, ...all.filter((id) => !first.includes(id))];
      if (ids.length === 0) return;
      const change = await cluster.inquire().change({ kind: 'order-rules', ids, revision });
      if (change.kind === 'invalid') throw new ProblemError('unprocessable', change.detail);
      if (change.kind === 'conflict') {
        throw new ProblemError('precondition-failed', 'The order of rules has changed');
      }
    },
    remove: async () => {
      throw new ProblemError('conflict', 'The order of rules can be changed, and not be removed');
    },
  };
}
