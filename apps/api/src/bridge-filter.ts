import { meets, type Condition, type FilterValue } from '#libs/api-contracts';

/** Whether a bridge or a rule meets all conditions; one on its state is met when it is in that state on one node at least. */
export function meetsInState(
  conditions: readonly Condition[],
  view: { readonly states?: readonly { readonly state: string }[] | undefined },
): boolean {
  const values: Readonly<Record<string, unknown>> = { ...view };
  return conditions.every((condition) =>
    condition.field === 'state'
      ? (view.states ?? []).some(({ state }) => meets([condition], () => state))
      : meets([condition], (field) => scalarOf(values[field])),
  );
}

function scalarOf(value: unknown): FilterValue | undefined {
  return typeof value === 'string' || typeof value === 'boolean' ? value : undefined;
}
