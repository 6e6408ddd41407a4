import type { Invocation } from '../command.ts';

/** The body of commands that put things into an order: ids, separated by commas. */
export function orderOf({ values }: Invocation): { readonly ids: readonly string[] } {
  return { ids: (values['ids'] ?? '').split(',').map((id) => id.trim()) };
}
