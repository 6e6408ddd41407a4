import type { z } from 'zod';
import type { connector } from './connector.ts';

/** Something that is wrong with a connector. */
export interface ConnectorFault {
  /** The keys that lead to it. */
  readonly path: readonly string[];
  /** In words that follow the name of the field. */
  readonly problem: string;
}

type Fixable = ConnectorFault & { readonly fix: string };

/** Finds what is wrong between settings of a connector that are each right alone. */
export function connectorFaults(known: z.output<typeof connector>): readonly Fixable[] {
  if (known.kind !== 'kafka') return [];
  const { tls = {}, schemaRegistry = {} } = known;
  return [
    // A certificate is of no use without its key, and a key without its certificate; so are name and password.
    ...pairFaults(['tls', 'certFile', 'keyFile'], tls),
    ...pairFaults(['schemaRegistry', 'username', 'password'], schemaRegistry),
  ];
}

function pairFaults(
  [section, one, other]: readonly [string, string, string],
  settings: Readonly<Record<string, unknown>>,
): readonly Fixable[] {
  if (one in settings === other in settings) return [];
  const [given, missing] = one in settings ? [one, other] : [other, one];
  return [
    {
      path: [section, missing],
      problem: `is required by ${section}.${given}`,
      fix: `set it, or remove ${section}.${given}`,
    },
  ];
}
